//! Limits of calls in flight: who goes on, who waits, and who is told to come back.
//!
//! A route may have one and an upstream may have one; each is one for all workers, and outlives changes of the config. A
//! call passes that of its route first. It gives its places back when it ends, however it ends.

use crate::answer::{Answer, Refusal};
use crate::config::Priority;
use crate::peer::Peer;
use http::HeaderValue;
use http::header::{HeaderMap, RETRY_AFTER};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_telemetry::metrics::concurrency::{Figures, Limit};
use tidegate_telemetry::{clock, random};
use tidegate_traffic::bulkhead::{self, Admission, Bulkhead, Permit, Queued, Settings, Why};
use tidegate_traffic::priority::Class;

/// What a limit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The calls of a route, wherever they go.
    Route,
    /// The calls to an upstream, wherever they come from.
    Upstream,
}

/// A limit of calls in flight.
#[derive(Debug)]
pub struct Gate {
    of: Of,
    name: String,
    bulkhead: Arc<Bulkhead>,
    /// From when its machine counts time.
    origin: Instant,
}

/// The places that a call has. Dropped, it gives them back.
#[derive(Debug)]
pub(crate) struct Places {
    taken: Vec<(Arc<Gate>, Permit)>,
    began: Instant,
    /// When the reply began, if the rest of it says nothing of how long calls take.
    answered: Option<Instant>,
    /// How long the call waited for them.
    pub(crate) waited: Duration,
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new(of: Of, name: &str, settings: Settings) -> Arc<Self> {
        let bulkhead = Bulkhead::new(settings, Duration::ZERO);
        Arc::new(Self { of, name: name.into(), bulkhead, origin: clock::now() })
    }

    /// What it is of.
    #[must_use]
    pub fn of(&self) -> Of {
        self.of
    }

    /// The name of the route or upstream.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its levels.
    #[must_use]
    pub fn levels(&self) -> bulkhead::Figures {
        self.bulkhead.figures()
    }

    /// Takes the place of one of before, if it is of the same; that goes on with other settings.
    pub(crate) fn inherit(this: &mut Arc<Self>, before: &[Arc<Self>]) {
        if let Some(known) = before.iter().find(|known| known.of == this.of && known.name == this.name) {
            known.bulkhead.set(this.bulkhead.settings());
            *this = Arc::clone(known);
        }
    }

    async fn enter(self: &Arc<Self>, class: Class, deadline: Option<Instant>) -> Result<Permit, Refusal> {
        let until = deadline.map(|deadline| deadline.saturating_duration_since(self.origin));
        let admitted = match self.bulkhead.enter(class, until, self.now()) {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Queued(queued) => self.wait(queued).await,
            Admission::Refused(refusal) => Err(refusal),
        };
        admitted.map_err(|refusal| refuse(refusal, deadline))
    }

    async fn wait(&self, mut queued: Queued) -> Result<Permit, bulkhead::Refusal> {
        let until = self.origin + queued.until();
        match tokio::time::timeout_at(until.into(), &mut queued).await {
            Ok(outcome) => outcome,
            Err(_) => queued.give_up(self.now()),
        }
    }

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }
}

impl Limit for Gate {
    fn labels(&self) -> (&'static str, &str) {
        (self.of.word(), &self.name)
    }

    fn figures(&self) -> Figures {
        let levels = self.levels();
        let counted = self.bulkhead.refused();
        let mut refused = Vec::new();
        for (why, of_classes) in Why::ALL.into_iter().zip(counted) {
            for (class, count) in Class::ALL.into_iter().zip(of_classes) {
                // Most have calls of one class alone.
                if count > 0 || class == Class::Normal {
                    refused.push((why.word(), class.word(), count));
                }
            }
        }
        Figures {
            in_flight: levels.in_flight.into(),
            limit: levels.limit.into(),
            queued: levels.queued.into(),
            queue_limit: levels.queue.into(),
            refused,
        }
    }
}

impl Of {
    /// The word for it in metrics and in the admin API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Upstream => "upstream",
        }
    }
}

// === impl Places ===

impl Places {
    /// Waits for a place at each of these, in their order.
    ///
    /// # Errors
    /// 503 with `Retry-After`, 504 if the deadline passed meanwhile.
    ///
    /// # Cancel safety
    /// Dropped, it gives back what it has and leaves the queue.
    pub(crate) async fn take(
        gates: impl Iterator<Item = &Arc<Gate>> + Send,
        class: Class,
        deadline: Option<Instant>,
    ) -> Result<Self, Refusal> {
        let came = clock::now();
        let mut taken = Vec::with_capacity(2);
        for gate in gates {
            taken.push((Arc::clone(gate), gate.enter(class, deadline).await?));
        }
        let began = clock::now();
        Ok(Self { taken, began, answered: None, waited: began.saturating_duration_since(came) })
    }

    /// The reply has begun, and the rest of it takes as long as it likes.
    pub(crate) fn answered(&mut self) {
        self.answered = Some(clock::now());
    }

    /// Gives them back. `tells` says that the call tells how long calls take: it went well, or took until its deadline.
    pub(crate) fn give_back(self, tells: bool) {
        let now = clock::now();
        let ended = self.answered.unwrap_or(now);
        for (gate, permit) in self.taken {
            let at = |instant: Instant| instant.saturating_duration_since(gate.origin);
            let took = tells.then(|| (at(self.began), at(ended)));
            permit.end(took, at(now), random::u64());
        }
    }
}

/// The class of a request: as a trusted peer says, else that of the route.
pub(crate) fn class_of(priority: Option<&Priority>, headers: &HeaderMap, peer: &Peer) -> Class {
    let Some(priority) = priority else { return Class::Normal };
    let said = || {
        let header = priority.header.as_ref().filter(|_| peer.is_trusted())?;
        let value = headers.get(&header.name)?.to_str().ok()?;
        header.values.iter().find(|(known, _)| known == value).map(|(_, class)| *class)
    };
    said().unwrap_or(priority.class)
}

/// 503: there is too much; 504: the deadline passed while it waited.
fn refuse(refused: bulkhead::Refusal, deadline: Option<Instant>) -> Refusal {
    if deadline.is_some_and(|deadline| deadline <= clock::now()) {
        return Refusal::new(Answer::Deadline, "the deadline passed before the call could be made");
    }
    let after = refused.retry_after.unwrap_or_default();
    let seconds = (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1);
    let what = match refused.why {
        Why::Limit => "too many calls are in flight",
        Why::Queue => "too many calls wait",
        Why::Deadline => "the deadline would pass before the call could be made",
        Why::Waited => "the call waited too long for others to end",
        Why::Displaced => "calls that matter more go first",
    };
    let mut refusal = Refusal::new(Answer::Crowded, format!("{what}: try again in {seconds} s"));
    refusal.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    refusal
}
