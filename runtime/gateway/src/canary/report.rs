//! A plan as it is shown.

use std::time::{Duration, SystemTime};
use tidegate_traffic::Share;
use tidegate_traffic::plan::{Decision, Phase, Sample};

/// What this gateway has to do with a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Not known yet.
    #[default]
    Starting,
    /// It walks the plan by itself.
    Alone,
    /// It decides for all that walk it.
    Leads,
    /// It does what another one decides, which has this name.
    Follows(String),
    /// It cannot reach the others: the plan stays where it is.
    CutOff,
}

/// A decision and when it was made, or when it became known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// When.
    pub at: SystemTime,
    /// What.
    pub decision: Decision,
    /// The gateway that decided it, if it was another one.
    pub by: Option<String>,
}

/// A plan as it is shown.
#[derive(Clone, Debug)]
pub struct Report {
    /// The plan's name.
    pub name: String,
    /// The route's: a service or a path, with its host if it has one.
    pub route: String,
    /// The rule's.
    pub rule: String,
    /// The upstream that the canary is.
    pub to: String,
    /// Who decides.
    pub role: Role,
    /// Whether it goes on by itself.
    pub phase: Phase,
    /// The index of the step.
    pub step: usize,
    /// All steps.
    pub steps: Vec<Share>,
    /// The share now.
    pub share: Share,
    /// When it came to this step.
    pub entered: SystemTime,
    /// What it thinks of its canary, in a sentence; for one that was rolled back, why.
    pub standing: String,
    /// The canary's side in this step.
    pub canary: Figures,
    /// The stable side in this step.
    pub stable: Figures,
    /// The last decisions, the newest last.
    pub decisions: Vec<Decided>,
}

/// What a side did in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls that ended.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// The latency that 99 of 100 did not exceed.
    pub p99: Option<Duration>,
}

impl From<&Sample> for Figures {
    fn from(sample: &Sample) -> Self {
        Self { calls: sample.calls, errors: sample.errors, p99: sample.latencies.p99() }
    }
}

impl Role {
    /// Its name, as it is shown.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Alone => "alone",
            Self::Leads => "leads",
            Self::Follows(_) => "follows",
            Self::CutOff => "cut_off",
        }
    }
}
