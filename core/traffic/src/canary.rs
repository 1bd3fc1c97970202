//! Which requests of a route go elsewhere.

use crate::request::{RequestView, header_value};
use crate::share::Share;
use crate::split::Split;
use crate::value::ValueMatch;
use http::HeaderName;
use std::fmt;

/// The rules of a route, in order: the first whose conditions all hold decides. If none does, the request goes
/// where the route says.
#[derive(Clone, Debug, Default)]
pub struct Canary {
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

/// What a rule asks for. One that asks for nothing takes all that reach it.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Each of these headers.
    pub headers: Vec<(HeaderName, ValueMatch)>,
    /// Those whose place is within a share.
    pub split: Option<Split>,
    /// How large the share is that [`split`](Self::split) takes; `None` is what [`Shares`] says.
    pub below: Option<Share>,
    /// A part of all that come this far, anew for every request.
    pub weight: Option<Share>,
    /// Peers alone that the listener trusts.
    pub trusted_only: bool,
}

/// The shares that change while it runs: those of rules that follow a plan.
pub trait Shares {
    /// The share of the rule with this index, now.
    fn of(&self, rule: usize) -> Share;
}

impl<F: Fn(usize) -> Share> Shares for F {
    fn of(&self, rule: usize) -> Share {
        self(rule)
    }
}

/// Who takes a request, and for which plan it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The rule that decides; `None` is none.
    pub rule: Option<usize>,
    /// No rule decides, but this one, which follows a plan, would have with a larger share: the request is one
    /// of those that its canary is measured against.
    pub beside: Option<usize>,
}

/// Why a rule does or does not take a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict<'c> {
    /// All its conditions hold.
    Holds {
        /// Where its split puts the request, of 2⁶⁴, and the share that it takes.
        place: Option<(u64, Share)>,
    },
    /// It is for trusted peers, and this is none.
    NotTrusted,
    /// A header is not as it must be.
    Header(&'c HeaderName, &'c ValueMatch),
    /// What the split hashes is missing or empty.
    NoKey(&'c Split),
    /// The split puts the request outside of the share.
    Outside {
        /// Where it stands, of 2⁶⁴.
        place: u64,
        /// What the rule takes.
        below: Share,
    },
    /// Its weight left this one out.
    Passed(Share),
}

// === impl Canary ===

impl Canary {
    /// Decides for one request. `bits` are random; rules with a weight take them, each its own part.
    #[must_use]
    pub fn decide(&self, request: &RequestView<'_>, bits: u64, shares: &impl Shares) -> Choice {
        let mut beside = None;
        for (index, rule) in self.rules.iter().enumerate() {
            match rule.check(index, request, bits, shares) {
                Verdict::Holds { .. } => return Choice { rule: Some(index), beside: None },
                Verdict::Outside { .. } if rule.follows_plan() && beside.is_none() => beside = Some(index),
                _ => {}
            }
        }
        Choice { rule: None, beside }
    }

    /// What each rule says, up to the one that decides.
    #[must_use]
    pub fn explain(&self, request: &RequestView<'_>, bits: u64, shares: &impl Shares) -> Vec<Verdict<'_>> {
        let mut verdicts = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let verdict = rule.check(index, request, bits, shares);
            verdicts.push(verdict);
            if matches!(verdict, Verdict::Holds { .. }) {
                break;
            }
        }
        verdicts
    }

    /// The rules behind the first that takes all that reach it.
    #[must_use]
    pub fn unreachable(&self) -> std::ops::Range<usize> {
        let all = self.rules.iter().position(Rule::takes_all);
        all.map_or(self.rules.len(), |all| all + 1)..self.rules.len()
    }
}

// === impl Rule ===

impl Rule {
    /// Whether its share is told by a plan.
    #[must_use]
    pub fn follows_plan(&self) -> bool {
        self.split.is_some() && self.below.is_none()
    }

    /// Whether nothing passes it.
    fn takes_all(&self) -> bool {
        let weight = self.weight.is_none_or(|weight| weight == Share::ALL);
        self.headers.is_empty() && self.split.is_none() && weight && !self.trusted_only
    }

    fn check<'c>(&'c self, index: usize, request: &RequestView<'_>, bits: u64, shares: &impl Shares) -> Verdict<'c> {
        if self.trusted_only && !request.trusted {
            return Verdict::NotTrusted;
        }
        for (name, want) in &self.headers {
            if !want.holds(header_value(request.headers, name).as_deref()) {
                return Verdict::Header(name, want);
            }
        }
        if let Some(weight) = self.weight
            && !weight.takes(part(bits, index))
        {
            return Verdict::Passed(weight);
        }
        let Some(split) = &self.split else { return Verdict::Holds { place: None } };
        let Some(place) = split.place(request) else { return Verdict::NoKey(split) };
        let below = self.below.unwrap_or_else(|| shares.of(index));
        if below.takes(place) {
            Verdict::Holds { place: Some((place, below)) }
        } else {
            Verdict::Outside { place, below }
        }
    }
}

/// The random bits of one rule: of one request no two rules see the same (the finaliser of SplitMix64).
fn part(bits: u64, index: usize) -> u64 {
    let step = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bits = bits.wrapping_add(step);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

// === impl Verdict ===

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |place: u64| place as f64 / 2_f64.powi(64) * 100.0;
        match self {
            Self::Holds { place: None } => f.write_str("holds"),
            Self::Holds { place: Some((place, below)) } => {
                write!(f, "holds: the value stands at {:.4}%, below {below}", percent(*place))
            }
            Self::NotTrusted => f.write_str("is for trusted peers alone"),
            Self::Header(name, want) => write!(f, "asks that header `{name}` {want}"),
            Self::NoKey(split) => write!(f, "hashes {}, which is missing or empty", split.key),
            Self::Outside { place, below } => {
                write!(f, "takes those below {below}: the value stands at {:.4}%", percent(*place))
            }
            Self::Passed(weight) => write!(f, "takes {weight} of the requests at random, and not this one"),
        }
    }
}
