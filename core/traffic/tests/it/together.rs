//! Several gateways walk one plan over a board, in virtual time: messages get lost, come late or lose their answers,
//! gateways stop, are cut off and come anew. Whatever happens, there is one line of decisions, and no call counts
//! twice.

use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tidegate_traffic::Share;
use tidegate_traffic::apart::Apart;
use tidegate_traffic::plan::{BUCKETS, Command, Decision, Failure, Phase, Plan, Sample, Standing, State};
use tidegate_traffic::ports::{Model, Over, Seen, Told};
use tidegate_traffic::together::{Round, Then, Writing, ordered, round};

const PLAN: &str = "the-plan";
const LIFE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(100);
/// Of virtual time, then all is well again.
const TICKS: u32 = 1500;

/// What is broken on purpose, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// What a gateway told and got no answer to, it tells again.
    TellsAgain,
    /// What is counted stays on the board.
    KeepsPieces,
    /// What was seen in an earlier step is counted in a later one.
    MixesSteps,
    /// A decision is written over any other.
    WritesOverAnything,
}

/// SplitMix64: the same schedule for the same seed.
struct Bits(u64);

impl Bits {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % bound
    }
}

/// A message to the board, with the calls that a writing counts.
#[derive(Clone)]
enum Message {
    Alive,
    Look,
    Tell(Told),
    Write(Box<Writing>, Vec<usize>),
}

enum Answer {
    Done,
    Seen(Box<Seen>),
    Written(bool),
}

struct Member {
    name: String,
    known: State,
    /// Of the canary and of the stable side.
    fresh: (Sample, Sample),
    apart: Apart,
    /// What it does next.
    next: Message,
    /// A command that its next look is for.
    wants: Option<Command>,
    idle_until: Duration,
    cut_until: Duration,
}

struct World {
    broken: Broken,
    bits: Bits,
    now: Duration,
    plan: Plan,
    board: Model,
    members: Vec<Member>,
    /// Messages whose sender has given up, and when they come.
    late: Vec<(Duration, String, Message)>,
    names: u32,
    calls: usize,
    /// Each call has a bucket of its own; under which state it was made.
    made_under: HashMap<usize, u64>,
    counted: HashSet<usize>,
    decisions: Vec<Decision>,
    /// Halts that began, and those of them that ended by what others saw.
    halts: (u32, u32),
    violation: Option<String>,
}

fn plan() -> Plan {
    let mut plan = Plan::new([1, 10, 50, 100].map(Share::percent).to_vec()).expect("steps that go up");
    (plan.hold, plan.min_samples) = (Duration::from_secs(10), 5);
    (plan.max_error_rate, plan.max_p99_ratio_milli) = (Share::percent(20), 100_000_000);
    plan
}

impl Member {
    /// What was seen under another state belongs to another step.
    fn adopt(&mut self, state: State) {
        if state.revision != self.known.revision {
            self.fresh = Default::default();
            self.apart.turn_page();
        }
        self.known = state;
    }
}

impl World {
    fn new(seed: u64, broken: Broken) -> Self {
        let mut world = Self {
            broken,
            bits: Bits(seed),
            now: Duration::ZERO,
            plan: plan(),
            board: Model::new(LIFE),
            members: Vec::new(),
            late: Vec::new(),
            names: 0,
            calls: 0,
            made_under: HashMap::new(),
            counted: HashSet::new(),
            decisions: Vec::new(),
            halts: (0, 0),
            violation: None,
        };
        for _ in 0..3 {
            let member = world.born();
            world.members.push(member);
        }
        world
    }

    /// A process that begins: under a name that nobody had.
    fn born(&mut self) -> Member {
        self.names += 1;
        Member {
            name: format!("gateway-{}", self.names),
            known: State::begin(self.now),
            fresh: Default::default(),
            apart: Apart::default(),
            next: Message::Alive,
            wants: None,
            idle_until: self.now,
            cut_until: self.now,
        }
    }

    fn run(mut self) -> Result<Self, String> {
        for tick in 0..TICKS + 200 {
            self.now += TICK;
            self.board.advance(self.now);
            let calm = tick >= TICKS;
            self.arrive(calm);
            if !calm {
                self.trouble();
            }
            for at in 0..self.members.len() {
                if !calm && self.bits.below(8) == 0 {
                    self.call(at);
                }
                if calm || self.bits.below(3) > 0 {
                    self.go_on(at, calm);
                }
            }
            if let Some(violation) = self.violation {
                return Err(violation);
            }
        }
        if let Some(member) = self.members.iter().find(|member| member.apart.halted().is_some()) {
            return Err(format!("{} is halted for ever", member.name));
        }
        let posted = self.board.posted(PLAN).expect("something was decided").state.clone();
        let same = |member: &Member| (member.known.revision, member.known.phase, member.known.step);
        let expected = (posted.revision, posted.phase, posted.step);
        match self.members.iter().map(same).find(|known| *known != expected) {
            Some(known) => Err(format!("one is at {known:?} and the board at {expected:?}")),
            None => Ok(self),
        }
    }

    /// Late messages come.
    fn arrive(&mut self, calm: bool) {
        let due = |(at, ..): &(Duration, String, Message)| calm || *at <= self.now;
        let (come, late) = std::mem::take(&mut self.late).into_iter().partition(due);
        self.late = late;
        let come: Vec<(Duration, String, Message)> = come;
        for (_, name, message) in come {
            let _ = self.effect(&name, message);
        }
    }

    /// Somebody stops for a while, is cut off, dies, or wants something.
    fn trouble(&mut self) {
        let at = self.bits.below(self.members.len() as u64) as usize;
        let long = Duration::from_millis(self.bits.below(12_000));
        match self.bits.below(400) {
            0..4 => self.members[at].idle_until = self.now + long,
            4..8 => self.members[at].cut_until = self.now + long,
            8..11 => self.members[at] = self.born(),
            11..13 => {
                let commands = [Command::Pause, Command::Resume, Command::Resume, Command::Abort];
                let command = commands[self.bits.below(commands.len() as u64) as usize];
                self.members[at].wants = Some(command);
            }
            _ => {}
        }
    }

    /// A call ends, well or not.
    fn call(&mut self, at: usize) {
        let (failed, is_canary) = (self.bits.below(30) == 0, self.bits.below(2) == 0);
        let member = &mut self.members[at];
        let is_canary = is_canary && member.apart.halted().is_none();
        if self.calls == BUCKETS || !member.known.phase.is_open() {
            return;
        }
        let side = if is_canary { &mut member.fresh.0 } else { &mut member.fresh.1 };
        side.calls += 1;
        side.errors += u64::from(failed);
        side.latencies.add_to(self.calls, 1);
        self.made_under.insert(self.calls, member.known.revision);
        self.calls += 1;
    }

    fn go_on(&mut self, at: usize, calm: bool) {
        let member = &self.members[at];
        if !calm && member.idle_until > self.now {
            return;
        }
        let (name, message) = (member.name.clone(), member.next.clone());
        let cut = !calm && member.cut_until > self.now;
        let fate = if calm { 9 } else { self.bits.below(40) };
        let answer = match fate {
            _ if cut => None,
            0 => None,
            1 => {
                let due = self.now + Duration::from_millis(self.bits.below(8000));
                self.late.push((due, name, message));
                None
            }
            2 => {
                let _ = self.effect(&name, message);
                None
            }
            _ => self.effect(&name, message),
        };
        self.answered(at, answer);
    }

    /// What a message does when it comes.
    fn effect(&mut self, name: &str, message: Message) -> Option<Answer> {
        match message {
            Message::Alive => {
                self.board.alive(name);
                Some(Answer::Done)
            }
            Message::Look => self.board.look(name, PLAN).ok().map(|seen| Answer::Seen(Box::new(seen))),
            Message::Tell(told) => self.board.tell(name, PLAN, &told).ok().map(|()| Answer::Done),
            Message::Write(writing, calls) => {
                let before = self.board.posted(PLAN).cloned();
                let mut over = writing.over.clone();
                if self.broken == Broken::KeepsPieces {
                    over.counted.clear();
                }
                if self.broken == Broken::WritesOverAnything {
                    over = Over { version: before.as_ref().map_or(0, |posted| posted.version), tenure: None, ..over };
                }
                let written = self.board.write(name, PLAN, &writing.state, &over);
                if written {
                    self.judge(before.map(|posted| (posted.version, posted.state)), &writing, &calls);
                }
                Some(Answer::Written(written))
            }
        }
    }

    /// Every writing is the next one, and counts what nobody has counted.
    fn judge(&mut self, before: Option<(u64, State)>, writing: &Writing, calls: &[usize]) {
        let version = before.as_ref().map_or(0, |(version, _)| *version);
        if version != writing.over.version {
            self.violation = Some(format!("made from {} and written over {version}", writing.over.version));
        }
        let base = before.map_or(0, |(_, state)| state.revision);
        let changes = writing.decision.is_some_and(|decision| decision.changes());
        if writing.state.revision != base + u64::from(changes) && version != 0 {
            self.violation = Some(format!("from revision {base} to {}", writing.state.revision));
        }
        for call in calls {
            if !self.counted.insert(*call) {
                self.violation = Some(format!("call {call} counts twice"));
            }
            if self.made_under[call] != base {
                self.violation = Some(format!("call {call} of {} counts in {base}", self.made_under[call]));
            }
        }
        self.decisions.extend(writing.decision.filter(Decision::changes));
    }

    fn answered(&mut self, at: usize, answer: Option<Answer>) {
        let (plan, now, broken) = (self.plan.clone(), self.now, self.broken);
        let member = &mut self.members[at];
        member.next = match (std::mem::replace(&mut member.next, Message::Alive), answer) {
            (Message::Alive, Some(Answer::Done)) => Message::Look,
            (Message::Look, Some(Answer::Seen(mut seen))) => {
                if let Some(command) = member.wants.take() {
                    let writing = ordered(&plan, &member.known, &seen, command, now);
                    let is_refused = writing.decision.is_none_or(|decision| !decision.changes());
                    return member.next =
                        if is_refused { Message::Alive } else { Message::Write(Box::new(writing), Vec::new()) };
                }
                if broken == Broken::MixesSteps {
                    let revision = seen.posted.as_ref().map_or(0, |posted| posted.state.revision);
                    seen.told.iter_mut().for_each(|piece| piece.told.revision = revision);
                }
                let fresh = member.apart.back(std::mem::take(&mut member.fresh));
                let calls = calls_of(&fresh, &member.known, &seen);
                let Round { state, then } = round(&plan, &member.known, &seen, fresh, now);
                member.adopt(state);
                self.halts.1 += u32::from(member.apart.rounded(&seen, &then));
                match then {
                    Then::Nothing => Message::Alive,
                    Then::Tell(told) => Message::Tell(told),
                    Then::Write(writing) => Message::Write(writing, calls),
                }
            }
            (Message::Alive | Message::Look, None) => {
                let fresh = std::mem::take(&mut member.fresh);
                let before = (member.apart.clone(), fresh.clone());
                self.halts.0 += u32::from(member.apart.keep(&plan, &member.known, (&fresh.0, &fresh.1), now).is_some());
                let halts = member.apart.halted().is_some();
                if fails(&plan, &member.known, before, now) && !halts {
                    self.violation = Some(format!("{} goes on with a canary that fails", member.name));
                }
                Message::Alive
            }
            (Message::Tell(told), None) if broken == Broken::TellsAgain => Message::Tell(told),
            (Message::Write(writing, _), Some(Answer::Written(true))) => {
                member.adopt(writing.state);
                Message::Alive
            }
            _ => Message::Alive,
        };
    }
}

/// Whether the canary is not good enough by what one gateway knows.
fn fails(plan: &Plan, known: &State, (mut apart, fresh): (Apart, (Sample, Sample)), now: Duration) -> bool {
    let (canary, stable) = apart.back(fresh);
    let mut state = known.clone();
    state.canary.add(&canary);
    state.stable.add(&stable);
    matches!(plan.standing(&state, now), Standing::Failed(_))
}

/// The calls that a decision made of this counts.
fn calls_of((canary, stable): &(Sample, Sample), known: &State, seen: &Seen) -> Vec<usize> {
    let revision = seen.posted.as_ref().map_or(known.revision, |posted| posted.state.revision);
    let told = seen.told.iter().map(|piece| &piece.told);
    let told = told.flat_map(|told| [(told.revision, &told.canary), (told.revision, &told.stable)]);
    let fresh = [(known.revision, canary), (known.revision, stable)];
    let of_now = told.chain(fresh).filter(|(under, _)| *under == revision);
    of_now.flat_map(|(_, sample)| sample.latencies.buckets().map(|(call, _)| call)).collect()
}

/// How many schedules; `TIDEGATE_SCHEDULES` says more.
#[expect(clippy::disallowed_methods, reason = "how much to search is asked of who runs the test")]
fn schedules() -> u64 {
    std::env::var("TIDEGATE_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(300)
}

#[test]
fn there_is_one_line_of_decisions_and_no_call_counts_twice_whatever_happens() {
    let (mut counted, mut made, mut decisions, mut halts) = (0, 0, HashSet::new(), (0, 0));
    for seed in 0..schedules() {
        let world = World::new(seed, Broken::Nothing).run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        (counted, made) = (counted + world.counted.len(), made + world.calls);
        decisions.extend(world.decisions.iter().map(Decision::word));
        halts = (halts.0 + world.halts.0, halts.1 + world.halts.1);
    }
    assert!(halts.0 > halts.1 && halts.1 > 0, "{} halts began, and {} ended without a roll-back", halts.0, halts.1);
    assert!(counted * 2 > made, "{counted} of {made} calls were counted");
    for word in ["advanced", "rolled_back", "paused", "resumed", "restarted", "aborted"] {
        assert!(decisions.contains(word), "no schedule has {word}");
    }
}

#[test]
fn what_is_broken_on_purpose_is_found() {
    for broken in [Broken::TellsAgain, Broken::KeepsPieces, Broken::MixesSteps, Broken::WritesOverAnything] {
        let found = (0..schedules()).find_map(|seed| World::new(seed, broken).run().err());
        assert!(found.is_some(), "{broken:?} was not found");
    }
}

#[test]
fn a_gateway_that_stops_while_it_leads_is_followed_by_another_and_its_late_decision_changes_nothing() {
    let (plan, mut board) = (plan(), Model::new(LIFE));
    let begin = State::begin(Duration::ZERO);
    for name in ["first", "second"] {
        board.alive(name);
    }
    let seen = board.look("first", PLAN).expect("it is alive");
    let failing = Sample { calls: 9, errors: 9, ..Sample::default() };
    let late = round(&plan, &begin, &seen, (failing, Sample::default()), TICK);
    let Then::Write(late) = late.then else { panic!("{late:?}") };
    assert!(matches!(late.decision, Some(Decision::RolledBack { .. })));
    let follows = board.look("second", PLAN).expect("it is alive");
    assert_eq!((follows.tenure, &*follows.leader), (None, "first"));
    board.advance(LIFE / 2);
    board.alive("second");
    board.advance(LIFE + TICK);
    let seen = board.look("second", PLAN).expect("it is alive");
    assert_eq!(&*seen.leader, "second");
    let nothing = || (Sample::default(), Sample::default());
    let Then::Write(first) = round(&plan, &begin, &seen, nothing(), LIFE).then else { panic!("nothing is posted yet") };
    assert!(board.write("second", PLAN, &first.state, &first.over));
    assert!(!board.write("first", PLAN, &late.state, &late.over));
    assert_eq!(board.posted(PLAN).map(|posted| posted.state.phase), Some(Phase::Walking));
}

#[test]
fn a_gateway_that_is_cut_off_gives_a_failing_canary_nothing_until_its_reason_was_counted() {
    let (plan, mut board) = (plan(), Model::new(LIFE));
    for name in ["leads", "follows"] {
        board.alive(name);
    }
    let (begin, now) = (State::begin(Duration::ZERO), Duration::ZERO);
    let nothing = || (Sample::default(), Sample::default());
    let errors = |calls, errors| (Sample { calls, errors, ..Sample::default() }, Sample::default());
    let leads = |board: &mut Model, fresh| {
        let seen = board.look("leads", PLAN).expect("it is alive");
        let round = round(&plan, &begin, &seen, fresh, now);
        if let Then::Write(writing) = round.then {
            assert!(board.write("leads", PLAN, &writing.state, &writing.over));
        }
    };
    // A fifth may fail: 3 of 16, and of 18.
    leads(&mut board, errors(15, 1));
    let known = board.posted(PLAN).expect("it was written").state.clone();

    let mut apart = Apart::default();
    let keep = |apart: &mut Apart, calls| {
        let (canary, stable) = errors(calls, calls);
        apart.keep(&plan, &known, (&canary, &stable), now)
    };
    assert_eq!(keep(&mut apart, 1), None);
    assert_eq!(apart.halted(), None);
    let failure = Failure::Errors { errors: 4, calls: 18, allowed: Share::percent(20) };
    assert_eq!(keep(&mut apart, 2), Some(failure));
    assert_eq!(keep(&mut apart, 1), None, "it is told once");

    // It is back, and tells: that alone ends nothing.
    let seen = board.look("follows", PLAN).expect("it is alive");
    let told = apart.back(nothing());
    assert_eq!(told, errors(4, 4));
    let Round { then, .. } = round(&plan, &known, &seen, told, now);
    let Then::Tell(told) = &then else { panic!("{then:?}") };
    board.tell("follows", PLAN, told).expect("it is alive");
    assert!(!apart.rounded(&seen, &then));
    let seen = board.look("follows", PLAN).expect("it is alive");
    assert!(!apart.rounded(&seen, &Then::Nothing));
    assert_eq!(apart.halted(), Some(failure));

    // Others saw so many good calls that it is good enough.
    leads(&mut board, errors(85, 0));
    assert_eq!(board.posted(PLAN).expect("it was written").state.phase, Phase::Walking);
    let seen = board.look("follows", PLAN).expect("it is alive");
    assert!(apart.rounded(&seen, &Then::Nothing));
    assert_eq!(apart, Apart::default());
}
