//! From configured limits to rules: everything is checked, every problem is told.

use crate::algorithm::{Algorithm, Policy};
use crate::front::{Failure, Terms};
use crate::key::Keys;
use crate::local::MOST_KEYS;
use crate::quota::{QuotaError, Scale};
use crate::rules::tree::{Tree, Value};
use crate::rules::{Compiled, FailurePolicy, Limit, Problem, Quota, Rule, Rules, Source};

/// What limits are compiled for.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Makes the keys; the same in every process that shares a store.
    pub keys: Keys,
    /// Nodes that share the stores, at most: what each node may admit by itself is a share of one in so many.
    pub nodes: u64,
    /// Whether identities are verified, so that limits may be about them.
    pub verifies_identity: bool,
}

/// Classes of one limit, that of all others not counted.
const MOST_CLASSES: usize = 16;

impl Rules {
    /// Checks and compiles limits.
    ///
    /// # Errors
    /// Every problem of every limit.
    pub fn compile(limits: &[Limit], context: &Context) -> Result<Self, Vec<Problem>> {
        Self::compile_each(limits, |_| *context)
    }

    /// The same, where what a limit is compiled for differs: limits of different stores have different keys.
    ///
    /// # Errors
    /// Every problem of every limit.
    pub fn compile_each(limits: &[Limit], context: impl Fn(&Limit) -> Context) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        for (index, limit) in limits.iter().enumerate() {
            if limits[..index].iter().any(|earlier| earlier.name == limit.name) {
                problems.push(Problem::Twice(limit.name.clone()));
            }
            let context = &context(limit);
            check(limit, context, &mut problems);
            let overrides = overrides(limit, &mut problems);
            let mut quotas = vec![limit.algorithm];
            quotas.extend(limit.overrides.iter().filter_map(|one| match one.quota {
                Quota::Limited(algorithm) => Some(algorithm),
                Quota::Unlimited => None,
            }));
            let compiled = quotas.iter().map(|algorithm| quota(limit, algorithm, context));
            match compiled.collect() {
                Ok(quotas) => rules.push(rule(limit, context, quotas, overrides)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self { rules }) } else { Err(problems) }
    }
}

fn rule(limit: &Limit, context: &Context, quotas: Vec<Compiled>, overrides: Tree<Option<usize>>) -> Rule {
    Rule {
        name: limit.name.clone(),
        algorithm: limit.algorithm,
        keys: limit.keys,
        store: limit.store.clone(),
        hash: context.keys.of(&limit.name),
        key: limit.key.clone(),
        when: limit.when.clone(),
        cost: limit.cost.clone(),
        enforce: limit.enforce,
        classes: limit.classes.clone(),
        quotas,
        overrides,
    }
}

fn check(limit: &Limit, context: &Context, problems: &mut Vec<Problem>) {
    let name = || limit.name.clone();
    let sources = limit.key.iter().map(|part| &part.source);
    let sources = sources.chain(limit.when.iter().map(|condition| &condition.source));
    let sources = sources.chain(limit.classes.iter().map(|class| &class.when.source));
    let cost = match &limit.cost {
        crate::rules::Cost::Value { source, .. } => Some(source),
        crate::rules::Cost::Constant(_) => None,
    };
    for source in sources.chain(cost) {
        if matches!(source, Source::Identity(_)) && !context.verifies_identity {
            problems.push(Problem::Unverified { limit: name(), source_label: source.label() });
        }
    }
    let reserved = limit.classes.iter().map(|class| u32::from(class.reserved.get())).sum();
    if reserved >= 100 {
        problems.push(Problem::AllReserved { limit: name(), reserved });
    }
    if limit.classes.len() > MOST_CLASSES {
        problems.push(Problem::ManyClasses { limit: name(), given: limit.classes.len() });
    }
    if limit.keys == 0 || limit.keys > MOST_KEYS {
        problems.push(Problem::Keys { limit: name(), most: MOST_KEYS, given: limit.keys });
    }
    let is_bucket = matches!(limit.algorithm, Algorithm::TokenBucket { .. } | Algorithm::LeakyBucket { .. });
    if limit.store.is_some() {
        if matches!(limit.failure, FailurePolicy::LocalShare | FailurePolicy::Reserve(_)) && !is_bucket {
            problems.push(Problem::NoShares(name()));
        }
        if matches!(limit.algorithm, Algorithm::Concurrency(_)) {
            problems.push(Problem::SharedConcurrency(name()));
        }
    }
}

/// Where the overrides lead: to a quota by its number, or to none.
fn overrides(limit: &Limit, problems: &mut Vec<Problem>) -> Tree<Option<usize>> {
    let mut tree = Tree::new();
    let mut quotas = 0;
    for (index, one) in (1..).zip(&limit.overrides) {
        let name = limit.name.clone();
        let quota = match one.quota {
            Quota::Unlimited => None,
            Quota::Limited(algorithm) => {
                if algorithm.kind() != limit.algorithm.kind() {
                    problems.push(Problem::OtherKind { limit: name.clone(), index });
                }
                quotas += 1;
                Some(quotas)
            }
        };
        let (given, wanted) = (one.values.len(), limit.key.len());
        if given != wanted || given == 0 {
            problems.push(Problem::Patterns { limit: name, index, given, wanted });
            continue;
        }
        let level = |(value, part): (&String, &crate::rules::KeyPart)| {
            let value = if value == "*" { Value::Any } else { Value::Pattern(value.clone()) };
            (part.source.label(), value)
        };
        let path: Vec<_> = one.values.iter().zip(&limit.key).map(level).collect();
        if tree.insert(&path, quota).is_err() {
            problems.push(Problem::SamePatterns { limit: name, index });
        }
    }
    tree
}

/// A quota for each class: what those before it reserve is left to them.
fn quota(limit: &Limit, algorithm: &Algorithm, context: &Context) -> Result<Compiled, Problem> {
    let wrong = |error: QuotaError| Problem::Quota { limit: limit.name.clone(), error };
    let local = algorithm.compile(Scale::Local).map_err(wrong)?;
    let shared = algorithm.compile(Scale::Shared).map_err(wrong)?;
    let mut compiled = Compiled { algorithm: *algorithm, local: Vec::new(), shared: Vec::new() };
    let (mut left, mut class) = (0_u64, 0);
    for reserved in limit.classes.iter().map(|class| Some(class.reserved)).chain([None]) {
        compiled.local.push(local.leaving(left));
        compiled.shared.push(terms(limit, context, (local, shared), left, class)?);
        left = left.saturating_add(reserved.map_or(0, |reserved| reserved.of(algorithm.holds())));
        class += 1;
    }
    Ok(compiled)
}

fn terms(
    limit: &Limit,
    context: &Context,
    (local, shared): (Policy, Policy),
    left: u64,
    class: u8,
) -> Result<Terms, Problem> {
    // A node counts each class by itself.
    let parts = context.nodes.max(1).saturating_mul(limit.classes.len() as u64 + 1);
    let (kept, failure) = match (limit.failure, local, shared) {
        (FailurePolicy::Open, ..) => (shared, Failure::Open),
        (FailurePolicy::LocalShare, Policy::Bucket(local), _) => (shared, Failure::Local(local.share(1, parts))),
        (FailurePolicy::Reserve(part), Policy::Bucket(local), Policy::Bucket(bucket)) => {
            let (kept, failure) = Failure::reserve(bucket, local, u64::from(part.get()), parts);
            (Policy::Bucket(kept), failure)
        }
        (FailurePolicy::Closed | FailurePolicy::LocalShare | FailurePolicy::Reserve(_), ..) => {
            (shared, Failure::Closed)
        }
    };
    let Some(age) = limit.lease else { return Ok(Terms::plain(kept.leaving(left), class, failure)) };
    // First the burst is reduced for all classes, then what is left of it is shared out among them.
    let terms = Terms::leased(kept, age, class, failure).leaving(left);
    if terms.has_leases() { Ok(terms) } else { Err(Problem::Lease { limit: limit.name.clone(), age }) }
}
