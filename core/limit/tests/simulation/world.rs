//! Nodes, a network and a store in virtual time. The nodes and the store are the code that ships.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tidegate_limit::front::{By, Front, Outcome, Ticket};
use tidegate_limit::ports::{Answer, Batch, StoreError};
use tidegate_limit::shared::Shared;
use tidegate_limit::{Algorithm, Ask, Key, Scale};

use crate::judge::Admitted;
use crate::plan::{Dice, Plan, Sabotage};

/// µs after which a node gives a batch up.
const TIMEOUT: u64 = 5_000;
/// µs by which all steps of a schedule can put the store's clock back.
const STEPS: u64 = 400_000;
/// The store's clock when the world begins: years.
const STORE_EPOCH: u64 = 1_000_000_000_000;

#[derive(Debug)]
enum Event {
    Ask(usize),
    AtStore {
        node: usize,
        life: u64,
        batch: Batch,
        sent: u64,
    },
    Reply {
        node: usize,
        life: u64,
        id: u64,
        answers: Vec<Answer>,
    },
    Timeout {
        node: usize,
        life: u64,
        id: u64,
    },
    /// Another limit refused what was admitted here.
    GiveBack {
        node: usize,
        life: u64,
        key: u64,
        outcome: Outcome,
    },
    /// The replica catches up.
    Replicate,
    Fault,
    StoreUp {
        kept: bool,
    },
    OldMasterGone,
    NodeUp(usize),
}

#[derive(Debug)]
struct Node {
    front: Front,
    life: u64,
    is_up: bool,
    /// µs of world time until which it does nothing.
    paused: u64,
    cut_off: u64,
    /// Its clock: an offset, and parts per million by which it is fast.
    offset: u64,
    fast: i64,
    /// What waits for an answer: key, cost, µs of asking.
    open: HashMap<Ticket, (u64, u64, u64)>,
    /// Talks to the old master.
    lags: bool,
}

#[derive(Debug, Clone)]
struct Server {
    shared: Shared,
    run: u64,
    is_up: bool,
    clock: u64,
    /// The latest time of its clock.
    latest: u64,
}

/// What happened in a schedule.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) asked: u64,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    pub(crate) repeated: u64,
    pub(crate) leased: u64,
    pub(crate) lease_deaths: u64,
    pub(crate) fallen_back: u64,
    pub(crate) given_back: u64,
    pub(crate) failovers: u64,
    pub(crate) restarts: u64,
    pub(crate) lost_replies: u64,
    pub(crate) crashes: u64,
    pub(crate) pauses: u64,
    pub(crate) partitions: u64,
    pub(crate) clock_steps: u64,
    /// Events that may each admit a burst too much.
    pub(crate) exceptions: u64,
    pub(crate) items: u64,
}

pub(crate) struct World<'a> {
    plan: &'a Plan,
    dice: Dice,
    now: u64,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: HashMap<u64, Event>,
    nodes: Vec<Node>,
    master: Server,
    /// While there are two masters: the one that does not know.
    old: Option<Server>,
    replica: Shared,
    runs: u64,
    tickets: u64,
    /// When the store applied a batch: µs of the world, and the server with its own clock.
    applied: HashMap<(usize, u64, u64), (u64, (u64, u64))>,
    pub(crate) seen: Seen,
    pub(crate) admitted: Vec<Admitted>,
    stats_died: u64,
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let mut dice = Dice::new(plan.seed ^ 0x5eed);
        let node = |dice: &mut Dice| {
            let offset = dice.roll(10_000_000);
            let fast = i64::try_from(dice.roll(40_001)).unwrap_or(0) - 20_000;
            let front = Front::new(plan.config, Duration::from_micros(offset));
            let open = HashMap::new();
            Node { front, life: 0, is_up: true, paused: 0, cut_off: 0, offset, fast, open, lags: false }
        };
        let nodes = (0..plan.nodes).map(|_| node(&mut dice)).collect();
        let shared = Shared::new(1);
        let replica = shared.clone();
        let mut world = Self {
            plan,
            dice,
            now: 0,
            order: 0,
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            nodes,
            master: Server { shared, run: 1, is_up: true, clock: STORE_EPOCH, latest: 0 },
            old: None,
            replica,
            runs: 1,
            tickets: 0,
            applied: HashMap::new(),
            seen: Seen::default(),
            admitted: Vec::new(),
            stats_died: 0,
        };
        world.at(1, Event::Ask(0));
        if plan.faults {
            for _ in 0..world.dice.between(1, 6) {
                let when = world.dice.roll(plan.length);
                world.at(when, Event::Fault);
            }
            world.at(1000, Event::Replicate);
        }
        world
    }

    pub(crate) fn run(mut self) -> Self {
        while let Some(Reverse((at, order))) = self.queue.pop() {
            self.now = at;
            let event = self.events.remove(&order).expect("each event is queued once");
            self.happen(event);
        }
        self.seen.lease_deaths = self.stats_died;
        for node in &self.nodes {
            self.seen.lease_deaths += node.front.stats().died;
            self.seen.items += node.front.stats().items;
        }
        self
    }

    fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((at.max(self.now), self.order)));
        self.events.insert(self.order, event);
    }

    fn node_now(&self, node: usize) -> Duration {
        let node = &self.nodes[node];
        let drift = i64::try_from(self.now).unwrap_or(0) * node.fast / 1_000_000;
        Duration::from_micros((self.now + node.offset).saturating_add_signed(drift))
    }

    fn happen(&mut self, event: Event) {
        // A node that is stopped takes what came when it goes on.
        if let Event::Reply { node, .. } | Event::Timeout { node, .. } = event
            && self.nodes[node].paused > self.now
        {
            return self.at(self.nodes[node].paused, event);
        }
        match event {
            Event::Ask(node) => self.ask(node),
            Event::AtStore { node, life, batch, sent } => self.at_store(node, life, &batch, sent),
            Event::Reply { node, life, id, answers } if self.nodes[node].life == life => {
                let now = self.node_now(node);
                let outcomes = self.nodes[node].front.answered(now, id, &answers);
                self.told(node, Some(id), outcomes);
                self.send(node);
            }
            Event::Timeout { node, life, id } if self.nodes[node].life == life => {
                let now = self.node_now(node);
                let outcomes = self.nodes[node].front.failed(now, id, StoreError::Unanswered);
                self.told(node, None, outcomes);
                self.send(node);
            }
            Event::GiveBack { node, life, key, outcome } if self.nodes[node].life == life => {
                let (now, id) = (self.node_now(node), Key(u128::from(key) + 1));
                let twice = self.plan.sabotage == Some(Sabotage::GivesBackTwice);
                for _ in 0..=usize::from(twice) {
                    self.nodes[node].front.give_back(now, id, &self.plan.terms, &outcome);
                }
                self.send(node);
            }
            Event::Reply { .. } | Event::Timeout { .. } | Event::GiveBack { .. } => {}
            Event::Replicate => {
                self.replica = self.master.shared.clone();
                let lag = self.dice.between(500, 8000);
                if self.now < self.plan.length {
                    self.at(self.now + lag, Event::Replicate);
                }
            }
            Event::Fault => self.fault(),
            Event::StoreUp { kept } => {
                self.runs += 1;
                if !kept {
                    self.master.shared = Shared::new(0);
                }
                self.master.run = self.runs;
                self.master.is_up = true;
            }
            Event::OldMasterGone => {
                self.old = None;
                self.nodes.iter_mut().for_each(|node| node.lags = false);
            }
            Event::NodeUp(node) => self.nodes[node].is_up = true,
        }
    }

    fn ask(&mut self, node: usize) {
        if self.now >= self.plan.length {
            return;
        }
        let next = usize::try_from(self.dice.roll(self.plan.nodes as u64)).unwrap_or(0);
        let pause = self.dice.roll(self.plan.pause * 2 + 1);
        self.at(self.now + pause, Event::Ask(next));
        if !self.nodes[node].is_up || self.nodes[node].paused > self.now {
            return;
        }
        let key = if self.dice.is(80) { 0 } else { self.dice.roll(self.plan.keys) };
        let cost = match self.dice.roll(20) {
            0 => self.dice.between(1, self.plan.burst / 4 + 1),
            1 => self.dice.between(1, self.plan.burst + 1),
            _ => 1,
        };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let now = self.node_now(node);
        let asked = self.now;
        self.seen.asked += cost;
        let id = Key(u128::from(key) + 1);
        match self.nodes[node].front.ask(now, id, &self.plan.terms, Ask::spend(cost), ticket) {
            Some(outcome) => self.decided(node, (key, cost), (self.now, (0, 0)), outcome),
            None => drop(self.nodes[node].open.insert(ticket, (key, cost, asked))),
        }
        self.send(node);
    }

    /// Sends what the node's front wants to send.
    fn send(&mut self, node: usize) {
        let now = self.node_now(node);
        while let Some(batch) = self.nodes[node].front.poll(now) {
            let life = self.nodes[node].life;
            // A timeout is by the node's own clock, which is nearly right.
            self.at(self.now + TIMEOUT, Event::Timeout { node, life, id: batch.id });
            let lost = self.plan.faults && self.dice.is(1);
            if !lost && self.nodes[node].cut_off <= self.now {
                let sent = u64::try_from(now.as_micros()).unwrap_or(0);
                let delay = self.delay();
                self.at(self.now + delay, Event::AtStore { node, life, batch, sent });
            }
        }
    }

    fn delay(&mut self) -> u64 {
        if self.dice.is(2) { self.dice.between(1000, 9000) } else { self.dice.between(50, 800) }
    }

    fn at_store(&mut self, node: usize, life: u64, batch: &Batch, sent: u64) {
        let old = self.old.as_mut().filter(|_| self.nodes[node].lags);
        let server = old.unwrap_or(&mut self.master);
        if !server.is_up {
            return;
        }
        let own = self.now + server.clock;
        let clock = if self.plan.sabotage == Some(Sabotage::ClientClock) { STORE_EPOCH + sent } else { own };
        let forgets = self.plan.sabotage == Some(Sabotage::Forgets);
        let run = if forgets { 0 } else { server.run };
        if forgets && server.shared.is_empty() {
            server.shared = Shared::new(0);
        }
        let answers = server.shared.decide(run, Scale::Shared.elapsed(Duration::from_micros(clock)), &batch.items);
        server.latest = server.latest.max(own);
        self.applied.insert((node, life, batch.id), (self.now, (server.run, server.latest)));
        if self.plan.faults && self.dice.is(2) || self.nodes[node].cut_off > self.now {
            self.seen.lost_replies += 1;
            return;
        }
        let delay = self.delay();
        self.at(self.now + delay, Event::Reply { node, life, id: batch.id, answers });
    }

    fn told(&mut self, node: usize, id: Option<u64>, outcomes: Vec<(Ticket, Outcome)>) {
        let life = self.nodes[node].life;
        let point = id.and_then(|id| self.applied.get(&(node, life, id)).copied());
        for (ticket, outcome) in outcomes {
            let (key, cost, asked) = self.nodes[node].open.remove(&ticket).expect("a ticket is answered once");
            let point = match outcome.by {
                By::Store => point.expect("the store's answer comes from the store"),
                _ => (self.now, (0, 0)),
            };
            assert!(asked <= point.0 && point.0 <= self.now, "seed {}: decided out of time", self.plan.seed);
            self.decided(node, (key, cost), point, outcome);
        }
    }

    fn decided(&mut self, node: usize, (key, cost): (u64, u64), (at, store): (u64, (u64, u64)), outcome: Outcome) {
        match outcome.by {
            By::Lease => self.seen.leased += 1,
            By::Refusal => self.seen.repeated += 1,
            By::Failure => self.seen.fallen_back += 1,
            By::Store | By::Terms | By::Service { .. } => {}
        }
        // Another limit refused: at once, or after its store's answer.
        if outcome.decision.is_admitted() && self.dice.is(self.plan.gives_back) {
            self.seen.given_back += cost;
            let (life, pause) = (self.nodes[node].life, if self.dice.is(50) { 0 } else { self.delay() });
            self.at(self.now + pause, Event::GiveBack { node, life, key, outcome });
            return;
        }
        if outcome.decision.is_admitted() {
            self.seen.admitted += cost;
            self.admitted.push(Admitted { key, at, cost, store: self.window(store, &outcome) });
        } else {
            self.seen.refused += 1;
        }
    }

    /// In which window of its clock the server counted it. While its clock is behind where it has been, that is the one
    /// that it reads or one up to the latest that it has seen.
    fn window(&self, (server, latest): (u64, u64), outcome: &Outcome) -> (u64, u64) {
        let (Algorithm::FixedWindow(rate), By::Store) = (self.plan.algorithm, outcome.by) else { return (server, 0) };
        let width = u64::try_from(rate.per().as_micros()).unwrap_or(1);
        let window = outcome.decision.receipt.at;
        let oldest = latest.saturating_sub(STEPS) / width;
        assert!((oldest..=latest / width).contains(&window), "seed {}: of no window of now", self.plan.seed);
        (server, window)
    }

    fn fault(&mut self) {
        let node = usize::try_from(self.dice.roll(self.plan.nodes as u64)).unwrap_or(0);
        let long = self.dice.between(500, 60_000);
        match self.dice.roll(if self.plan.exceptions { 12 } else { 10 }) {
            0 | 1 => self.crash(node, long),
            2 | 3 => {
                self.nodes[node].paused = self.now + long;
                self.seen.pauses += 1;
            }
            4 => {
                for node in &mut self.nodes {
                    if self.dice.is(50) {
                        node.cut_off = self.now + long;
                    }
                }
                self.seen.partitions += 1;
            }
            // A monotonic clock that jumps ahead, as after a suspension. A node's own bucket would refill.
            5 if !self.plan.has_reserve => {
                self.nodes[node].offset += long;
                self.seen.clock_steps += 1;
            }
            // The store's clock goes back.
            5 | 6 => {
                self.master.clock -= long;
                self.seen.clock_steps += 1;
            }
            7 => {
                self.master.is_up = false;
                let kept = self.dice.is(50);
                if kept {
                    self.master.shared = self.replica.clone();
                }
                self.at(self.now + long, Event::StoreUp { kept });
                self.seen.restarts += 1;
            }
            8 | 9 => self.fail_over(false),
            10 => self.fail_over(true),
            _ => {
                self.master.clock += long;
                self.seen.exceptions += 1;
            }
        }
    }

    fn crash(&mut self, node: usize, long: u64) {
        let now = self.node_now(node);
        let node_ref = &mut self.nodes[node];
        self.stats_died += node_ref.front.stats().died;
        node_ref.front = Front::new(self.plan.config, now);
        node_ref.life += 1;
        node_ref.open.clear();
        node_ref.is_up = false;
        self.seen.crashes += 1;
        self.at(self.now + long, Event::NodeUp(node));
    }

    /// The replica takes over, with what it knows and its own clock.
    fn fail_over(&mut self, two_masters: bool) {
        self.runs += 1;
        let skew = self.dice.roll(20_000);
        let mut promoted =
            Server { shared: self.replica.clone(), run: self.runs, is_up: true, clock: STORE_EPOCH, latest: 0 };
        promoted.clock += skew;
        let old = std::mem::replace(&mut self.master, promoted);
        self.seen.failovers += 1;
        if two_masters && old.is_up && self.old.is_none() {
            self.old = Some(old);
            for node in &mut self.nodes {
                node.lags = self.dice.is(50);
            }
            self.seen.exceptions += 1;
            // As long as a burst takes to refill: longer ones admit more, at the limit's rate.
            let refill = u64::try_from(self.plan.rate.per().as_micros()).unwrap_or(0);
            let refill = refill.saturating_mul(self.plan.burst) / self.plan.rate.count().max(1);
            self.at(self.now + refill, Event::OldMasterGone);
        }
    }
}
