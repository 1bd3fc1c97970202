//! Whether more was admitted than a limit promises, as seen from outside.
//!
//! A client knows when it sent a request and when it had the answer; that the request was admitted happened at some
//! moment in between, nobody outside knows which. So only those count against an interval that surely were admitted
//! in it: sent after its beginning, answered before its end. If these are too many, no order of events could make it
//! right; if they are not, nothing is claimed.

/// When an admitted request was sent, and when its answer was complete, in microseconds of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) sent: u64,
    pub(super) answered: u64,
}

/// What a limit promises of requests that cost 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// At most `burst + rate × T` in every interval of length `T`.
    Bucket {
        /// A second.
        rate: u64,
        burst: u64,
    },
    /// At most so many in every window of this length, wherever it begins.
    Window { limit: u64, micros: u64 },
    /// At most so many in each window that begins at a multiple of its length, since the Unix epoch.
    Aligned { limit: u64, micros: u64 },
}

const SECOND: i128 = 1_000_000;

/// The most requests, in any interval, that surely were admitted and should not have been.
pub(super) fn excess(promise: Promise, spans: &[Span]) -> u64 {
    let excess = match promise {
        Promise::Bucket { rate, burst } => {
            let over = most_above(i128::from(rate), spans) - i128::from(burst) * SECOND;
            // A part of a request that is too many is a request too many.
            over.max(0).unsigned_abs().div_ceil(SECOND.unsigned_abs())
        }
        Promise::Window { limit, micros } => most_within(micros, spans).saturating_sub(limit).into(),
        Promise::Aligned { limit, micros } => most_aligned(micros, spans).saturating_sub(limit).into(),
    };
    u64::try_from(excess).unwrap_or(u64::MAX)
}

/// The most of `requests − rate × T`, in millionths of a request, over all intervals.
///
/// Beginnings are taken from the last to the first; those sent since then lie in a tree, in the order of their
/// answers, and each of these may be the end.
fn most_above(rate: i128, spans: &[Span]) -> i128 {
    let Some(origin) = spans.iter().map(|span| span.sent).min() else { return 0 };
    let since = |at: u64| i128::from(at.saturating_sub(origin));
    let mut ends: Vec<usize> = (0..spans.len()).collect();
    ends.sort_by_key(|&index| spans[index].answered);
    let mut places = vec![0; spans.len()];
    for (place, &index) in ends.iter().enumerate() {
        places[index] = place;
    }
    let mut beginnings: Vec<usize> = (0..spans.len()).collect();
    beginnings.sort_by_key(|&index| std::cmp::Reverse(spans[index].sent));
    let mut tree = Tree::of(spans.len());
    let mut most = 0;
    for index in beginnings {
        let span = spans[index];
        tree.put(places[index], SECOND, -rate * since(span.answered));
        // Of several that were sent at one moment, the last to come has all of them in the tree.
        most = most.max(tree.best() + rate * since(span.sent));
    }
    most
}

/// For each interval's end the weight of all that lie before it and its own value; which of these is the greatest.
struct Tree {
    leaves: usize,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Node {
    weight: i128,
    /// Of nothing: less than anything.
    best: i128,
}

const NOTHING: Node = Node { weight: 0, best: i128::MIN / 4 };

impl Tree {
    fn of(places: usize) -> Self {
        let leaves = places.next_power_of_two();
        Self { leaves, nodes: vec![NOTHING; 2 * leaves] }
    }

    fn put(&mut self, place: usize, weight: i128, value: i128) {
        let mut at = self.leaves + place;
        self.nodes[at] = Node { weight, best: weight + value };
        while at > 1 {
            at /= 2;
            let (left, right) = (self.nodes[2 * at], self.nodes[2 * at + 1]);
            self.nodes[at] = Node { weight: left.weight + right.weight, best: left.best.max(left.weight + right.best) };
        }
    }

    fn best(&self) -> i128 {
        self.nodes[1].best
    }
}

/// The most in any window of this length; of its two borders one belongs to it.
fn most_within(micros: u64, spans: &[Span]) -> u64 {
    let mut beginnings = spans.to_vec();
    beginnings.sort_by_key(|span| std::cmp::Reverse(span.sent));
    // The answers to all that were sent since, in order.
    let mut answers: Vec<u64> = Vec::with_capacity(spans.len());
    let mut most = 0;
    for span in beginnings {
        answers.insert(answers.partition_point(|&answer| answer <= span.answered), span.answered);
        let end = span.sent.saturating_add(micros);
        most = most.max(answers.partition_point(|&answer| answer < end));
    }
    most as u64
}

fn most_aligned(micros: u64, spans: &[Span]) -> u64 {
    let mut windows = std::collections::BTreeMap::new();
    let surely = spans.iter().filter(|span| span.sent / micros == span.answered / micros);
    surely.for_each(|span| *windows.entry(span.sent / micros).or_insert(0) += 1);
    windows.into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
