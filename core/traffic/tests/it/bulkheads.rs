//! Bulkheads in virtual time.

mod naive;

use crate::plans::Bits;
use naive::Naive;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tidegate_traffic::bulkhead::{
    Admission, Bulkhead, Entry, Limit, Machine, Permit, Queued, Refusal, Settings, SettingsError, Told, Why,
};
use tidegate_traffic::gradient;
use tidegate_traffic::priority::{Class, Shares};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const START: Duration = Duration::ZERO;

/// Two in flight, three wait.
fn settings() -> Settings {
    Settings { limit: Limit::Fixed(2), queue: 3, wait: SECOND, shares: Shares::EVEN }
}

fn bulkhead() -> Arc<Bulkhead> {
    Bulkhead::new(settings(), START)
}

fn admitted(bulkhead: &Arc<Bulkhead>) -> Permit {
    match bulkhead.enter(Class::Normal, None, START) {
        Admission::Admitted(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn queued(bulkhead: &Arc<Bulkhead>, class: Class, deadline: Option<Duration>) -> Queued {
    match bulkhead.enter(class, deadline, START) {
        Admission::Queued(queued) => queued,
        other => panic!("{other:?}"),
    }
}

fn refused(bulkhead: &Arc<Bulkhead>, class: Class, deadline: Option<Duration>) -> Why {
    match bulkhead.enter(class, deadline, START) {
        Admission::Refused(refusal) => refusal.why,
        other => panic!("{other:?}"),
    }
}

fn poll(queued: &mut Queued) -> Poll<Result<Permit, Refusal>> {
    Pin::new(queued).poll(&mut Context::from_waker(Waker::noop()))
}

fn levels(bulkhead: &Bulkhead) -> (u32, u32) {
    let figures = bulkhead.figures();
    (figures.in_flight, figures.queued)
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn so_many_are_in_flight_so_many_wait_and_the_rest_is_refused() {
    let bulkhead = bulkhead();
    let first = admitted(&bulkhead);
    let _second = admitted(&bulkhead);
    let mut waiting: Vec<_> = (0..3).map(|_| queued(&bulkhead, Class::Normal, None)).collect();
    assert_eq!(refused(&bulkhead, Class::Normal, None), Why::Queue);
    assert_eq!(levels(&bulkhead), (2, 3));
    first.end(None, MS, 0);
    let polled: Vec<_> = waiting.iter_mut().map(poll).collect();
    let ready: Vec<bool> = polled.iter().map(Poll::is_ready).collect();
    assert_eq!(ready, [true, false, false], "in the order of coming");
    let none = Settings { queue: 0, ..settings() };
    let bulkhead = Bulkhead::new(none, START);
    let _both = (admitted(&bulkhead), admitted(&bulkhead));
    assert_eq!(refused(&bulkhead, Class::Critical, None), Why::Limit);
    assert_eq!(bulkhead.refused()[Why::Limit as usize], [0, 0, 0, 1]);
}

#[test]
fn who_waits_is_woken_once_when_it_is_in_flight() {
    let bulkhead = bulkhead();
    let (first, _second) = (admitted(&bulkhead), admitted(&bulkhead));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut waits = pin!(queued(&bulkhead, Class::Normal, None));
    assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(first);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(matches!(waits.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(_))));
}

#[test]
fn callers_that_leave_give_back_what_they_had() {
    let bulkhead = bulkhead();
    let (first, second) = (admitted(&bulkhead), admitted(&bulkhead));
    let waits = queued(&bulkhead, Class::Normal, None);
    let told = queued(&bulkhead, Class::Normal, None);
    drop(waits);
    assert_eq!(levels(&bulkhead), (2, 1), "it left the queue");
    drop(first);
    assert_eq!(levels(&bulkhead), (2, 0), "the other one is in flight, and has not looked");
    drop(told);
    assert_eq!(levels(&bulkhead), (1, 0), "nor will it");
    drop(second);
    assert_eq!(levels(&bulkhead), (0, 0));
    assert_eq!(Arc::strong_count(&bulkhead), 1);
}

#[test]
fn who_has_waited_long_enough_goes_unless_it_was_told_at_the_last_moment() {
    let bulkhead = bulkhead();
    let (first, _second) = (admitted(&bulkhead), admitted(&bulkhead));
    let (early, late) = (queued(&bulkhead, Class::Normal, None), queued(&bulkhead, Class::Normal, None));
    let dated = queued(&bulkhead, Class::Normal, Some(300 * MS));
    assert_eq!([early.until(), dated.until()], [SECOND, 300 * MS]);
    assert_eq!(dated.give_up(300 * MS).map(drop), Err(Refusal { why: Why::Deadline, retry_after: None }));
    drop(first);
    assert!(early.give_up(SECOND).is_ok(), "it is in flight");
    let _second = late;
    assert_eq!(levels(&bulkhead), (2, 0), "and so is the next, as it gave its place back");
}

#[test]
fn a_deadline_that_cannot_be_met_is_refused_at_once() {
    let bulkhead = bulkhead();
    let (first, _second) = (admitted(&bulkhead), admitted(&bulkhead));
    let _waits = queued(&bulkhead, Class::Normal, None);
    first.end(Some((START, 100 * MS)), START, 0);
    // Calls take 100 ms, and two places: with nobody before it a call begins in 50 ms and ends in 150.
    assert_eq!(refused(&bulkhead, Class::Normal, Some(149 * MS)), Why::Deadline);
    let _next = queued(&bulkhead, Class::Normal, Some(150 * MS));
    assert_eq!(refused(&bulkhead, Class::Normal, Some(199 * MS)), Why::Deadline, "one is before it");
    let _one_more = queued(&bulkhead, Class::High, Some(150 * MS));
}

#[test]
fn who_cannot_make_it_any_more_is_not_let_in() {
    let mut machine = Machine::new(settings(), START);
    let entries = [None, None, Some(SECOND), Some(SECOND / 2), None]
        .map(|deadline| matches!(machine.enter(Class::Normal, deadline, START), Entry::Admitted));
    assert_eq!(entries, [true, true, false, false, false]);
    machine.release(Some((START, 600 * MS)), 600 * MS, 0);
    let refusal = |why, queued: u32| Told::Refused(Refusal { why, retry_after: Some(300 * MS * (queued + 1)) });
    let told: Vec<_> = machine.told().collect();
    assert_eq!(told, [(0, refusal(Why::Deadline, 2)), (1, refusal(Why::Deadline, 1)), (2, Told::Admitted)]);
}

#[test]
fn higher_classes_go_first_and_take_the_places_of_lower_ones() {
    let bulkhead = bulkhead();
    let (first, second) = (admitted(&bulkhead), admitted(&bulkhead));
    let mut low = [(); 2].map(|()| queued(&bulkhead, Class::Low, None));
    let mut normal = queued(&bulkhead, Class::Normal, None);
    let mut critical = queued(&bulkhead, Class::Critical, None);
    assert_eq!(levels(&bulkhead), (2, 3));
    let last = poll(&mut low[1]);
    assert!(matches!(last, Poll::Ready(Err(Refusal { why: Why::Displaced, .. }))), "the last of the lowest: {last:?}");
    assert_eq!(refused(&bulkhead, Class::Low, None), Why::Queue);
    drop(first);
    let places = [poll(&mut critical), poll(&mut normal), poll(&mut low[0])].map(|polled| polled.is_ready());
    assert_eq!(places, [true, false, false]);
    drop(second);
    assert!(poll(&mut normal).is_ready());
}

#[test]
fn as_it_fills_lower_classes_are_refused_first() {
    let settings = Settings { limit: Limit::Fixed(20), queue: 0, shares: Shares::CLASSES, ..settings() };
    let mut machine = Machine::new(settings, START);
    let mut fill = |class| {
        let enter = |_| matches!(machine.enter(class, None, START), Entry::Admitted);
        (0..20).map(enter).filter(|admitted| *admitted).count()
    };
    assert_eq!(Class::ALL.map(&mut fill), [14, 4, 1, 1], "70, 90, 95 and 100 per cent");
}

#[test]
fn other_settings_hold_at_once() {
    let bulkhead = bulkhead();
    let _both = (admitted(&bulkhead), admitted(&bulkhead));
    let mut waits = queued(&bulkhead, Class::Normal, None);
    bulkhead.set(Settings { limit: Limit::Fixed(3), ..settings() });
    assert!(poll(&mut waits).is_ready());
    bulkhead.set(Settings { limit: Limit::Fixed(1), queue: 0, ..settings() });
    assert_eq!(refused(&bulkhead, Class::Normal, None), Why::Limit);
}

#[test]
fn settings_that_make_no_bulkhead_are_told() {
    let adaptive = |min, max| Limit::Adaptive(gradient::Settings { min, max, ..gradient::Settings::default() });
    let cases = [
        (Settings { limit: Limit::Fixed(0), ..settings() }, SettingsError::NoMax),
        (Settings { queue: 100_001, ..settings() }, SettingsError::LongQueue),
        (Settings { wait: Duration::ZERO, ..settings() }, SettingsError::NoWait),
        (Settings { limit: adaptive(0, 9), ..settings() }, gradient::SettingsError::NoMin.into()),
        (Settings { limit: adaptive(9, 8), ..settings() }, gradient::SettingsError::ShortMax.into()),
    ];
    for (wrong, error) in cases {
        assert_eq!(wrong.check(), Err(error), "{wrong:?}");
    }
    assert_eq!(settings().check(), Ok(()));
}

fn random_settings(bits: &mut Bits) -> Settings {
    let number = |bits: &mut Bits, bound| u32::try_from(bits.below(bound)).expect("small");
    Settings {
        limit: Limit::Fixed(1 + number(bits, 8)),
        queue: number(bits, 6),
        wait: MS * (1 + number(bits, 300)),
        shares: if bits.below(2) == 0 { Shares::EVEN } else { Shares::CLASSES },
    }
}

/// One schedule of calls that come, end, leave and wait too long, on both.
fn agree(seed: u64, steps: u32, seen: &mut [u32; 6]) {
    let mut bits = Bits(seed);
    let settings = random_settings(&mut bits);
    let (mut machine, mut naive) = (Machine::new(settings, START), Naive::new(settings));
    let mut waiting: Vec<u64> = Vec::new();
    let mut in_flight = 0;
    let mut now = START;
    for step in 0..steps {
        now += MS * u32::try_from(bits.below(30)).expect("small");
        match bits.below(10) {
            0..5 => {
                let class = Class::ALL[usize::try_from(bits.below(4)).expect("small")];
                let deadline = (bits.below(2) == 0).then(|| now + Duration::from_millis(bits.below(300)));
                let found = machine.enter(class, deadline, now);
                assert_eq!(found, naive.enter(class, deadline, now), "seed {seed}, step {step}");
                match found {
                    Entry::Admitted => in_flight += 1,
                    Entry::Queued(place) => waiting.push(place.id),
                    Entry::Refused(refusal) => seen[refusal.why as usize] += 1,
                }
            }
            5..9 if in_flight > 0 => {
                let took = (bits.below(3) > 0).then(|| Duration::from_millis(bits.below(80)));
                machine.release(took.map(|took| (now, now + took)), now, 0);
                naive.release(took, now);
                in_flight -= 1;
            }
            9 if !waiting.is_empty() => {
                let id = waiting[usize::try_from(bits.below(waiting.len() as u64)).expect("an index")];
                let found = machine.leave(id, now);
                assert_eq!(found, naive.leave(id, now), "seed {seed}, step {step}");
                waiting.retain(|waits| *waits != id);
            }
            _ => {}
        }
        let told: Vec<_> = machine.told().collect();
        assert_eq!(told, std::mem::take(&mut naive.told), "seed {seed}, step {step}");
        for (id, told) in told {
            waiting.retain(|waits| *waits != id);
            match told {
                Told::Admitted => {
                    in_flight += 1;
                    seen[5] += 1;
                }
                Told::Refused(refusal) => seen[refusal.why as usize] += 1,
            }
        }
        let figures = machine.figures();
        let levels = (figures.in_flight, figures.queued as usize);
        assert_eq!(levels, (in_flight, waiting.len()), "seed {seed}, step {step}");
        assert_eq!(levels, (naive.in_flight, naive.waiting.len()), "seed {seed}, step {step}");
        assert!(in_flight <= figures.limit && figures.queued <= settings.queue, "seed {seed}, step {step}");
    }
}

#[test]
fn it_lets_in_whom_one_does_that_keeps_one_list() {
    let mut seen = [0; 6];
    for seed in 0..100_000 {
        agree(seed, 80, &mut seen);
    }
    assert!(seen.iter().all(|count| *count > 1000), "each was seen: {seen:?}");
}

/// Callers of threads that come and leave at any moment: nothing is left behind.
#[test]
fn threads_that_leave_at_any_moment_leave_nothing_behind() {
    let bulkhead = Bulkhead::new(Settings { shares: Shares::CLASSES, ..settings() }, START);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let bulkhead = Arc::clone(&bulkhead);
            std::thread::spawn(move || {
                let mut bits = Bits(thread);
                let mut kept = Vec::new();
                for _ in 0..20_000 {
                    let class = Class::ALL[usize::try_from(bits.below(4)).expect("small")];
                    match bulkhead.enter(class, None, START) {
                        Admission::Admitted(permit) => kept.push(permit),
                        Admission::Queued(mut queued) => match (poll(&mut queued), bits.below(3)) {
                            (Poll::Ready(Ok(permit)), _) => kept.push(permit),
                            (_, 0) => kept.extend(queued.give_up(START).ok()),
                            _ => drop(queued),
                        },
                        Admission::Refused(_) => {}
                    }
                    if bits.below(2) == 0 {
                        kept.pop();
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!((levels(&bulkhead), Arc::strong_count(&bulkhead)), ((0, 0), 1));
}
