//! The calls that are judged, counted.

use super::Window;
use std::collections::VecDeque;
use std::time::Duration;

/// In how many parts a window of time is counted.
const PARTS: u128 = 10;

/// Calls, those of them that failed and those that were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

impl Counts {
    pub(super) fn add(&mut self, failed: bool, slow: bool) {
        self.calls += 1;
        self.failed += u64::from(failed);
        self.slow += u64::from(slow);
    }

    fn subtract(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
    }
}

/// The calls of a window. The sum is kept, so that neither counting nor asking depends on their number.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    window: Window,
    /// The oldest first: one call each, or the number of the part of time and its calls.
    entries: VecDeque<(u128, Counts)>,
    sum: Counts,
}

impl Calls {
    pub(super) fn new(window: Window) -> Self {
        Self { window, entries: VecDeque::new(), sum: Counts::default() }
    }

    /// Counts a call that ended at `now`.
    pub(super) fn add(&mut self, failed: bool, slow: bool, now: Duration) {
        let part = match self.window {
            Window::Calls(most) => {
                while self.entries.len() >= most as usize {
                    self.forget();
                }
                self.entries.push_back((0, Counts::default()));
                0
            }
            Window::Time(time) => {
                let part = part_of(now, time);
                self.forget_before(part);
                // A thread that read the clock earlier counts in the part that is newest.
                if self.entries.back().is_none_or(|(newest, _)| *newest < part) {
                    self.entries.push_back((part, Counts::default()));
                }
                part
            }
        };
        debug_assert!(self.entries.back().is_some_and(|(newest, _)| *newest >= part), "there is a place for it");
        if let Some((_, counts)) = self.entries.back_mut() {
            counts.add(failed, slow);
            self.sum.add(failed, slow);
        }
    }

    /// What is in the window at `now`.
    pub(super) fn counts(&mut self, now: Duration) -> Counts {
        if let Window::Time(time) = self.window {
            self.forget_before(part_of(now, time));
        }
        self.sum
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.sum = Counts::default();
    }

    /// Forgets what is out of a window that ends with this part.
    fn forget_before(&mut self, part: u128) {
        while self.entries.front().is_some_and(|(oldest, _)| oldest + PARTS <= part) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some((_, counts)) = self.entries.pop_front() {
            self.sum.subtract(counts);
        }
    }
}

/// The number of the tenth of `window` that `now` is in.
pub(super) fn part_of(now: Duration, window: Duration) -> u128 {
    now.as_nanos() * PARTS / window.as_nanos().max(1)
}
