//! What lasts beyond a config, what operators do, and many requests at once.

use super::{ALICE, ask, echo, header, limit, statuses, with};
use crate::rig::{ECHO, route, schema, upstream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidegate_gateway::config::{Config, HostPattern, RateLimit, SchemaSource};
use tidegate_gateway::limits::Refused;
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Snapshot};
use tidegate_limit::{Algorithm, Rate};

fn apply(gateway: &Gateway, limits: Vec<RateLimit>) {
    let mut config = Config {
        upstreams: vec![upstream("up", SchemaSource::None)],
        routes: vec![route("test.Echo", HostPattern::Any, "up")],
        ..Config::default()
    };
    with(limits)(&mut config);
    let schemas = Schemas::from([("up".to_owned(), schema(&[("echo.proto", ECHO)]))]);
    let snapshot = Snapshot::compile(config, &schemas, &gateway.telemetry().metrics, 1).expect("the config compiles");
    gateway.apply(snapshot);
}

#[tokio::test(start_paused = true)]
async fn what_was_used_stays_used_when_the_config_changes() {
    let gateway = echo(with(vec![limit("per-user", &[header("x-user")], 2)]));
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 3).await, [200, 200, 429]);
    apply(&gateway, vec![limit("other", &[], 50), limit("per-user", &[header("x-user")], 2)]);
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 1).await, [429]);
    apply(&gateway, vec![limit("per-user", &[header("x-user")], 3)]);
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 2).await, [200, 429], "the new burst is in force at once");
    apply(&gateway, vec![limit("per-user", &[header("x-tenant")], 3)]);
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 1).await, [200], "another key is another budget");
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_a_budget_and_makes_it_whole() {
    let gateway = echo(with(vec![limit("per-user", &[header("x-user")], 2)]));
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 3).await, [200, 200, 429]);
    let snapshot = gateway.snapshot();
    let limited = snapshot.limits.get("per-user").expect("the limit");
    let remaining = async |user: &[u8]| {
        let usage = limited.usage(&[Some(user)]).await.expect("a budget").expect("no store");
        usage.remaining
    };
    assert_eq!((remaining(b"alice").await, remaining(b"bob").await), (0, 2));
    let whole = limited.reset(&[Some(b"alice")]).await.expect("a budget").expect("no store");
    assert_eq!((whole.remaining, remaining(b"alice").await), (2, 2));
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 3).await, [200, 200, 429]);
    assert_eq!(limited.reset(&[]).await, None, "there is no such budget");
    let often = Refused { key: "alice".into(), times: 2, unsure: 0 };
    assert_eq!(limited.counter().top(), [often]);
}

#[test]
fn many_at_once_on_several_threads_never_get_more_than_the_limit() {
    for algorithm in [
        Algorithm::TokenBucket { rate: Rate::new(1, std::time::Duration::from_hours(24)).expect("a rate"), burst: 300 },
        Algorithm::SlidingWindow(Rate::new(300, std::time::Duration::from_hours(24)).expect("a rate")),
        Algorithm::FixedWindow(Rate::new(300, std::time::Duration::from_hours(24)).expect("a rate")),
    ] {
        let gateway =
            echo(with(vec![super::of("all", &[header("x-user")], algorithm), limit("loose", &[], 1_000_000)]));
        let admitted = Arc::new(AtomicU64::new(0));
        let threads = (0..4).map(|_| {
            let (gateway, admitted) = (Arc::clone(&gateway), Arc::clone(&admitted));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    for _ in 0..200 {
                        let status = ask(&gateway, "GET /things/7", ALICE).await.status;
                        assert!(matches!(status, 200 | 429), "{status}");
                        admitted.fetch_add(u64::from(status == 200), Ordering::Relaxed);
                    }
                });
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread ends well"));
        assert_eq!(admitted.load(Ordering::Relaxed), 300, "{algorithm:?}");
    }
}
