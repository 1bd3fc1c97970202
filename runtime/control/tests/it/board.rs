//! Several gateways walk a plan together.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::canary::{Plans, command, share};
use tidegate_control::generations::StateFolder;
use tidegate_gateway::canary::{Decided, Report, Role, Walk};
use tidegate_gateway::{Gateway, Snapshot, Telemetry};
use tidegate_source_rig::board::Memory;
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::Share;
use tidegate_traffic::plan::{Command, Decision, Phase, Sample, Sketch, State};
use tidegate_traffic::ports::{Board, Told};

const SECOND: Duration = Duration::from_secs(1);

/// A gateway with one plan of these steps.
fn gateway(steps: &str) -> Arc<Gateway> {
    let canary =
        format!("    canary: [{{ to: next, name: together, hash: {{ cookie: uid, plan: {{ steps: {steps} }} }} }}]");
    gateway_with(&canary)
}

fn gateway_with(canary: &str) -> Arc<Gateway> {
    let metrics = Arc::new(Metrics::new("0", 1));
    let snapshot = snapshot(canary, &metrics);
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
}

fn snapshot(canary: &str, metrics: &Metrics) -> Snapshot {
    let config = crate::lines(&[
        crate::LISTENERS,
        "upstreams: { web: { endpoints: [a:1] }, next: { endpoints: [b:1] } }",
        "routes:",
        "  - path: /*",
        "    upstream: web",
        canary,
    ]);
    let config = crate::parse(&config).expect("a config").config;
    Snapshot::compile(config, &Default::default(), metrics, 1).expect("it compiles")
}

fn walks<const N: usize>() -> [Arc<Walk>; N] {
    std::array::from_fn(|_| gateway("[10%, 100%]").canaries().remove(0))
}

async fn alive(boards: &[Memory]) {
    for board in boards {
        board.alive().await.expect("it is there");
    }
}

async fn share_all(walks: &[Arc<Walk>], boards: &[Memory]) {
    for (walk, board) in walks.iter().zip(boards) {
        share(walk, board).await.expect("it is there");
    }
}

/// Some failures in the first step, as another gateway saw them.
fn failures(count: u64) -> Told {
    let canary = Sample { calls: count, errors: count, latencies: Sketch::default() };
    Told { revision: 0, canary, stable: Sample::default() }
}

fn standing(walk: &Walk) -> (Phase, Share, Role) {
    let Report { phase, share, role, .. } = walk.report();
    (phase, share, role)
}

fn decided(walk: &Walk) -> Vec<(Decision, Option<String>)> {
    walk.report().decisions.into_iter().map(|Decided { decision, by, .. }| (decision, by)).collect()
}

fn follows(leader: &str) -> Role {
    Role::Follows(leader.into())
}

#[tokio::test]
async fn one_decides_and_the_others_follow() {
    let (boards, walks) = (Memory::several(["a", "b", "c"]), walks::<3>());
    alive(&boards).await;
    // Five of five hundred may fail: no gateway alone saw more, all together did.
    for board in &boards {
        board.tell(walks[0].key(), &failures(2)).await.expect("it is there");
    }
    share_all(&walks, &boards).await;
    let back = |role| (Phase::RolledBack, Share::NONE, role);
    let standings: Vec<_> = walks.iter().map(|walk| standing(walk)).collect();
    assert_eq!(standings, [back(Role::Leads), back(follows("a")), back(follows("a"))]);
    let [ours, theirs, _] = walks.each_ref().map(|walk| decided(walk));
    let [(decision @ Decision::RolledBack { at, .. }, None)] = ours[..] else { panic!("{ours:?}") };
    assert_eq!(at, Share::percent(10));
    assert_eq!(theirs, [(decision, Some("a".into()))], "all show what was decided, and by whom");
}

#[tokio::test]
async fn a_command_to_any_gateway_moves_all() {
    let (boards, walks) = (Memory::several(["a", "b"]), walks::<2>());
    alive(&boards).await;
    share_all(&walks, &boards).await;
    let promoted = Decision::Promoted { from: Share::percent(10) };
    assert_eq!(command(&walks[1], &boards[1], Command::Promote).await, Ok(Some(promoted)));
    let refused = Decision::Refused { command: Command::Pause, phase: Phase::Promoted };
    assert_eq!(command(&walks[0], &boards[0], Command::Pause).await, Ok(Some(refused)));
    share_all(&walks, &boards).await;
    assert_eq!(standing(&walks[0]), (Phase::Promoted, Share::ALL, Role::Leads));
    assert_eq!(standing(&walks[1]), (Phase::Promoted, Share::ALL, follows("a")));
    assert_eq!(decided(&walks[0]), [(promoted, Some("b".into()))]);
    assert_eq!(decided(&walks[1]), [(promoted, None)]);
}

#[tokio::test]
async fn while_the_board_is_gone_plans_stay_and_another_leader_goes_on() {
    let boards = Memory::several(["a", "b"]);
    let gateways = [gateway("[10%, 100%]"), gateway("[10%, 100%]")];
    let plans: Vec<Plans> = gateways.iter().zip(&boards).map(|(gateway, board)| on(gateway, board)).collect();
    let walks = gateways.each_ref().map(|gateway| gateway.canaries().remove(0));
    for plans in &plans {
        plans.begin().await;
    }
    let at = |role| (Phase::Walking, Share::percent(10), role);
    assert_eq!(walks.each_ref().map(|walk| standing(walk)), [at(Role::Leads), at(follows("a"))]);
    boards[0].set_gone(true);
    plans[0].begin().await;
    assert_eq!(standing(&walks[0]), at(Role::CutOff));
    assert_eq!(walks[0].report().standing, "the other gateways cannot be reached: it stays where it is");
    let gone = plans[0].command(&walks[0], Command::Abort).await.map_err(|error| error.to_string());
    assert_eq!(gone, Err("the board of plans cannot be used: it is gone".into()));
    boards[0].set_gone(false);
    boards[0].pass(SECOND * 6);
    plans[1].begin().await;
    boards[1].tell(walks[0].key(), &failures(6)).await.expect("it is there");
    plans[0].begin().await;
    assert_eq!(standing(&walks[0]), at(follows("b")), "it does not lead any more");
    plans[1].begin().await;
    assert_eq!(standing(&walks[1]), (Phase::RolledBack, Share::NONE, Role::Leads));
    plans[1].stop().await;
    plans[0].begin().await;
    assert_eq!(standing(&walks[0]), (Phase::RolledBack, Share::NONE, Role::Leads), "who stops is followed at once");
}

fn on(gateway: &Arc<Gateway>, board: &Memory) -> Plans {
    Plans::new(gateway, Some(Arc::new(board.clone())), None)
}

#[tokio::test]
async fn a_gateway_that_comes_later_begins_where_the_others_are() {
    let boards = Memory::several(["a", "b"]);
    let first = gateway("[10%, 100%]");
    let plans = on(&first, &boards[0]);
    plans.begin().await;
    plans.command(&first.canaries()[0], Command::Abort).await.expect("it is there");
    let second = gateway("[10%, 100%]");
    on(&second, &boards[1]).begin().await;
    assert_eq!(standing(&second.canaries()[0]), (Phase::Aborted, Share::NONE, follows("a")));
    let other = gateway("[20%, 100%]");
    on(&other, &boards[1]).begin().await;
    assert_eq!(standing(&other.canaries()[0]), (Phase::Walking, Share::percent(20), Role::Leads), "it is another plan");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_no_config_has_any_more_begins_anew_when_it_comes_again() {
    let [board] = Memory::several(["a"]);
    let canary = "    canary: [{ to: next, name: together, hash: { cookie: uid, plan: { steps: [10%] } } }]";
    let gateway = gateway_with(canary);
    let plans = Arc::new(on(&gateway, &board));
    let running = tokio::spawn(Arc::clone(&plans).run());
    plans.command(&gateway.canaries()[0], Command::Promote).await.expect("it is there");
    let metrics = &gateway.telemetry().metrics;
    gateway.apply(snapshot("", metrics));
    // The paused clock goes on when nothing else does.
    tokio::time::sleep(SECOND * 3).await;
    gateway.apply(snapshot(canary, metrics));
    tokio::time::sleep(SECOND * 3).await;
    assert_eq!(standing(&gateway.canaries()[0]), (Phase::Walking, Share::percent(10), Role::Leads));
    running.abort();
}

/// What a process with this config and folder does, from its start to its stop.
async fn process(folder: &std::path::Path, steps: &str, wanted: Option<Command>) -> (Phase, Share, usize) {
    let gateway = gateway(steps);
    let plans = Plans::new(&gateway, None, Some(StateFolder::open(folder).expect("a folder")));
    plans.begin().await;
    let walk = gateway.canaries().remove(0);
    if let Some(wanted) = wanted {
        plans.command(&walk, wanted).await.expect("nobody else is asked");
    }
    let Report { phase, share, decisions, .. } = walk.report();
    plans.stop().await;
    (phase, share, decisions.len())
}

#[tokio::test]
async fn a_plan_outlives_the_process_and_another_plan_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (ten, two) = ("[10%, 100%]", "[2%, 100%]");
    let first = Share::percent(10);
    assert_eq!(process(folder, ten, None).await, (Phase::Walking, first, 0));
    assert_eq!(process(folder, ten, Some(Command::Abort)).await, (Phase::Aborted, Share::NONE, 1));
    assert_eq!(process(folder, ten, None).await, (Phase::Aborted, Share::NONE, 0), "it stays where it was");
    assert_eq!(process(folder, ten, Some(Command::Resume)).await, (Phase::Walking, first, 1));
    assert_eq!(process(folder, ten, Some(Command::Promote)).await, (Phase::Promoted, Share::ALL, 1));
    assert_eq!(process(folder, two, None).await, (Phase::Walking, Share::percent(2), 0));
    assert_eq!(process(folder, ten, None).await, (Phase::Walking, first, 0), "it was given up meanwhile");
    std::fs::write(folder.join("plans.json"), "{").expect("written");
    assert_eq!(process(folder, ten, Some(Command::Promote)).await, (Phase::Promoted, Share::ALL, 1));
    let no_plan = gateway_with("");
    let plans = Plans::new(&no_plan, None, Some(StateFolder::open(folder).expect("a folder")));
    plans.begin().await;
    plans.stop().await;
    assert_eq!(process(folder, ten, None).await, (Phase::Walking, first, 0), "no config had it meanwhile");
}

#[tokio::test]
async fn what_is_kept_can_be_read_and_its_counts_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = gateway("[10%, 100%]");
    let walk = gateway.canaries().remove(0);
    let plans = Plans::new(&gateway, None, Some(StateFolder::open(folder.path()).expect("a folder")));
    let mut state = walk.state();
    (state.revision, state.canary) = (3, failures(2).canary);
    walk.adopt(state.clone(), None);
    plans.stop().await;
    let file = folder.path().join("plans.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).expect("it was written")).expect("JSON");
    let step = format!("step 0 {} 3", state.entered.as_nanos());
    let lines = ["tidegate-plan 1", "phase walking", &step, "canary 2 2", "stable 0 0"];
    let expected = json!({ "version": 1, "at_ms": kept["at_ms"], "plans": { walk.key(): lines } });
    assert_eq!(kept, expected);
    // An hour in which nobody held the step.
    kept["at_ms"] = (kept["at_ms"].as_u64().expect("a number") - 3_600_000).into();
    std::fs::write(&file, kept.to_string()).expect("written");
    let next = self::gateway("[10%, 100%]");
    Plans::new(&next, None, Some(StateFolder::open(folder.path()).expect("a folder"))).begin().await;
    let resumed = next.canaries()[0].state();
    assert!(resumed.entered > state.entered, "{resumed:?}");
    assert_eq!(resumed, State { entered: resumed.entered, ..state });
}
