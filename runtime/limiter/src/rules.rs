//! The rules, ready to be asked: which limit a list of descriptors has, and whose budget it is.
//!
//! Follows envoyproxy/ratelimit: at each level an exact value goes before patterns, patterns go in the order of the
//! file, a key without a value comes last; what a level chose is not taken back, and the list must end where the limit
//! stands.

mod pattern;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;
use tidegate_limit::front::{Failure, Terms};
use tidegate_limit::gcra::Gcra;
use tidegate_limit::{Key, Keys, KeysOfLimit, Policy, Rate, Scale, fixed, window};

use crate::config::{Algorithm, Config, Descriptor, Domain, Quota, Unit};
use crate::counts::Tally;
use pattern::Pattern;

/// What the series of limits that calls bring along are called.
const OVERRIDDEN: &str = "(override)";

/// By domain and path.
pub(crate) type Tallies = HashMap<(Box<str>, Box<str>), Arc<Tally>>;

/// All domains.
#[derive(Debug)]
pub(crate) struct Rules {
    domains: HashMap<Box<str>, Rule>,
    algorithm: Algorithm,
}

/// A domain.
#[derive(Debug)]
pub(crate) struct Rule {
    keys: KeysOfLimit,
    root: Level,
    overridden: Arc<Tally>,
}

/// By key.
type Level = HashMap<Box<str>, Choices>;

#[derive(Debug, Default)]
struct Choices {
    exact: HashMap<Box<str>, Node>,
    patterns: Vec<(Pattern, Node)>,
    any: Option<Node>,
}

#[derive(Debug)]
struct Node {
    limit: Option<Arc<Limit>>,
    below: Level,
    shares: bool,
    tells_value: bool,
}

/// A limit of the rules.
#[derive(Debug)]
pub(crate) struct Limit {
    /// `None`: as many as they like.
    pub(crate) counted: Option<Arc<Counted>>,
    pub(crate) name: Box<str>,
    pub(crate) replaces: Box<[Box<str>]>,
    pub(crate) shadow: bool,
    pub(crate) quota_mode: bool,
    tells_all: bool,
    tells_some: bool,
    tally: Arc<Tally>,
}

/// A quota, compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) quota: Quota,
    pub(crate) place: Place,
    pub(crate) local: Policy,
    pub(crate) terms: Terms,
}

/// Which table of this process has its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Bucket,
    Window(Unit),
    Fixed(Unit),
}

/// What a list of descriptors leads to.
#[derive(Debug)]
pub(crate) struct Found<'r> {
    pub(crate) limit: &'r Arc<Limit>,
    pub(crate) key: Key,
    pub(crate) tally: Arc<Tally>,
}

/// What was chosen at a level.
#[derive(Clone, Copy)]
struct Step<'r> {
    node: &'r Node,
    pattern: Option<&'r str>,
    exact: bool,
}

impl Rules {
    /// Compiles rules; those that are also among `known` go on counting there.
    pub(crate) fn compile(config: &Config, keys: &Keys, known: &Tallies) -> (Self, Tallies) {
        let mut compiler = Compiler { algorithm: config.algorithm, known, tallies: Tallies::new(), domain: "" };
        let domains = config.domains.iter().map(|domain| (domain.name.as_str().into(), compiler.domain(domain, keys)));
        let domains = domains.collect();
        (Self { domains, algorithm: config.algorithm }, compiler.tallies)
    }

    pub(crate) fn domain(&self, name: &str) -> Option<&Rule> {
        self.domains.get(name)
    }

    /// What a call brings along instead of what the rules say.
    pub(crate) fn overridden(&self, quota: Quota) -> Counted {
        Counted::new(quota, self.algorithm)
    }
}

impl Rule {
    /// The limit of a list of keys and values.
    pub(crate) fn find(&self, entries: &[(&str, &str)]) -> Option<Found<'_>> {
        let mut steps: SmallVec<[Step<'_>; 4]> = SmallVec::new();
        let mut level = &self.root;
        for (index, (key, value)) in entries.iter().enumerate() {
            let step = level.get(*key)?.choose(value)?;
            let is_last = index + 1 == entries.len();
            if step.node.below.is_empty() && !is_last {
                return None;
            }
            level = &step.node.below;
            steps.push(step);
        }
        let limit = steps.last()?.node.limit.as_ref()?;
        let key = self.key(limit.counted.as_deref(), entries, &steps);
        let tally = match limit.tells_all || limit.tells_some {
            true => limit.tally.of_values(&path_of(limit, entries, &steps)),
            false => Arc::clone(&limit.tally),
        };
        Some(Found { limit, key, tally })
    }

    /// The budget of a limit that a call brings along.
    pub(crate) fn overridden(&self, counted: &Counted, entries: &[(&str, &str)]) -> (Key, Arc<Tally>) {
        (self.key(Some(counted), entries, &[]), Arc::clone(&self.overridden))
    }

    /// The key of a budget: a unit and the entries. Other units are other budgets, for their states have nothing in
    /// common.
    fn key(&self, counted: Option<&Counted>, entries: &[(&str, &str)], steps: &[Step<'_>]) -> Key {
        let mut builder = self.keys.start();
        if let Some(counted) = counted {
            builder = builder.with(&counted.place.mark());
        }
        for (index, (key, value)) in entries.iter().enumerate() {
            builder = builder.with(key.as_bytes());
            builder = match steps.get(index).and_then(|step| step.pattern.filter(|_| step.node.shares)) {
                Some(pattern) => builder.without().with(pattern.as_bytes()),
                None => builder.with(value.as_bytes()),
            };
        }
        builder.key()
    }
}

/// The name under which something is counted whose values are told.
fn path_of(limit: &Limit, entries: &[(&str, &str)], steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    for ((key, value), step) in entries.iter().zip(steps) {
        let shared = step.pattern.filter(|_| step.node.shares);
        let told = match shared.or(step.pattern) {
            Some(pattern) if shared.is_some() || !(limit.tells_all || step.node.tells_value) => pattern,
            None if !(limit.tells_all || step.node.tells_value || step.exact) => "",
            _ => value,
        };
        add_step(&mut path, key, told);
    }
    path
}

fn add_step(path: &mut String, key: &str, value: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
    if !value.is_empty() {
        path.push('_');
        path.push_str(value);
    }
}

impl Choices {
    fn choose(&self, value: &str) -> Option<Step<'_>> {
        if let Some(node) = self.exact.get(value) {
            return Some(Step { node, pattern: None, exact: true });
        }
        let fits = self.patterns.iter().find(|(pattern, _)| pattern.fits(value));
        if let Some((pattern, node)) = fits {
            return Some(Step { node, pattern: Some(pattern.text()), exact: false });
        }
        self.any.as_ref().map(|node| Step { node, pattern: None, exact: false })
    }
}

// === compiling ===

struct Compiler<'c> {
    algorithm: Algorithm,
    known: &'c Tallies,
    tallies: Tallies,
    domain: &'c str,
}

impl<'c> Compiler<'c> {
    fn domain(&mut self, domain: &'c Domain, keys: &Keys) -> Rule {
        self.domain = &domain.name;
        let root = self.level("", &domain.descriptors, false);
        let overridden = self.tally(OVERRIDDEN);
        Rule { keys: keys.of(&format!("rls:{}", domain.name)), root, overridden }
    }

    fn level(&mut self, above: &str, descriptors: &[Descriptor], tells_above: bool) -> Level {
        let mut level = Level::new();
        for descriptor in descriptors {
            let node = self.node(above, descriptor, tells_above);
            let choices = level.entry(descriptor.key.as_str().into()).or_default();
            match descriptor.value.as_str() {
                "" => choices.any = Some(node),
                value if value.contains('*') => choices.patterns.push((Pattern::new(value), node)),
                value => drop(choices.exact.insert(value.into(), node)),
            }
        }
        level
    }

    fn node(&mut self, above: &str, descriptor: &Descriptor, tells_above: bool) -> Node {
        let mut path = above.to_owned();
        add_step(&mut path, &descriptor.key, &descriptor.value);
        let tells_some = tells_above || descriptor.value_to_metric;
        let limit = descriptor.limit.as_ref().map(|limit| {
            let tally = self.tally(&path);
            let counted = limit.quota.map(|quota| Arc::new(Counted::new(quota, self.algorithm)));
            Arc::new(Limit {
                counted,
                name: limit.name.as_str().into(),
                replaces: limit.replaces.iter().map(|name| name.as_str().into()).collect(),
                shadow: descriptor.shadow,
                quota_mode: descriptor.quota,
                tells_all: descriptor.detailed_metric,
                tells_some,
                tally,
            })
        });
        Node {
            limit,
            below: self.level(&path, &descriptor.descriptors, tells_some),
            shares: descriptor.share_threshold,
            tells_value: descriptor.value_to_metric,
        }
    }

    fn tally(&mut self, path: &str) -> Arc<Tally> {
        let place = (self.domain.into(), path.into());
        let tally = self.known.get(&place).map(Arc::clone).unwrap_or_default();
        self.tallies.insert(place, Arc::clone(&tally));
        tally
    }
}

impl Counted {
    /// The quota under an algorithm. A window that has no room for as many as it wants is fixed.
    fn new(quota: Quota, algorithm: Algorithm) -> Self {
        let count = u64::from(quota.requests_per_unit);
        let algorithm = match algorithm {
            Algorithm::SlidingWindow if count > window::MOST => Algorithm::FixedWindow,
            algorithm => algorithm,
        };
        let place = match algorithm {
            Algorithm::TokenBucket => Place::Bucket,
            Algorithm::SlidingWindow => Place::Window(quota.unit),
            Algorithm::FixedWindow => Place::Fixed(quota.unit),
        };
        let policy = |scale| {
            // No unit is longer than a rate's period may be.
            let rate = Rate::new(count, quota.unit.length()).unwrap_or(Rate::per_second(0));
            let bucket = || Policy::Bucket(Gcra::saturating(rate, count, scale));
            match algorithm {
                Algorithm::TokenBucket => bucket(),
                Algorithm::SlidingWindow => window::Window::new(rate, scale).map_or_else(|_| bucket(), Policy::Window),
                Algorithm::FixedWindow => fixed::Fixed::new(rate, scale).map_or_else(|_| bucket(), Policy::Fixed),
            }
        };
        // What happens without the store is not up to a single limit.
        let terms = Terms::plain(policy(Scale::Shared), 0, Failure::Closed);
        Self { quota, place, local: policy(Scale::Local), terms }
    }
}

impl Place {
    const fn mark(self) -> [u8; 2] {
        #[expect(clippy::cast_possible_truncation, reason = "there are seven units")]
        match self {
            Self::Bucket => [b'b', 0],
            Self::Window(unit) => [b'w', unit.number() as u8],
            Self::Fixed(unit) => [b'f', unit.number() as u8],
        }
    }
}
