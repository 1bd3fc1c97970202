//! Plans in virtual time.

use std::time::Duration;
use tidegate_traffic::plan::{
    BUCKETS, Command, Decision, Event, Failure, Phase, Plan, PlanError, Sample, Sketch, Standing, State, bucket_of, key,
};
use tidegate_traffic::ports::Told;
use tidegate_traffic::{Share, Split, SplitKey};

const SECOND: Duration = Duration::from_secs(1);

/// A version under load: a thousand calls a second, each with a latency and a fate of its own.
struct Version {
    /// So many of a thousand calls fail.
    failing: u64,
    /// So many of a thousand take `slow`, the others from 10 to 20 ms.
    slow_of_1000: u64,
    slow: Duration,
}

const GOOD: Version = Version { failing: 1, slow_of_1000: 5, slow: Duration::from_millis(80) };

fn plan() -> Plan {
    let steps = [1, 10, 50, 100].map(Share::percent).to_vec();
    let mut plan = Plan::new(steps).expect("steps that go up");
    plan.hold = Duration::from_secs(60);
    plan
}

/// SplitMix64: the same run every time.
pub(crate) struct Bits(pub(crate) u64);

impl Bits {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % bound
    }
}

impl Version {
    fn serve(&self, calls: u64, bits: &mut Bits) -> Sample {
        let mut sample = Sample::default();
        for _ in 0..calls {
            let quick = Duration::from_micros(10_000 + bits.below(10_000));
            let latency = if bits.below(1000) < self.slow_of_1000 { self.slow } else { quick };
            sample.observe(bits.below(1000) < self.failing, latency);
        }
        sample
    }
}

/// Walks a plan for `seconds` with so many calls a second; tells its decisions with their seconds.
fn walk(plan: &Plan, version: &Version, calls: u64, seconds: u64, seed: u64) -> (State, Vec<(u64, Decision)>) {
    let mut bits = Bits(seed);
    let mut state = State::begin(Duration::ZERO);
    let mut decisions = Vec::new();
    for second in 1..=seconds {
        let share = plan.share(&state).ratio();
        let ours = (calls as f64 * share) as u64;
        let event =
            Event::Observed { canary: version.serve(ours, &mut bits), stable: GOOD.serve(calls - ours, &mut bits) };
        let (next, decision) = plan.step(state, event, SECOND * second as u32);
        state = next;
        decisions.extend(decision.map(|decision| (second, decision)));
    }
    (state, decisions)
}

#[test]
fn a_good_version_reaches_the_end_in_the_time_of_its_holds() {
    let p = Share::percent;
    for seed in 0..20 {
        let (state, decisions) = walk(&plan(), &GOOD, 1000, 300, seed);
        assert_eq!(
            decisions,
            [
                (60, Decision::Advanced { from: p(1), to: p(10) }),
                (120, Decision::Advanced { from: p(10), to: p(50) }),
                (180, Decision::Advanced { from: p(50), to: p(100) }),
                (240, Decision::Completed { at: p(100) }),
            ],
            "seed {seed}"
        );
        assert_eq!((state.phase, plan().share(&state)), (Phase::Done, Share::ALL));
    }
}

#[test]
fn a_version_that_fails_rolls_back_within_its_first_step() {
    let version = Version { failing: 50, ..GOOD };
    for seed in 0..20 {
        let (state, decisions) = walk(&plan(), &version, 1000, 300, seed);
        let [(second, Decision::RolledBack { at, failure: Failure::Errors { errors, calls, allowed } })] =
            decisions[..]
        else {
            panic!("seed {seed}: {decisions:?}");
        };
        assert!(second < 60 && at == Share::percent(1) && allowed == Share::percent(1), "{second} {at}");
        assert!(errors > 5 && errors * 100 > calls, "{errors} of {calls}");
        assert_eq!((state.phase, plan().share(&state)), (Phase::RolledBack, Share::NONE));
    }
}

#[test]
fn a_slow_version_rolls_back_however_few_of_its_calls_are_slow() {
    for slow_of_1000 in [20, 50, 1000] {
        let version = Version { slow_of_1000, slow: Duration::from_millis(200), ..GOOD };
        for seed in 0..10 {
            let (state, decisions) = walk(&plan(), &version, 1000, 600, seed);
            let Some((_, Decision::RolledBack { failure: Failure::Slow { canary, stable, .. }, .. })) =
                decisions.last()
            else {
                panic!("{slow_of_1000} of 1000 slow, seed {seed}: {decisions:?}");
            };
            assert!(*canary > *stable && state.phase == Phase::RolledBack, "{canary:?} {stable:?}");
        }
    }
}

#[test]
fn a_version_that_breaks_at_its_last_step_is_measured_against_what_stable_was() {
    let plan = plan();
    let mut bits = Bits(7);
    let (state, _) = walk(&plan, &GOOD, 1000, 181, 7);
    assert_eq!((state.step, plan.share(&state)), (3, Share::ALL));
    let slow = Version { slow_of_1000: 1000, slow: Duration::from_millis(200), ..GOOD };
    let event = Event::Observed { canary: slow.serve(5000, &mut bits), stable: Sample::default() };
    let (state, decision) = plan.step(state, event, SECOND * 185);
    assert!(matches!(decision, Some(Decision::RolledBack { failure: Failure::Slow { .. }, .. })), "{decision:?}");
    assert_eq!(plan.share(&state), Share::NONE);
}

#[test]
fn too_few_samples_hold() {
    let plan = plan();
    // 4 calls a minute of the canary at 1 %.
    let (state, decisions) = walk(&plan, &GOOD, 10, 3600, 1);
    assert_eq!(decisions, []);
    assert_eq!((state.phase, state.step), (Phase::Walking, 0));
    let standing = plan.standing(&state, SECOND * 3600);
    assert!(matches!(standing, Standing::TooFewSamples { canary: 0, needed: 500, .. }), "{standing:?}");
    // A stable side that has too few holds too.
    let canary = GOOD.serve(10_000, &mut Bits(2));
    let event = Event::Observed { canary, stable: GOOD.serve(499, &mut Bits(3)) };
    let (state, decision) = plan.step(State::begin(Duration::ZERO), event, SECOND * 61);
    assert_eq!(decision, None);
    let want = Standing::TooFewSamples { canary: 10_000, stable: 499, needed: 500 };
    assert_eq!(plan.standing(&state, SECOND * 61), want);
}

#[test]
fn what_cannot_become_good_any_more_is_not_waited_for() {
    let plan = plan();
    let observed = |errors: u64, calls: u64| Event::Observed {
        canary: Sample { calls, errors, latencies: Sketch::default() },
        stable: Sample::default(),
    };
    // 1 % of 500 is 5.
    let (state, decision) = plan.step(State::begin(Duration::ZERO), observed(5, 5), SECOND);
    assert_eq!(decision, None);
    let (_, decision) = plan.step(state, observed(1, 1), SECOND * 2);
    let failure = Failure::Errors { errors: 6, calls: 6, allowed: Share::percent(1) };
    assert_eq!(decision, Some(Decision::RolledBack { at: Share::percent(1), failure }));
    assert_eq!(
        decision.map(|decision| decision.to_string()).as_deref(),
        Some("rolled back from 1%: 6 of 6 calls failed, more than 1%")
    );
}

#[test]
fn sides_that_are_alike_are_not_taken_for_different() {
    // Long tails: of 500 exponential latencies the p99 is anywhere.
    let plan = plan();
    let mut rolled_back = 0;
    for seed in 0..200 {
        let mut bits = Bits(seed * 977);
        let mut state = State::begin(Duration::ZERO);
        for second in 1..=60 {
            let mut side = |calls: u64| {
                let mut sample = Sample::default();
                for _ in 0..calls {
                    let uniform = (bits.below(1 << 53) + 1) as f64 / 2_f64.powi(53);
                    sample.observe(false, Duration::from_secs_f64(-uniform.ln() * 0.02));
                }
                sample
            };
            let event = Event::Observed { canary: side(20), stable: side(20) };
            let (next, decision) = plan.step(state, event, SECOND * second);
            state = next;
            rolled_back += u64::from(matches!(decision, Some(Decision::RolledBack { .. })));
        }
    }
    assert_eq!(rolled_back, 0, "of 200 runs");
}

#[test]
fn commands_pause_resume_promote_and_abort() {
    let plan = plan();
    let p = Share::percent;
    let mut state = State::begin(Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut bits = Bits(3);
    let mut run = |events: &[Result<Command, u64>]| {
        let mut decisions = Vec::new();
        for event in events {
            let event = match event {
                Ok(command) => Event::Command(*command),
                Err(seconds) => {
                    now += SECOND * *seconds as u32;
                    Event::Observed { canary: GOOD.serve(5000, &mut bits), stable: GOOD.serve(5000, &mut bits) }
                }
            };
            let (next, decision) = plan.step(state.clone(), event, now);
            state = next;
            decisions.extend(decision);
        }
        (decisions, plan.share(&state), state.revision)
    };
    use Command::{Abort, Pause, Promote, Resume};
    // A pause lasts however good the canary is; the hold begins anew behind it.
    let paused = run(&[Ok(Pause), Err(600), Ok(Pause), Ok(Resume), Err(59)]);
    let refused = Decision::Refused { command: Pause, phase: Phase::Paused };
    assert_eq!(paused, (vec![Decision::Paused { at: p(1) }, refused, Decision::Resumed { at: p(1) }], p(1), 2));
    assert_eq!(refused.to_string(), "cannot pause: the plan is paused");
    assert_eq!(run(&[Err(1)]), (vec![Decision::Advanced { from: p(1), to: p(10) }], p(10), 3));
    assert_eq!(run(&[Ok(Promote)]), (vec![Decision::Promoted { from: p(10) }], Share::ALL, 4));
    assert_eq!(run(&[Err(600)]), (vec![], Share::ALL, 4));
    assert_eq!(run(&[Ok(Abort)]), (vec![Decision::Aborted { at: p(100) }], Share::NONE, 5));
    assert_eq!(run(&[Err(600)]), (vec![], Share::NONE, 5));
    assert_eq!(run(&[Ok(Resume)]), (vec![Decision::Restarted { at: p(1) }], p(1), 6));
    assert_eq!(run(&[Err(59)]), (vec![], p(1), 6));
}

#[test]
fn a_paused_plan_still_rolls_back() {
    let plan = plan();
    let (state, _) = plan.step(State::begin(Duration::ZERO), Event::Command(Command::Pause), SECOND);
    let canary = Sample { calls: 100, errors: 100, latencies: Sketch::default() };
    let (state, _) = plan.step(state, Event::Observed { canary, stable: Sample::default() }, SECOND * 2);
    assert_eq!((state.phase, plan.share(&state)), (Phase::RolledBack, Share::NONE));
}

#[test]
fn steps_go_up() {
    let new = |steps: &[u32]| Plan::new(steps.iter().copied().map(Share::percent).collect()).map(|_| ());
    assert_eq!(new(&[1, 10]), Ok(()));
    assert_eq!(new(&[]), Err(PlanError::NoSteps));
    assert_eq!(new(&[0, 10]), Err(PlanError::EmptyStep { step: 0 }));
    assert_eq!(new(&[1, 10, 5]), Err(PlanError::NotUp { step: 2 }));
    assert_eq!(new(&[1, 1]), Err(PlanError::NotUp { step: 1 }));
}

#[test]
fn a_state_can_be_written_down_and_read() {
    let (mut state, _) = walk(&plan(), &GOOD, 1000, 130, 5);
    for failure in [
        None,
        Some(Failure::Errors { errors: 3, calls: 9, allowed: Share::percent(1) }),
        Some(Failure::Slow { canary: SECOND, stable: SECOND / 3, allowed_milli: 1200 }),
    ] {
        state.failure = failure;
        assert_eq!(state.to_string().parse::<State>(), Ok(state.clone()));
    }
    let broken = |text: &str| text.parse::<State>().map_err(|error| error.line);
    assert_eq!(broken("tidegate-plan 2"), Err(1));
    assert_eq!(broken("tidegate-plan 1\nphase walking\nstep x"), Err(3));
    assert_eq!(broken("tidegate-plan 1\nstable 1 1 99999:1"), Err(2));
    assert_eq!(broken("tidegate-plan 1\nphase walking\nstep 1 2 3\ncanary 0 0\n"), Err(5), "it was cut");
    let State { canary, stable, .. } = state;
    let told = Told { revision: 7, canary, stable };
    assert_eq!(told.to_string().parse::<Told>(), Ok(told));
    assert_eq!("tidegate-told 1\nrevision x".parse::<Told>().map_err(|error| error.line), Err(2));
}

#[test]
fn a_sketch_is_off_by_a_32nd_at_most() {
    let mut sketch = Sketch::default();
    assert_eq!(sketch.p99(), None);
    for micros in 1..=100_000_u64 {
        sketch.observe(Duration::from_micros(micros));
    }
    for rank in [1, 31, 32, 1000, 50_000, 99_000, 100_000, 200_000] {
        let exact = rank.min(100_000) as f64;
        let found = sketch.at_rank(rank).expect("it has some").as_micros() as f64;
        assert!(found >= exact && found <= exact * (33.0 / 32.0) + 1.0, "rank {rank}: {found}");
    }
    assert_eq!(sketch.p99(), sketch.at_rank(99_000));
    let long = Duration::from_secs(1_000_000);
    assert_eq!(bucket_of(long), BUCKETS - 1);
    assert_eq!(bucket_of(Duration::ZERO), 0);
}

/// Kept states are found by it: another one loses them.
#[test]
fn the_key_of_a_plan_stays_and_is_another_one_for_another_plan() {
    let split = Split { key: SplitKey::Cookie("uid".into()), salt: "next".into() };
    let of = |name: &str, to: &str, plan: &Plan, split: &Split| key(name, to, plan, Some(split));
    assert_eq!(of("orders", "next", &plan(), &split), "orders@b97bbbe6707a33b7");
    let mut keys = vec![of("orders", "next", &plan(), &split), of("orders", "other", &plan(), &split)];
    keys.push(of("links", "next", &plan(), &split));
    keys.push(of("orders", "next", &plan(), &Split { salt: "pepper".into(), ..split.clone() }));
    let header = SplitKey::Header(http::HeaderName::from_static("uid"));
    keys.push(of("orders", "next", &plan(), &Split { key: header, ..split.clone() }));
    for change in [
        |plan: &mut Plan| plan.hold *= 2,
        |plan: &mut Plan| plan.min_samples += 1,
        |plan: &mut Plan| plan.max_error_rate = Share::percent(2),
        |plan: &mut Plan| plan.max_p99_ratio_milli += 1,
        |plan: &mut Plan| {
            *plan = Plan::new([1, 10, 51, 100].map(Share::percent).to_vec()).expect("steps");
            plan.hold = self::plan().hold;
        },
    ] {
        let mut changed = plan();
        change(&mut changed);
        keys.push(of("orders", "next", &changed, &split));
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn who_follows_knows_from_the_states_what_was_decided() {
    let plan = plan();
    let mut state = State::begin(Duration::ZERO);
    let mut seconds = 0;
    let failing = || Sample { calls: 100, errors: 100, latencies: Sketch::default() };
    let events = [
        Event::Observed { canary: GOOD.serve(1000, &mut Bits(1)), stable: GOOD.serve(1000, &mut Bits(2)) },
        Event::Command(Command::Pause),
        Event::Command(Command::Resume),
        Event::Observed { canary: failing(), stable: Sample::default() },
        Event::Command(Command::Resume),
        Event::Command(Command::Promote),
        Event::Command(Command::Abort),
    ];
    for event in events {
        seconds += 100;
        let (next, decision) = plan.step(state.clone(), event, SECOND * seconds);
        assert!(decision.is_some(), "{state:?}");
        assert_eq!((plan.between(&state, &next), plan.between(&next, &next)), (decision, None));
        state = next;
    }
}

proptest::proptest! {
    /// Stores are written by other versions, and by people.
    #[test]
    fn whatever_numbers_a_kept_state_has_it_can_be_stepped_and_shown(
        numbers in proptest::collection::vec(
            proptest::prop_oneof![0..4_u64, 0..=u64::MAX, proptest::strategy::Just(u64::MAX)],
            12,
        ),
        phase in 0..Phase::ALL.len(),
        now in 0..=u64::MAX,
    ) {
        let [step, entered, revision, calls, errors, stable, one, two, three, bucket, ..] = numbers[..] else {
            panic!("twelve numbers");
        };
        let (phase, bucket) = (Phase::ALL[phase].word(), bucket % BUCKETS as u64);
        let text = format!(
            "tidegate-plan 1\nphase {phase}\nstep {step} {entered} {revision}\ncanary {calls} {errors} {bucket}:{one} 7:{two}\n\
             stable {stable} 0 {bucket}:{three} 8:{one}\nbaseline 0:{two} {bucket}:{three}\nerrors 1 2 3%\n"
        );
        let read = text.parse::<State>();
        proptest::prop_assert_eq!(read.is_ok(), step <= u16::MAX.into());
        let Ok(state) = read else { return Ok(()) };
        let (plan, now) = (plan(), Duration::from_nanos(now));
        let seen = Sample { calls: one, errors: two, latencies: state.canary.latencies.clone() };
        let event = Event::Observed { canary: seen.clone(), stable: seen };
        for event in [event, Event::Command(Command::Resume), Event::Command(Command::Pause)] {
            let (next, _) = plan.step(state.clone(), event, now);
            let shown = (plan.share(&next), plan.standing(&next, now).to_string(), plan.between(&state, &next));
            proptest::prop_assert!(shown.0 <= Share::ALL);
            proptest::prop_assert_eq!(next.to_string().parse::<State>(), Ok(next));
        }
    }
}
