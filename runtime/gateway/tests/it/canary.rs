//! Canaries: who goes elsewhere, by REST, native calls and streams, and what plans make of it.

use crate::native::call;
use crate::rig::{ECHO, Scripted, data, framed, request, route, schema, trailers, upstream};
use http::{HeaderName, Request};
use http_body_util::BodyExt;
use std::ops::Deref;
use std::sync::Arc;
use tidegate_gateway::config::{Action, CanaryPlan, CanaryRule, Config, Forward, HostPattern, Place, SchemaSource};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Peer, Snapshot, Telemetry, Upstreams, pipeline};
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::plan::{Command, Decision, Phase, Plan};
use tidegate_traffic::ports::{Over, Posted, Seen};
use tidegate_traffic::together::Then;
use tidegate_traffic::{Rule, Share, Split, SplitKey, ValueMatch};

/// The upstreams of the config, in its order.
struct Both([Scripted; 2]);

impl Upstreams for Both {
    type Call = Scripted;

    fn get(&self, _snapshot: &Snapshot, index: usize) -> impl Deref<Target = Scripted> {
        &self.0[index]
    }
}

impl Both {
    fn new(next: Scripted) -> Self {
        Self([good(), next])
    }

    /// Which of them was called since this was asked last.
    fn called(&self) -> Vec<&'static str> {
        let called = |(name, up): (&'static str, &Scripted)| up.seen.lock().take().map(|_| name);
        ["stable", "next"].into_iter().zip(&self.0).filter_map(called).collect()
    }
}

fn good() -> Scripted {
    Scripted::new(vec![data(&[8, 7]), trailers(&[("grpc-status", "0")])])
}

fn bad() -> Scripted {
    Scripted::new(vec![trailers(&[("grpc-status", "13"), ("grpc-message", "broken")])])
}

fn rule(name: &str, rule: Rule, plan: Option<Plan>) -> CanaryRule {
    let plan = plan.map(|plan| CanaryPlan { name: "the-plan".into(), plan });
    CanaryRule { name: name.into(), to: "next".into(), rule, plan, place: Place::default() }
}

fn by_user(below: Option<Share>) -> Rule {
    let key = SplitKey::Header(HeaderName::from_static("x-user-id"));
    Rule { split: Some(Split { key, salt: "next".into() }), below, ..Rule::default() }
}

fn by_version() -> Rule {
    let version = (HeaderName::from_static("x-version"), ValueMatch::Exact("v2".into()));
    Rule { headers: vec![version], ..Rule::default() }
}

fn compile(metrics: &Metrics, rules: Vec<CanaryRule>) -> Snapshot {
    let mut config = Config {
        upstreams: vec![upstream("stable", SchemaSource::None), upstream("next", SchemaSource::None)],
        routes: vec![route("test.Echo", HostPattern::Any, "stable")],
        ..Config::default()
    };
    config.routes[0].canary = rules;
    let schemas = Schemas::from([("stable".to_owned(), schema(&[("echo.proto", ECHO)]))]);
    Snapshot::compile(config, &schemas, metrics, 1).expect("the config compiles")
}

fn gateway(rules: Vec<CanaryRule>) -> Arc<Gateway> {
    let metrics = Arc::new(Metrics::new("0", 1));
    let snapshot = compile(&metrics, rules);
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
}

async fn get(gateway: &Arc<Gateway>, up: &Both, headers: &[(&str, &str)]) -> u16 {
    ask(gateway, up, request("GET /things/7", headers, "")).await
}

async fn ask(gateway: &Arc<Gateway>, up: &Both, request: Request<http_body_util::Full<bytes::Bytes>>) -> u16 {
    let (head, body) = pipeline::handle(gateway, up, request, &Peer::unknown()).await.into_parts();
    body.collect().await.expect("a whole answer");
    head.status.as_u16()
}

/// The lines of the metrics that begin so.
fn metrics(gateway: &Gateway, name: &str) -> Vec<String> {
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("metrics");
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

#[tokio::test]
async fn rest_native_calls_and_streams_go_where_the_rule_says() {
    let gateway = gateway(vec![rule("version", by_version(), None)]);
    let up = Both::new(good());
    let v2 = [("x-version", "v2")];
    assert_eq!((get(&gateway, &up, &[]).await, up.called()), (200, vec!["stable"]));
    assert_eq!((get(&gateway, &up, &v2).await, up.called()), (200, vec!["next"]));
    for line in ["GET /things/7:watch", "POST /things:upload", "POST /things/7:chat"] {
        let body = if line.starts_with("POST") { "[{}]" } else { "" };
        assert_eq!((ask(&gateway, &up, request(line, &v2, body)).await, up.called()), (200, vec!["next"]), "{line}");
        assert_eq!((ask(&gateway, &up, request(line, &[], body)).await, up.called()), (200, vec!["stable"]), "{line}");
    }
    for path in ["/test.Echo/Get", "/test.Echo/Chat"] {
        assert_eq!(native(&gateway, &up, call(path, &v2, framed(0, &[]))).await, ["next"], "{path}");
        assert_eq!(native(&gateway, &up, call(path, &[], framed(0, &[]))).await, ["stable"], "{path}");
    }
    assert_eq!(
        metrics(&gateway, "tidegate_canary_requests_total"),
        [
            r#"tidegate_canary_requests_total{route="test.Echo",rule="version",upstream="next"} 6"#,
            r#"tidegate_canary_requests_total{route="test.Echo",rule="(none)",upstream="stable"} 6"#,
        ]
    );
}

async fn native(
    gateway: &Arc<Gateway>,
    up: &Both,
    request: Request<http_body_util::Full<bytes::Bytes>>,
) -> Vec<&'static str> {
    assert_eq!(ask(gateway, up, request).await, 200);
    up.called()
}

#[tokio::test]
async fn plain_requests_go_where_the_rule_says_in_the_form_that_was_matched() {
    let metrics = Arc::new(Metrics::new("0", 1));
    let mut config = Config {
        upstreams: vec![upstream("stable", SchemaSource::None), upstream("next", SchemaSource::None)],
        ..Config::default()
    };
    let forward = Forward { upstream: "stable".into(), ..Forward::default() };
    let mut plain = crate::plain::route("/assets/*", Action::Forward(forward));
    plain.canary = vec![rule("version", by_version(), None)];
    plain.conditions.methods = vec![http::Method::GET];
    config.plain.push(plain);
    let snapshot = Snapshot::compile(config, &Schemas::new(), &metrics, 1).expect("the config compiles");
    let gateway = Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }));
    let up = Both::new(good());
    let v2 = ("x-version", "v2");
    for (path, headers, status, called, asked) in [
        ("/assets/a", &[][..], 200, &["stable"][..], Some("/assets/a")),
        ("/assets/a", &[v2], 200, &["next"], Some("/assets/a")),
        ("/x/../assets//%61?q=%2F", &[v2], 200, &["next"], Some("/assets/a?q=%2F")),
        ("/assets/a%2Fb", &[v2], 400, &[], None),
        ("/assets/..;/b", &[v2], 400, &[], None),
        ("/assets", &[v2], 404, &[], None),
    ] {
        assert_eq!(ask(&gateway, &up, request(&format!("GET {path}"), headers, "")).await, status, "{path}");
        let seen = up.0.iter().find_map(|up| up.seen.lock().as_ref().map(|(head, _)| head.uri.clone()));
        assert_eq!(seen.as_ref().and_then(|uri| uri.path_and_query()).map(|path| path.as_str()), asked, "{path}");
        assert_eq!(up.called(), called, "{path}");
    }
    assert_eq!(ask(&gateway, &up, request("DELETE /assets/a", &[v2], "")).await, 405);
    let spoofed = request("GET /assets/a", &[("x_version", "v2")], "");
    assert_eq!((ask(&gateway, &up, spoofed).await, up.called()), (400, vec![]));
}

#[tokio::test]
async fn the_same_user_is_always_on_the_same_side() {
    let gateway = gateway(vec![rule("users", by_user(Some(Share::percent(50))), None)]);
    let up = Both::new(good());
    let split = by_user(None).split.expect("a split");
    for user in 0..50 {
        let user = format!("user-{user}");
        let want = if Share::percent(50).takes(split.place_of(user.as_bytes())) { "next" } else { "stable" };
        for _ in 0..2 {
            assert_eq!((get(&gateway, &up, &[("x-user-id", &user)]).await, up.called()), (200, vec![want]), "{user}");
        }
    }
    assert_eq!((get(&gateway, &up, &[]).await, up.called()), (200, vec!["stable"]));
}

#[tokio::test]
async fn a_rule_for_trusted_peers_takes_no_other() {
    let rules = vec![rule("region", Rule { trusted_only: true, ..by_version() }, None)];
    let up = Both::new(good());
    assert_eq!((get(&gateway(rules), &up, &[("x-version", "v2")]).await, up.called()), (200, vec!["stable"]));
}

fn plan(steps: &[u32]) -> Plan {
    let mut plan = Plan::new(steps.iter().copied().map(Share::percent).collect()).expect("steps");
    plan.min_samples = 20;
    plan
}

#[tokio::test]
async fn a_plan_rolls_a_failing_version_back_by_itself() {
    let gateway = gateway(vec![rule("users", by_user(None), Some(plan(&[50, 100])))]);
    let up = Both::new(bad());
    let mut failed = 0;
    for user in 0..40 {
        failed += u32::from(get(&gateway, &up, &[("x-user-id", &user.to_string())]).await == 500);
    }
    assert!((5..35).contains(&failed), "{failed} of 40");
    let [walk] = &gateway.canaries()[..] else { panic!("one plan") };
    assert_eq!(walk.share(), Share::percent(50));
    gateway.walk_canaries();
    let report = walk.report();
    assert_eq!((report.phase, report.share), (Phase::RolledBack, Share::NONE));
    assert_eq!(report.standing, format!("{failed} of {failed} calls failed, more than 1%"));
    assert_eq!((report.canary.calls, report.canary.errors), (failed.into(), failed.into()));
    assert_eq!((report.stable.calls, report.stable.errors), (u64::from(40 - failed), 0));
    assert!(matches!(&report.decisions[..], [decided] if matches!(decided.decision, Decision::RolledBack { .. })));
    up.called();
    for user in 0..40 {
        assert_eq!(get(&gateway, &up, &[("x-user-id", &user.to_string())]).await, 200);
        assert_eq!(up.called(), ["stable"]);
    }
    assert_eq!(
        metrics(&gateway, "tidegate_canary_plan_phase")
            .into_iter()
            .chain(metrics(&gateway, "tidegate_canary_plan_decisions_total"))
            .chain(metrics(&gateway, "tidegate_canary_plan_share"))
            .collect::<Vec<_>>(),
        [
            r#"tidegate_canary_plan_phase{plan="the-plan",phase="rolled_back"} 1"#,
            r#"tidegate_canary_plan_decisions_total{plan="the-plan",decision="rolled_back"} 1"#,
            r#"tidegate_canary_plan_share{plan="the-plan"} 0.0"#,
        ]
    );
}

#[tokio::test]
async fn a_gateway_that_is_cut_off_sends_a_failing_version_nothing_and_the_plan_stays_where_it_is() {
    let gateway = gateway(vec![rule("users", by_user(None), Some(plan(&[50, 100])))]);
    let up = Both::new(bad());
    let [walk] = &gateway.canaries()[..] else { panic!("one plan") };
    let walking = walk.state();
    let statuses = async || {
        let mut statuses = Vec::new();
        for user in 0..40 {
            statuses.push(get(&gateway, &up, &[("x-user-id", &user.to_string())]).await);
        }
        statuses
    };
    let failed = statuses().await.iter().filter(|status| **status == 500).count();
    walk.cut_off();
    assert_eq!((walk.share(), walk.state()), (Share::NONE, walking.clone()));
    let report = walk.report();
    let standing = format!(
        "halted here, as the other gateways could not be reached: {failed} of {failed} calls failed, more than 1%"
    );
    assert_eq!((report.phase, report.share, report.standing), (Phase::Walking, Share::NONE, standing));
    assert_eq!(metrics(&gateway, "tidegate_canary_plan_share"), [r#"tidegate_canary_plan_share{plan="the-plan"} 0.0"#]);
    assert_eq!(statuses().await, [200; 40]);

    // The others are there again: it tells what it saw, and the one that decides lets it go on.
    let posted = |version| Posted { state: walking.clone(), version, by: "leads".into() };
    let seen = |version| Seen { leader: "leads".into(), posted: Some(posted(version)), ..Seen::default() };
    let Then::Tell(told) = walk.round(&seen(3)).then else { panic!("it has something to tell") };
    assert_eq!((told.canary.calls, told.canary.errors), (failed as u64, failed as u64));
    assert_eq!((told.stable.calls, told.stable.errors), (80 - failed as u64, 0));
    assert_eq!(walk.share(), Share::NONE);
    assert_eq!(walk.round(&seen(4)).then, Then::Nothing);
    assert_eq!(walk.share(), Share::percent(50));

    // Once more, and now it decides itself.
    statuses().await;
    walk.cut_off();
    assert_eq!(walk.share(), Share::NONE);
    let leads = Seen { tenure: Some(1), ..seen(4) };
    let Then::Write(writing) = walk.round(&leads).then else { panic!("it decides") };
    assert_eq!(writing.over, Over { version: 4, tenure: Some(1), counted: Vec::new() });
    walk.adopt(writing.state, writing.decision);
    assert_eq!((walk.report().phase, walk.share()), (Phase::RolledBack, Share::NONE));
}

#[tokio::test]
async fn what_clients_do_wrong_is_not_the_versions_fault() {
    let gateway = gateway(vec![rule("users", by_user(None), Some(plan(&[100])))]);
    let denied = Scripted::new(vec![trailers(&[("grpc-status", "5")])]);
    let up = Both::new(denied);
    for user in 0..40 {
        assert_eq!(get(&gateway, &up, &[("x-user-id", &user.to_string())]).await, 404);
        // Refused before any call: counts for nobody.
        let broken = request("PUT /things/7", &[("x-user-id", "1")], "{");
        assert_eq!(ask(&gateway, &up, broken).await, 400);
    }
    gateway.walk_canaries();
    let report = gateway.canaries()[0].report();
    assert_eq!((report.canary.calls, report.canary.errors, report.phase), (40, 0, Phase::Walking));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_answer_is_at_fault() {
    let mut plan = plan(&[100]);
    plan.min_samples = 500;
    let gateway = gateway(vec![rule("users", by_user(None), Some(plan))]);
    let up = Both::new(Scripted { silent: true, ..good() });
    let user = [("x-user-id", "7")];
    // It may be silent for 300 s.
    assert_eq!(ask(&gateway, &up, request("GET /things/7:watch", &user, "")).await, 504);
    gateway.walk_canaries();
    let report = gateway.canaries()[0].report();
    assert_eq!((report.canary.calls, report.canary.errors), (1, 1));
    // A client that leaves was served that long, and it is nobody's fault.
    let peer = Peer::unknown();
    let left = pipeline::handle(&gateway, &up, request("GET /things/7", &user, ""), &peer);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(5), left).await.is_err());
    gateway.walk_canaries();
    let report = gateway.canaries()[0].report();
    assert_eq!((report.canary.calls, report.canary.errors), (2, 1));
    assert!(report.canary.p99.is_some_and(|p99| (300..=310).contains(&p99.as_secs())), "{report:?}");
}

#[tokio::test]
async fn commands_move_a_plan_and_other_snapshots_of_the_same_plan_go_on_with_it() {
    let rules = || vec![rule("users", by_user(None), Some(plan(&[1, 100])))];
    let gateway = gateway(rules());
    let up = Both::new(good());
    let walk = Arc::clone(&gateway.canaries()[0]);
    let promoted = Decision::Promoted { from: Share::percent(1) };
    assert_eq!(walk.command(Command::Promote), Some(promoted));
    assert_eq!((get(&gateway, &up, &[("x-user-id", "7")]).await, up.called()), (200, vec!["next"]));
    let refused = Decision::Refused { command: Command::Pause, phase: Phase::Promoted };
    assert_eq!(walk.command(Command::Pause), Some(refused));
    // The schema comes anew: the plan is the same.
    let config = Arc::clone(&gateway.snapshot().config);
    let schemas = Schemas::from([("stable".to_owned(), schema(&[("echo.proto", ECHO)]))]);
    let again = Snapshot::compile(config, &schemas, &gateway.telemetry().metrics, 2).expect("it compiles");
    gateway.replace(again).expect("the same config");
    assert!(Arc::ptr_eq(&walk, &gateway.canaries()[0]));
    assert_eq!((get(&gateway, &up, &[("x-user-id", "7")]).await, up.called()), (200, vec!["next"]));
    assert_eq!(metrics(&gateway, "tidegate_canary_plan_share").len(), 1);
    assert_eq!(walk.report().decisions.iter().map(|decided| decided.decision).collect::<Vec<_>>(), [promoted]);
}
