use super::{Pools, Upstreams};
use crate::config::{Config, Schema, Upstream, limits};
use crate::gateway::Instruments;
use crate::snapshot::{Schemas, Snapshot};
use std::ops::Deref;
use std::sync::Arc;
use tidegate_telemetry::metrics::Metrics;
use tidegate_upstream::Endpoint;

fn upstream(name: &str, port: u16) -> Upstream {
    Upstream {
        name: name.into(),
        pool: tidegate_upstream::Config::new(name, vec![Endpoint { host: "127.0.0.1".into(), port }]),
        replies: limits::Replies::default(),
        protection: crate::config::Protection::default(),
        schema: Schema::default(),
        place: crate::config::Place::default(),
    }
}

fn snapshot(metrics: &Metrics, upstreams: &[(&str, u16)]) -> Snapshot {
    let upstreams = upstreams.iter().map(|(name, port)| upstream(name, *port)).collect();
    Snapshot::compile(Config { upstreams, ..Config::default() }, &Schemas::new(), metrics, 1).expect("no routes")
}

/// Where a pool lives: the same for the same pool.
fn at(pools: &Pools, snapshot: &Snapshot, index: usize) -> usize {
    let pool = pools.get(snapshot, index);
    std::ptr::from_ref(pool.deref()).addr()
}

#[test]
fn an_upstream_that_stays_the_same_keeps_its_pool_wherever_it_stands() {
    let metrics = Arc::new(Metrics::new("0", 1));
    let old = snapshot(&metrics, &[("a", 1), ("b", 1)]);
    let mut new = snapshot(&metrics, &[("c", 1), ("b", 1), ("a", 2)]);
    new.take_over(Some(&old), &metrics);
    let pools = Pools::new(&old, &Instruments { metrics });
    let (a, b) = (at(&pools, &old, 0), at(&pools, &old, 1));
    assert_eq!(at(&pools, &new, 1), b);
    assert_ne!(at(&pools, &new, 2), a, "it has another endpoint");
    assert_eq!((at(&pools, &old, 0), at(&pools, &old, 1)), (a, b), "whoever has the old config has its pools");
}

#[test]
fn pools_of_a_config_that_nobody_has_are_let_go_and_their_figures_disappear() {
    let metrics = Arc::new(Metrics::new("0", 1));
    let (old, mut new) = (snapshot(&metrics, &[("a", 1), ("b", 1)]), snapshot(&metrics, &[("b", 1)]));
    new.take_over(Some(&old), &metrics);
    let pools = Pools::new(&old, &Instruments { metrics: Arc::clone(&metrics) });
    pools.take_on(&new);
    let shown = || {
        let mut text = String::new();
        metrics.encode(&mut text).expect("text");
        ["a", "b"].map(|name| text.contains(&format!("tidegate_upstream_requests_total{{upstream=\"{name}\"}}")))
    };
    assert_eq!((pools.sweep(), shown()), (true, [true, true]));
    drop(old);
    assert_eq!((pools.sweep(), shown()), (false, [false, true]));
}
