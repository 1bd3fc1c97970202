//! When a source that could not be read is asked again.

use std::time::{Duration, Instant};
use tidegate_source::Why;

/// The first pause; each further failure for the same reason doubles it.
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);
/// The longest pause while nobody is there: what changes when the source is back is in force within a second.
const LONGEST_UNREACHABLE: Duration = Duration::from_millis(500);

/// A pause after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// When it is over.
    pub(super) until: Instant,
    length: Duration,
    why: Why,
}

impl Pause {
    /// The one after the last one, if there was no success between them.
    pub(super) fn after(last: Option<Self>, why: Why, now: Instant) -> Self {
        let longest = if why == Why::Unreachable { LONGEST_UNREACHABLE } else { LONGEST };
        let length = last.filter(|last| last.why == why).map_or(SHORTEST, |last| (2 * last.length).min(longest));
        Self { until: now + length, length, why }
    }
}

#[cfg(test)]
mod tests {
    use super::Pause;
    use tidegate_source::Why;
    use tidegate_telemetry::clock;

    #[test]
    fn pauses_double_up_to_their_longest_and_begin_anew_for_another_reason() {
        let now = clock::now();
        let mut last = None;
        let pauses = [&[Why::Failed; 7][..], &[Why::Unreachable; 3], &[Why::Failed, Why::Absent]].concat();
        let lengths = pauses.into_iter().map(|why| {
            let pause = Pause::after(last, why, now);
            last = Some(pause);
            (pause.until - now).as_millis()
        });
        let expected = [250, 500, 1000, 2000, 4000, 5000, 5000, 250, 500, 500, 250, 250];
        assert_eq!(lengths.collect::<Vec<_>>(), expected);
    }
}
