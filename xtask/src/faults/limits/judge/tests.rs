use super::*;

const fn span(sent: u64, answered: u64) -> Span {
    Span { sent, answered }
}

/// What is not [`excess`], but its definition: every beginning, every end, everything in between.
fn naive(promise: Promise, spans: &[Span]) -> u64 {
    let within =
        |from: u64, to: u64| spans.iter().filter(|span| from <= span.sent && span.answered <= to).count() as u64;
    let beginnings = || spans.iter().map(|span| span.sent);
    let over = match promise {
        Promise::Bucket { rate, burst } => beginnings()
            .flat_map(|from| spans.iter().map(move |span| (from, span.answered)))
            .filter(|(from, to)| from <= to)
            .map(|(from, to)| {
                let allowed = burst * 1_000_000 + rate * (to - from);
                (within(from, to) * 1_000_000).saturating_sub(allowed).div_ceil(1_000_000)
            })
            .max(),
        Promise::Window { limit, micros } => {
            beginnings().map(|from| within(from, from + micros - 1).saturating_sub(limit)).max()
        }
        Promise::Aligned { limit, micros } => beginnings()
            .map(|sent| sent / micros * micros)
            .map(|from| within(from, from + micros - 1).saturating_sub(limit))
            .max(),
    };
    over.unwrap_or(0)
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

#[test]
fn the_quick_judge_says_what_the_naive_one_says() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut found = [0; 3];
    for _ in 0..3000 {
        let (count, length, took) = (dice.roll(40), 1 + dice.roll(4000), 1 + dice.roll(400));
        let spans: Vec<Span> = (0..count)
            .map(|_| {
                let sent = 1_700_000_000_000_000 + dice.roll(length);
                span(sent, sent + dice.roll(took))
            })
            .collect();
        let (rate, burst, micros) = (dice.roll(20_000), dice.roll(8), 1 + dice.roll(1000));
        let promises = [
            Promise::Bucket { rate, burst },
            Promise::Window { limit: burst, micros },
            Promise::Aligned { limit: burst, micros },
        ];
        for (promise, found) in promises.into_iter().zip(&mut found) {
            let excess = excess(promise, &spans);
            assert_eq!(excess, naive(promise, &spans), "{promise:?} {spans:?}");
            *found += u32::from(excess > 0);
        }
    }
    assert!(found.iter().all(|found| (500..2900).contains(found)), "both ends of the scale: {found:?}");
}

#[test]
fn a_bucket_is_judged_in_every_interval() {
    let promise = Promise::Bucket { rate: 10, burst: 2 };
    let at = |times: &[u64]| times.iter().map(|&at| span(at, at)).collect::<Vec<_>>();
    for (times, wanted) in [
        (&[][..], 0),
        (&[0, 0], 0),
        (&[0, 0, 100_000, 200_000], 0),
        (&[0, 0, 0], 1),
        // A part of a request too early is a request too many.
        (&[0, 0, 99_999], 1),
        // Late in a run that was idle before: the burst is 2 again, not more.
        (&[0, 0, 900_000, 900_000], 0),
        (&[0, 0, 900_000, 900_000, 900_001], 1),
        (&[0, 0, 0, 0, 0, 100_000], 3),
    ] {
        assert_eq!(excess(promise, &at(times)), wanted, "{times:?}");
    }
}

#[test]
fn what_may_have_been_admitted_outside_of_an_interval_does_not_count_in_it() {
    let promise = Promise::Bucket { rate: 10, burst: 2 };
    let slow = [span(0, 50), span(10, 60), span(20, 99_000)];
    assert_eq!(excess(promise, &slow), 1, "100 ms have not passed since the first was sent");
    let slower = [span(0, 50), span(10, 60), span(20, 101_000)];
    assert_eq!(excess(promise, &slower), 0, "the third may be 100 ms after the first");
    let window = Promise::Window { limit: 2, micros: 1000 };
    assert_eq!(excess(window, &[span(0, 10), span(5, 15), span(5, 999)]), 1);
    assert_eq!(excess(window, &[span(0, 10), span(5, 15), span(5, 1000)]), 0, "one border is outside");
}

#[test]
fn windows_that_are_aligned_are_judged_apart() {
    let spans = [span(998, 999), span(999, 999), span(1000, 1001), span(1001, 1002)];
    assert_eq!(excess(Promise::Aligned { limit: 2, micros: 1000 }, &spans), 0);
    assert_eq!(excess(Promise::Window { limit: 2, micros: 1000 }, &spans), 2, "twice the limit around the border");
    let over = [span(998, 999), span(999, 999), span(998, 1000)];
    assert_eq!(excess(Promise::Aligned { limit: 1, micros: 1000 }, &over), 1, "the third may be of the next one");
}
