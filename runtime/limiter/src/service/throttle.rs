//! `CL.THROTTLE`, as redis-cell answers it.

use std::time::Duration;

use tidegate_limit::front::{By, Failure, Terms};
use tidegate_limit::gcra::Gcra;
use tidegate_limit::ports::Asked;
use tidegate_limit::{Ask, Decision, LONGEST_PERIOD, Policy, QuotaError, Rate, Retry, Scale};

use super::{Answer, Limits, Service};
use crate::config::OnFailure;
use crate::counts::Call;
use crate::rules::Place;

/// The command's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttle<'a> {
    pub(crate) key: &'a [u8],
    /// Beyond one.
    pub(crate) max_burst: u64,
    pub(crate) count: u64,
    /// Seconds.
    pub(crate) period: u64,
    pub(crate) quantity: u64,
}

/// Its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    pub(crate) limited: bool,
    /// Units at once.
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Seconds until the same can be asked again; `None`: it need not, or never can.
    pub(crate) retry: Option<u64>,
    /// Seconds until nothing counts any more.
    pub(crate) reset: u64,
}

/// `None`: the store did not answer.
pub(crate) type Answered = Option<Throttled>;

impl Service {
    /// Whether clients of Redis have to say a password first, and whether this is it.
    pub(crate) fn lets_in(&self, password: Option<&[u8]>) -> bool {
        match (&self.state.load().password, password) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(said)) => same(wanted.as_bytes(), said),
        }
    }

    /// Whether they have to say one at all.
    pub(crate) fn wants_password(&self) -> bool {
        self.state.load().password.is_some()
    }

    /// Takes `quantity` units of the key's bucket, or none.
    ///
    /// # Errors
    /// The numbers are no limit.
    pub(crate) fn throttle(&self, command: Throttle<'_>) -> Result<Answer<Answered>, QuotaError> {
        let burst = command.max_burst.saturating_add(1);
        let period = Duration::from_secs(command.period);
        let rate = Rate::new(command.count, period.min(LONGEST_PERIOD + Duration::from_secs(1)))?;
        let bucket = |scale| Gcra::bucket(rate, burst, scale);
        let state = self.state.load_full();
        let key = state.throttle.only(command.key);
        let ask = if command.quantity == 0 { Ask::check(0) } else { Ask::spend(command.quantity) };
        let counts = std::sync::Arc::clone(&self.counts);
        let finish = move |decision: &Decision| {
            let throttled = answer(decision, burst);
            counts.call(if throttled.limited { Call::Throttled } else { Call::Throttle });
            throttled
        };
        let shared = match &state.limits {
            Limits::Local => {
                let policy = Policy::Bucket(bucket(Scale::Local)?);
                let decision = state.tables.at(Place::Bucket).decide(key, self.now(), &policy, ask);
                return Ok(Answer::Now(Some(finish(&decision))));
            }
            Limits::Shared(shared) => shared,
        };
        let terms = Terms::plain(Policy::Bucket(bucket(Scale::Shared)?), 0, Failure::Closed);
        let (on_failure, counts) = (state.on_failure, std::sync::Arc::clone(&self.counts));
        let take = move |outcome: Option<tidegate_limit::front::Outcome>| match outcome {
            Some(outcome) if outcome.by != By::Failure => Some(finish(&outcome.decision)),
            _ => {
                counts.call(Call::StoreFailed);
                let limited = match on_failure {
                    OnFailure::Error => return None,
                    OnFailure::Open => false,
                    OnFailure::Closed => true,
                };
                Some(Throttled { limited, limit: burst, remaining: 0, retry: None, reset: 0 })
            }
        };
        Ok(match shared.ask(key, &terms, ask) {
            Asked::Answered(outcome) => Answer::Now(take(Some(outcome))),
            Asked::Waits(waits) => Answer::Later(Box::pin(async move { take(waits.await) })),
        })
    }
}

/// Compares without telling by its time how much is the same.
fn same(wanted: &[u8], said: &[u8]) -> bool {
    let differs = wanted.iter().zip(said).fold(0, |differs, (a, b)| differs | (a ^ b));
    wanted.len() == said.len() && differs == 0
}

fn answer(decision: &Decision, limit: u64) -> Throttled {
    let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
    Throttled {
        limited: !decision.is_admitted(),
        limit,
        remaining: decision.remaining,
        retry: match decision.retry {
            Retry::After(time) => Some(seconds(time)),
            Retry::Now | Retry::OnRelease | Retry::Never => None,
        },
        reset: seconds(decision.reset),
    }
}
