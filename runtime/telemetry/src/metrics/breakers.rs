//! What circuit breakers do.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{family, living::Living};

/// A breaker that can say what it does. Implemented by whoever asks it.
pub trait Breaker: fmt::Debug + Send + Sync + 'static {
    /// The route and the upstream whose calls it judges. No two that live long have the same.
    fn labels(&self) -> (&str, &str);

    /// The figures of this moment.
    fn figures(&self) -> Figures;
}

/// What a breaker does. Counts only grow while the process lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Its state, in a word.
    pub state: &'static str,
    /// Calls that it did not let pass.
    pub refused: u64,
    /// How often it came into each state, by its word.
    pub entered: Vec<(&'static str, u64)>,
    /// How often something else answered in place of a call, by its word.
    pub fallbacks: Vec<(&'static str, u64)>,
    /// Of one that has a breaker for each key.
    pub keys: Option<KeyFigures>,
}

/// The keys of a breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFigures {
    /// How many of them are in each state, by its word.
    pub states: Vec<(&'static str, u64)>,
    /// How many may have a breaker of their own.
    pub most: u64,
}

/// The breakers of the process.
#[derive(Debug, Default)]
pub(super) struct Breakers(Living<dyn Breaker>);

impl Breakers {
    pub(super) fn register<B: Breaker>(&self, breaker: &Arc<B>) {
        let new: Weak<B> = Arc::downgrade(breaker);
        self.0.replace(new, |known| known.labels() == breaker.labels());
    }
}

impl Collector for Breakers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let breakers = self.0.all();
        let all: Vec<_> = breakers.iter().map(|breaker| (breaker.labels(), breaker.figures())).collect();
        let states = all.iter().map(|((route, upstream), figures)| {
            ([("route", *route), ("upstream", *upstream), ("state", figures.state)], 1)
        });
        family::gauges(encoder, ("breaker_state", "1 for the state that a circuit breaker is in."), states)?;
        let refused = all
            .iter()
            .map(|((route, upstream), figures)| ([("route", *route), ("upstream", *upstream)], figures.refused));
        family::counters(encoder, ("breaker_refused", "Calls that a circuit breaker did not let pass."), refused)?;
        let entered = all.iter().flat_map(|((route, upstream), figures)| {
            let labels = |state| [("route", *route), ("upstream", *upstream), ("state", state)];
            figures.entered.iter().map(move |(state, count)| (labels(*state), *count))
        });
        family::counters(encoder, ("breaker_entered", "How often a circuit breaker came into a state."), entered)?;
        let fallbacks = all.iter().flat_map(|((route, upstream), figures)| {
            let labels = |with| [("route", *route), ("upstream", *upstream), ("with", with)];
            figures.fallbacks.iter().map(move |(with, count)| (labels(*with), *count))
        });
        let what = "Calls that a circuit breaker did not let pass, and that something else answered.";
        family::counters(encoder, ("breaker_fallbacks", what), fallbacks)?;
        let keyed = || all.iter().filter_map(|(labels, figures)| Some((labels, figures.keys.as_ref()?)));
        if keyed().next().is_none() {
            return Ok(());
        }
        let keys = keyed().flat_map(|((route, upstream), keys)| {
            let labels = |state| [("route", *route), ("upstream", *upstream), ("state", state)];
            keys.states.iter().map(move |(state, count)| (labels(*state), family::level(*count)))
        });
        family::gauges(encoder, ("breaker_keys", "Keys with a circuit breaker of their own, by its state."), keys)?;
        let most = keyed()
            .map(|((route, upstream), keys)| ([("route", *route), ("upstream", *upstream)], family::level(keys.most)));
        family::gauges(encoder, ("breaker_keys_limit", "How many keys may have a circuit breaker of their own."), most)
    }
}
