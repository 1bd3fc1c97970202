//! Several gateways walk a plan together.

use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use tidegate_control::canary::{command, share};
use tidegate_gateway::canary::Walk;
use tidegate_gateway::{Gateway, Snapshot, Telemetry};
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::Share;
use tidegate_traffic::plan::{Command, Decision, Phase, Sample, Sketch, State};
use tidegate_traffic::ports::{Answer, Board, BoardError, Posted};

/// A board in memory; of each gateway there is a handle with its own number.
#[derive(Clone)]
struct Memory {
    number: u32,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    leader: Option<u32>,
    is_gone: bool,
    posted: HashMap<String, Posted>,
    told: HashMap<String, (Sample, Sample)>,
}

impl Memory {
    fn several<const N: usize>() -> [Self; N] {
        let shared = Arc::<Mutex<Shared>>::default();
        std::array::from_fn(|number| Self { number: number as u32, shared: Arc::clone(&shared) })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock()
    }

    fn answer<T: Send + 'static>(&self, of: impl FnOnce(&mut Shared) -> T) -> Answer<'_, T> {
        let mut shared = self.lock();
        let gone = shared.is_gone.then(|| BoardError { reason: "it is gone".into() });
        Box::pin(ready(gone.map_or_else(|| Ok(of(&mut shared)), Err)))
    }
}

impl Board for Memory {
    fn lead<'b>(&'b self, _plan: &'b str) -> Answer<'b, bool> {
        self.answer(|shared| *shared.leader.get_or_insert(self.number) == self.number)
    }

    fn read<'b>(&'b self, plan: &'b str) -> Answer<'b, Option<Posted>> {
        self.answer(|shared| shared.posted.get(plan).cloned())
    }

    fn write<'b>(&'b self, plan: &'b str, state: &'b State, over: u64) -> Answer<'b, bool> {
        // As a store would have it.
        let state: State = state.to_string().parse().expect("what was written can be read");
        self.answer(|shared| {
            let version = shared.posted.get(plan).map_or(0, |posted| posted.version);
            if version != over {
                return false;
            }
            shared.posted.insert(plan.to_owned(), Posted { state, version: version + 1 });
            true
        })
    }

    fn tell<'b>(&'b self, plan: &'b str, canary: &'b Sample, stable: &'b Sample) -> Answer<'b, ()> {
        self.answer(|shared| {
            let told = shared.told.entry(plan.to_owned()).or_default();
            told.0.add(canary);
            told.1.add(stable);
        })
    }

    fn take<'b>(&'b self, plan: &'b str) -> Answer<'b, (Sample, Sample)> {
        self.answer(|shared| shared.told.remove(plan).unwrap_or_default())
    }
}

/// A gateway with one plan, of 10 % and 100 %.
fn gateway() -> Arc<Gateway> {
    let config = crate::lines(&[
        crate::LISTENERS,
        "upstreams: { web: { endpoints: [a:1] }, next: { endpoints: [b:1] } }",
        "routes:",
        "  - path: /*",
        "    upstream: web",
        "    canary: [{ to: next, name: together, hash: { cookie: uid, plan: { steps: [10%, 100%] } } }]",
    ]);
    let config = crate::parse(&config).expect("a config").config;
    let metrics = Arc::new(Metrics::new("0", 1));
    let snapshot = Snapshot::compile(config, &Default::default(), &metrics, 1).expect("it compiles");
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
}

fn walks<const N: usize>() -> [Arc<Walk>; N] {
    std::array::from_fn(|_| gateway().canaries().remove(0))
}

fn phases(walks: &[Arc<Walk>]) -> Vec<(Phase, usize, Share)> {
    walks.iter().map(|walk| walk.report()).map(|report| (report.phase, report.decisions.len(), report.share)).collect()
}

/// Some failures, as another gateway saw them.
fn failures(count: u64) -> Sample {
    Sample { calls: count, errors: count, latencies: Sketch::default() }
}

#[tokio::test]
async fn one_decides_and_the_others_follow() {
    let (boards, walks) = (Memory::several::<3>(), walks::<3>());
    // Five of five hundred may fail: no gateway alone saw more, all together did.
    for board in &boards {
        board.tell("together", &failures(2), &Sample::default()).await.expect("it is there");
    }
    for (walk, board) in walks.iter().zip(&boards) {
        share(walk, board).await.expect("it is there");
    }
    let back = |decided| (Phase::RolledBack, decided, Share::NONE);
    assert_eq!(phases(&walks), [back(1), back(0), back(0)], "one decided, all did it");
}

#[tokio::test]
async fn a_command_to_any_gateway_moves_all() {
    let (boards, walks) = (Memory::several::<2>(), walks::<2>());
    for (walk, board) in walks.iter().zip(&boards) {
        share(walk, board).await.expect("it is there");
    }
    let done = command(&walks[1], &boards[1], Command::Promote).await;
    assert_eq!(done, Ok(Some(Decision::Promoted { from: Share::percent(10) })));
    share(&walks[0], &boards[0]).await.expect("it is there");
    assert_eq!(phases(&walks), [(Phase::Promoted, 0, Share::ALL), (Phase::Promoted, 1, Share::ALL)]);
}

#[tokio::test]
async fn while_the_board_is_gone_plans_stay_and_another_leader_goes_on() {
    let (boards, walks) = (Memory::several::<2>(), walks::<2>());
    share(&walks[0], &boards[0]).await.expect("it is there");
    boards[0].lock().is_gone = true;
    let gone = share(&walks[0], &boards[0]).await.map_err(|error| error.to_string());
    assert_eq!(gone, Err("the board of plans cannot be reached: it is gone".into()));
    assert_eq!(phases(&walks)[0], (Phase::Walking, 0, Share::percent(10)));
    {
        let mut shared = boards[0].lock();
        (shared.is_gone, shared.leader) = (false, Some(1));
    }
    boards[0].tell("together", &failures(6), &Sample::default()).await.expect("it is there");
    share(&walks[0], &boards[0]).await.expect("it is there");
    assert_eq!(phases(&walks)[0], (Phase::Walking, 0, Share::percent(10)), "it does not lead");
    share(&walks[1], &boards[1]).await.expect("it is there");
    assert_eq!(phases(&walks)[1], (Phase::RolledBack, 1, Share::NONE));
}
