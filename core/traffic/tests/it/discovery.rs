//! Planned removals: a directory that changes, fails and is slow, behind a resolver that remembers its answers, and a gateway
//! that asks as the shipped [`Pace`] says, in virtual time.
//!
//! What breaks what: a pause that does not follow the TTL, or is not bounded from above after an error, fails `a_change_is_seen…`, which
//! finds it late; one that is not bounded from below fails it too; one that is not bounded from above after an answer, failures
//! that are not counted or not forgotten, or a hurry that waits as long as everybody, fail `who_is_in_a_hurry…`.

use crate::plans::Bits;
use std::time::Duration;
use tidegate_traffic::discovery::{Pace, Pause};

const MS: Duration = Duration::from_millis(1);

/// How long a question may take, with or without an answer.
const ANSWERS: Duration = Duration::from_millis(200);

/// A directory that says at any time which version of its endpoints holds, or fails.
struct Directory {
    /// When each version begins, from the first one at 0.
    changes: Vec<Duration>,
    /// From when to when it cannot be asked.
    away: (Duration, Duration),
    ttl: Duration,
    /// Whether a resolver is asked that does so; what: a version, and until when.
    remembers: bool,
    remembered: Option<(usize, Duration)>,
}

impl Directory {
    fn of(bits: &mut Bits) -> Self {
        let mut changes = vec![Duration::ZERO];
        for _ in 0..1 + bits.below(6) {
            let last = *changes.last().expect("the first one");
            changes.push(last + MS * (1 + bits.below(20_000) as u32));
        }
        let from = MS * bits.below(60_000) as u32;
        let away = (from, from + MS * bits.below(3) as u32 * bits.below(15_000) as u32);
        let ttl = [0, 1, 2, 5, 30, 60][bits.below(6) as usize];
        Self { changes, away, ttl: Duration::from_secs(ttl), remembers: bits.below(2) == 0, remembered: None }
    }

    fn version(&self, now: Duration) -> usize {
        self.changes.iter().rposition(|begin| *begin <= now).expect("the first one")
    }

    fn is_away(&self, now: Duration) -> bool {
        self.away.0 <= now && now < self.away.1
    }

    /// What a resolver says: the version, and in whole seconds how long that still holds.
    fn ask(&mut self, now: Duration) -> Option<(usize, Duration)> {
        if let Some((version, until)) = self.remembered.filter(|(_, until)| now < *until) {
            return Some((version, Duration::from_secs((until - now).as_secs())));
        }
        if self.is_away(now) {
            return None;
        }
        self.remembered = self.remembers.then(|| (self.version(now), now + self.ttl));
        Some((self.version(now), self.ttl))
    }
}

#[test]
fn a_change_is_seen_within_the_ttl_and_a_second_and_nobody_is_asked_more_than_once_a_second() {
    let (mut seen, mut failures) = (0, 0);
    for seed in 0..20_000 {
        let mut bits = Bits(seed);
        let mut directory = Directory::of(&mut bits);
        let (mut pace, mut now, mut known) = (Pace::default(), Duration::ZERO, None);
        let end = *directory.changes.last().expect("the first one") + Duration::from_secs(180);
        while now < end {
            let asked = now;
            now += MS * bits.below(1 + ANSWERS.as_millis() as u64) as u32;
            let pause = match directory.ask(now) {
                Some((version, again)) => {
                    for passed in known.map_or(0, |known| known + 1)..=version {
                        let begin = directory.changes[passed];
                        let due = begin + directory.ttl.max(Pace::AGAIN_MIN) + Pace::AGAIN_MIN;
                        // Or by a failure before it, after which somebody still waits.
                        let is_late = directory.away.0 <= due && begin < directory.away.1 + Pace::AFTER_ERROR_MAX;
                        let due = if is_late { due.max(directory.away.1 + Pace::AFTER_ERROR_MAX) } else { due };
                        let due = due + Pace::SPREAD + 2 * ANSWERS;
                        assert!(now <= due, "seed {seed}: of {begin:?}, due {due:?}, seen {now:?}");
                        seen += 1;
                    }
                    known = known.max(Some(version));
                    pace.found(Some(again), bits.below(u64::MAX))
                }
                None => {
                    failures += 1;
                    Some(pace.lost(bits.below(u64::MAX)))
                }
            };
            let Pause { least, most } = pause.expect("it is asked");
            assert!(Pace::AGAIN_MIN <= least && least <= most, "seed {seed}: {least:?}, {most:?}");
            now += if bits.below(20) == 0 { least } else { most };
            assert!(now - asked >= Pace::AGAIN_MIN, "seed {seed}: asked at {asked:?} and at {now:?}");
        }
        assert_eq!(known, Some(directory.changes.len() - 1), "seed {seed}");
    }
    assert!(seen > 60_000 && failures > 20_000, "{seen} changes, {failures} failures");
}

#[test]
fn who_is_in_a_hurry_waits_a_second_and_failures_double_the_pause_up_to_a_bound() {
    let mut pace = Pace::default();
    let seconds = |pause: Pause| (pause.least.as_secs(), pause.most.as_secs());
    let lost: Vec<_> = (0..10).map(|_| seconds(pace.lost(0))).collect();
    assert_eq!(lost[..5], [(1, 1), (1, 2), (1, 4), (1, 8), (1, 15)]);
    assert!(lost[5..].iter().all(|pause| *pause == (1, 15)));
    let found = |pace: &mut Pace, again| pace.found(Some(Duration::from_secs(again)), 0).map(seconds);
    assert_eq!([0, 1, 30, 3600].map(|again| found(&mut pace, again)), [(1, 1), (1, 1), (1, 30), (1, 60)].map(Some));
    assert_eq!(seconds(pace.lost(0)), (1, 1), "an answer ends the failures");
    assert_eq!(pace.found(None, 0), None);
    let spread = pace.lost(u64::MAX);
    assert!(spread.most > Pace::AGAIN_MIN && spread.most <= Pace::AGAIN_MIN + Pace::SPREAD, "{spread:?}");
}
