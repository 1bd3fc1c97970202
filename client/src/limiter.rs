//! Limits inside an application: the gateway's rules, over tables of this process or a store that nodes share.

mod ask;
mod build;
mod facts;
mod spent;
mod verdict;

use crate::clock::LateClock;
pub(crate) use ask::Question;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tidegate_limit::local;
use tidegate_limit::ports::SharedLimits;
use tidegate_limit::rules::{Facts, Rule};

pub use build::{LimiterBuilder, LimiterError};
pub use facts::Named;
pub(crate) use facts::{Head, PeerOf, ValueOf};
pub use spent::Trust;
pub use verdict::{LimitRefusal, Verdict};

/// The limits of an application. Clones share what was used of them.
///
/// ```
/// use tidegate_client::limit::{Algorithm, Limit, Rate, Source};
/// use tidegate_client::{Limiter, Named};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let orders = Algorithm::TokenBucket { rate: Rate::per_second(1), burst: 2 };
/// let key = vec![Source::Header("x-user-id".into()), Source::Field("kind".into())];
/// let limiter = Limiter::builder().limit(Limit::new("orders", key, orders)).build().unwrap();
///
/// let express = Named(&[("header:x-user-id", "alice"), ("field:kind", "express")]);
/// assert!(limiter.ask(&express).await.is_admitted());
/// assert!(limiter.ask(&express).await.is_admitted());
/// let third = limiter.ask(&express).await;
/// let refusal = third.refusal().unwrap();
/// assert_eq!(refusal.message, "the limit `orders` is reached: try again in 1 s");
/// # });
/// ```
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    limits: Vec<Bound>,
    clock: LateClock,
    trust: Option<Trust>,
    tells_always: bool,
}

/// A limit with what was used of it.
struct Bound {
    rule: Rule,
    place: Place,
    /// The same limit with the keys that an edge tells.
    told: Option<Rule>,
    counts: Counts,
}

/// Where it is kept.
enum Place {
    Here(local::Store),
    Shared(Arc<dyn SharedLimits>),
}

#[derive(Default)]
struct Counts {
    admitted: AtomicU64,
    refused: AtomicU64,
    shadow: AtomicU64,
    covered: AtomicU64,
    unanswered: AtomicU64,
}

/// The future of [`Limiter::ask`].
pub type Asking = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// What a limit did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitFigures {
    /// The limit.
    pub limit: String,
    /// Requests that it let pass, together with all others of theirs.
    pub admitted: u64,
    /// Requests that it refused.
    pub refused: u64,
    /// Requests that it would have refused if it were enforced.
    pub shadow: u64,
    /// Requests that it was not asked about, for an edge had spent their units.
    pub covered: u64,
    /// Of all these, decisions without the store: it did not answer.
    pub unanswered: u64,
}

// === impl Limiter ===

impl Limiter {
    /// Begins one without limits.
    #[must_use]
    pub fn builder() -> LimiterBuilder {
        LimiterBuilder::default()
    }

    /// Asks the limits about a request: all of them are charged, or none is.
    ///
    /// Who drops the future may have spent the units.
    pub fn ask(&self, facts: &impl Facts) -> Asking {
        Box::pin(self.finish(self.questions(facts, None), Duration::MAX))
    }

    /// The same for a request of which an edge may have spent something: `text` is a header
    /// [`spent::HEADER`](crate::limit::spent::HEADER) of the request, `request` its `x-request-id`. What is not believed
    /// is as if it were not there.
    pub fn ask_spent(&self, facts: &impl Facts, text: &str, request: &str) -> Asking {
        Box::pin(self.finish(self.questions(facts, Some((&[text], request))), Duration::MAX))
    }

    /// What each limit did so far, in the order in which they were given.
    #[must_use]
    pub fn figures(&self) -> Vec<LimitFigures> {
        let of = |bound: &Bound| LimitFigures {
            limit: bound.rule.name().to_owned(),
            admitted: bound.counts.admitted.load(Relaxed),
            refused: bound.counts.refused.load(Relaxed),
            shadow: bound.counts.shadow.load(Relaxed),
            covered: bound.counts.covered.load(Relaxed),
            unanswered: bound.counts.unanswered.load(Relaxed),
        };
        self.shared.limits.iter().map(of).collect()
    }

    pub(crate) fn questions(&self, facts: &impl Facts, told: Option<(&[&str], &str)>) -> Vec<Question> {
        self.shared.questions(facts, told)
    }

    /// Who would have to be held back for longer than `patience` is refused.
    pub(crate) fn finish(
        &self,
        questions: Vec<Question>,
        patience: Duration,
    ) -> impl Future<Output = Verdict> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.decide(&questions, patience).await }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("figures", &self.figures()).finish_non_exhaustive()
    }
}
