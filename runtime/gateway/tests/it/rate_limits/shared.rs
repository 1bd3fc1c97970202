//! Limits that gateways share, before a store that says what the test wants. In virtual time.

use super::{ALICE, ask, ask_as, echo, figures, header, limit, names, native, of, peer, statuses, with};
use crate::rig::{ECHO, schema};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::{Config, Listener, Place, RateLimit};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Sinks, Snapshot, Stores};
use tidegate_limit::front::{By, Outcome, Terms};
use tidegate_limit::ports::{Asked, Looking, SharedLimits, Standing, StoreError};
use tidegate_limit::{Algorithm, Ask, Decision, Key, Policy, Rate, Receipt, Retry};

/// What it is to say next, and how.
#[derive(Clone, Copy, Debug)]
enum Says {
    /// At once.
    Known(Outcome),
    /// After a while.
    Later(Outcome),
    Never,
}

/// A store that follows a script, and keeps what it was told.
#[derive(Debug, Default)]
struct Scripted {
    script: Mutex<VecDeque<Says>>,
    asked: Mutex<Vec<u64>>,
    back: Mutex<Vec<u64>>,
}

impl SharedLimits for Scripted {
    fn ask(&self, _: Key, _: &Terms, ask: Ask) -> Asked {
        self.asked.lock().push(ask.cost);
        match self.script.lock().pop_front().expect("the script goes on") {
            Says::Known(outcome) => Asked::Answered(outcome),
            Says::Later(outcome) => Asked::Waits(Box::pin(async move {
                tokio::task::yield_now().await;
                Some(outcome)
            })),
            Says::Never => Asked::Waits(Box::pin(pending())),
        }
    }

    fn give_back(&self, _: Key, _: &Terms, outcome: &Outcome) {
        self.back.lock().push(outcome.decision.receipt.cost);
    }

    fn look(&self, _: Key, _: &Policy) -> Looking {
        Box::pin(async { Err(StoreError::Unreachable) })
    }

    fn reset(&self, _: Key, _: &Policy) -> Looking {
        Box::pin(async { Err(StoreError::Unreachable) })
    }

    fn standing(&self) -> Standing {
        Standing::default()
    }
}

fn yes(cost: u64, by: By) -> Outcome {
    let receipt = Receipt { cost, at: 1, worth: cost, era: 0, shared: false };
    outcome(cost, cost, Retry::Now, receipt, by)
}

fn no(retry: Retry, by: By) -> Outcome {
    outcome(1, 0, retry, Receipt::default(), by)
}

fn outcome(asked: u64, granted: u64, retry: Retry, receipt: Receipt, by: By) -> Outcome {
    let (remaining, reset) = (granted * 7, Duration::from_secs(2));
    Outcome { decision: Decision { asked, granted, remaining, retry, reset, wait: Duration::ZERO, receipt }, by }
}

fn after(seconds: u64) -> Retry {
    Retry::After(Duration::from_secs(seconds))
}

/// The same limit in the store.
fn in_store(mut limit: RateLimit) -> RateLimit {
    limit.limit.store = Some("redis".into());
    limit
}

fn connect(gateway: &Arc<Gateway>, script: &[Says]) -> Arc<Scripted> {
    let store = Arc::new(Scripted::default());
    store.script.lock().extend(script);
    let config = Config::clone(&gateway.snapshot().config);
    let schemas = Schemas::from([("up".to_owned(), schema(&[("echo.proto", ECHO)]))]);
    let snapshot = Snapshot::compile(config, &schemas, &gateway.telemetry().metrics, 1).expect("the config compiles");
    let stores = Stores::from([("redis".to_owned(), (Arc::clone(&store) as Arc<dyn SharedLimits>).into())]);
    gateway.apply_with(snapshot, Some(Sinks { stores, ..Sinks::default() }));
    store
}

fn taken(list: &Mutex<Vec<u64>>) -> Vec<u64> {
    std::mem::take(&mut list.lock())
}

const LINE: &str = "GET /things/7";

#[tokio::test(start_paused = true)]
async fn what_the_store_says_is_told() {
    let mut one = in_store(limit("one", &[header("x-user")], 9));
    one.headers = tidegate_gateway::config::Tells::Always;
    let gateway = echo(with(vec![one]));
    let script = [Says::Known(yes(1, By::Lease)), Says::Later(yes(1, By::Store)), Says::Later(no(after(5), By::Store))];
    let store = connect(&gateway, &script);
    let mut told = Vec::new();
    for _ in 0..3 {
        let seen = ask(&gateway, LINE, ALICE).await;
        told.push((seen.status, seen.headers["ratelimit"].to_str().expect("text").to_owned()));
    }
    let line = |r: u64, t: u64| format!("\"one\";r={r};t={t}");
    assert_eq!(told, [(200, line(7, 2)), (200, line(7, 2)), (429, line(0, 5))]);
    assert_eq!((taken(&store.asked), taken(&store.back)), (vec![1, 1, 1], vec![]));
    assert_eq!(figures(&gateway), ["admitted_total{limit=\"one\"} 2", "refused_total{limit=\"one\"} 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_cannot_be_asked_is_no_limit_that_is_reached() {
    let gateway = echo(with(vec![in_store(limit("one", &[], 9))]));
    let seen = ask(&gateway, LINE, &[]).await;
    let message = "the limit `one` cannot be asked: its store `redis` does not answer";
    assert_eq!((seen.status, seen.body.as_str()), (503, &*format!(r#"{{"code":14,"message":"{message}"}}"#)));
    assert_eq!((&seen.headers["retry-after"], seen.headers.get("ratelimit")), (&"1".parse().expect("a value"), None));
    assert_eq!(native(&gateway, "identity", Bytes::new()).await, Some(Bytes::from_static(b"14")));
    assert_eq!(figures(&gateway), ["unanswered_total{limit=\"one\"} 2"]);
    let store = connect(&gateway, &[Says::Known(yes(1, By::Failure)), Says::Known(no(Retry::OnRelease, By::Failure))]);
    assert_eq!(statuses(&gateway, LINE, &[], 2).await, [200, 503]);
    assert_eq!(taken(&store.asked), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn all_are_charged_or_none_whoever_counts_them() {
    let gateway =
        echo(with(vec![in_store(limit("first", &[], 9)), limit("own", &[], 2), in_store(limit("last", &[], 9))]));
    let refused = Says::Later(no(after(1), By::Store));
    let store = connect(
        &gateway,
        &[
            Says::Later(yes(1, By::Store)),
            refused,
            Says::Known(no(after(1), By::Refusal)),
            Says::Known(yes(1, By::Lease)),
            Says::Later(yes(1, By::Store)),
            Says::Later(yes(1, By::Store)),
            Says::Later(yes(1, By::Store)),
        ],
    );
    assert_eq!(statuses(&gateway, LINE, &[], 1).await, [429]);
    assert_eq!((taken(&store.asked).len(), taken(&store.back)), (2, vec![1]), "what the first took goes back");
    assert_eq!(statuses(&gateway, LINE, &[], 1).await, [429]);
    assert_eq!((taken(&store.asked).len(), taken(&store.back)), (1, vec![]), "the last is not even asked");
    assert_eq!(statuses(&gateway, LINE, &[], 2).await, [200, 200], "nothing was taken of `own`");
    assert_eq!(taken(&store.asked).len(), 4);
    assert_eq!(statuses(&gateway, LINE, &[], 1).await, [429]);
    assert_eq!(taken(&store.asked).len(), 0, "what this process refuses is no question");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_store_beyond_its_deadline() {
    let gateway = echo(|config| {
        with(vec![limit("own", &[], 1), in_store(limit("one", &[], 9))])(config);
        config.routes[0].timeout = Some(Duration::from_millis(50));
    });
    let store = connect(&gateway, &[Says::Never, Says::Later(yes(1, By::Store))]);
    let seen = ask(&gateway, LINE, &[]).await;
    assert_eq!(seen.status, 504);
    assert!(seen.body.contains("the deadline passed before the limit `one` answered"), "{}", seen.body);
    assert_eq!(statuses(&gateway, LINE, &[], 1).await, [200], "`own` got back what it gave");
    assert!(taken(&store.back).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_comes_too_late_costs_nothing() {
    let queue = Algorithm::LeakyBucket { rate: Rate::per_second(1), queue: 9 };
    let gateway = echo(|config| {
        with(vec![in_store(of("turns", &[], queue))])(config);
        config.routes[0].timeout = Some(Duration::from_secs(1));
    });
    let turn = |seconds| {
        let mut outcome = yes(1, By::Store);
        outcome.decision.wait = Duration::from_secs(seconds);
        Says::Later(outcome)
    };
    let store = connect(&gateway, &[turn(0), turn(4)]);
    assert_eq!(ask(&gateway, LINE, &[]).await.status, 200);
    let late = ask(&gateway, LINE, &[]).await;
    assert_eq!((late.status, &late.headers["retry-after"]), (429, &"4".parse().expect("a value")));
    assert_eq!(taken(&store.back), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_s_limit_gives_back_what_a_route_s_refuses() {
    let bind: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
    let gateway = echo(|config| {
        let mut listener = Listener::new(bind, Place::default());
        listener.rate_limits = names(&["edge"]);
        config.listeners.push(listener);
        with(vec![limit("own", &[], 1)])(config);
        let mut edge = in_store(limit("edge", &[], 9));
        edge.gives_back = true;
        config.rate_limits.insert(0, edge);
    });
    let store = connect(&gateway, &[Says::Later(yes(1, By::Store)), Says::Later(yes(1, By::Store))]);
    let client = peer("192.0.2.1:1").by_listener(bind);
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push((ask_as(&gateway, &client, LINE, &[]).await.status, taken(&store.back)));
    }
    assert_eq!(seen, [(200, vec![]), (429, vec![1])]);
}
