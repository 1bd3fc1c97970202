//! What callers are told of limits, in words and fields.
//!
//! `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers: lists of structured fields
//! (RFC 9651), an item for each limit. `X-RateLimit-…` tell of one limit: the one that refused, else the one of
//! which the least remains.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::ask::{Decision, Retry};

/// The greatest integer of a structured field (RFC 9651, section 3.3.1).
const GREATEST: u64 = 999_999_999_999_999;

/// Fields of an answer, as far as limits told something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Items of `RateLimit-Policy`.
    policy: String,
    /// Items of `RateLimit`.
    limit: String,
    legacy: Option<Legacy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Legacy {
    limit: u64,
    remaining: u64,
    reset: u64,
}

impl Fields {
    /// Tells what a limit said. `refuses`: it is the one that refused the request. `legacy`: in `X-RateLimit-…` too.
    ///
    /// `name` goes into a quoted string: it has neither quotes nor control characters.
    pub fn tell(&mut self, name: &str, algorithm: &Algorithm, decision: &Decision, refuses: bool, legacy: bool) {
        let (quota, window) = (algorithm.holds().min(GREATEST), algorithm.window());
        let (remaining, reset) = (decision.remaining.min(GREATEST), reset(decision, refuses));
        // Writing to a text cannot fail.
        let _ = write!(begin_item(&mut self.policy), "\"{name}\";q={quota}");
        if !window.is_zero() {
            let _ = write!(self.policy, ";w={}", seconds(window));
        }
        let _ = write!(begin_item(&mut self.limit), "\"{name}\";r={remaining};t={reset}");
        if legacy && (refuses || self.legacy.is_none_or(|known| remaining < known.remaining)) {
            self.legacy = Some(Legacy { limit: quota, remaining, reset });
        }
    }

    /// The fields: lower-case names and values.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        let lists = [("ratelimit-policy", &self.policy), ("ratelimit", &self.limit)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let legacy = self.legacy.map(|Legacy { limit, remaining, reset }| {
            [("x-ratelimit-limit", limit), ("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", reset)]
        });
        let legacy = legacy.into_iter().flatten().map(|(name, value)| (name, Cow::Owned(value.to_string())));
        lists.map(|(name, list)| (name, Cow::Borrowed(list.as_str()))).chain(legacy)
    }
}

/// Why a request was refused by the limit of this name.
#[must_use]
pub fn refusal(name: &str, decision: &Decision) -> String {
    match (decision.retry, decision.retry_after()) {
        (Retry::Never, _) => format!("the limit `{name}` never admits a request that costs {}", decision.asked),
        (_, Some(after)) => format!("the limit `{name}` is reached: try again in {} s", seconds(after)),
        (_, None) => format!("the limit `{name}` is reached"),
    }
}

/// Whole seconds, rounded up, at least one: who waits so long has waited long enough.
#[must_use]
pub fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1)
}

/// Seconds until there is more: for who was refused until asking again can help.
fn reset(decision: &Decision, refuses: bool) -> u64 {
    match decision.retry_after().filter(|_| refuses) {
        Some(after) => seconds(after),
        None if decision.reset.is_zero() => 0,
        None => seconds(decision.reset),
    }
}

fn begin_item(list: &mut String) -> &mut String {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Fields, refusal};
    use crate::ask::{Decision, Receipt, Retry};
    use crate::{Algorithm, Rate};

    fn decision(remaining: u64, retry: Retry, reset: u64) -> Decision {
        let (asked, granted) = (1, u64::from(retry == Retry::Now));
        let (reset, wait) = (Duration::from_millis(reset), Duration::ZERO);
        Decision { asked, granted, remaining, retry, reset, wait, receipt: Receipt::default() }
    }

    #[test]
    fn all_limits_are_told_and_the_old_fields_tell_of_the_one_that_refused() {
        let bucket = Algorithm::TokenBucket { rate: Rate::per_second(10), burst: 25 };
        let window = Algorithm::SlidingWindow(Rate::new(100, Duration::from_secs(60)).expect("legal"));
        let mut fields = Fields::default();
        fields.tell("a", &bucket, &decision(0, Retry::After(Duration::from_millis(1)), 2500), true, true);
        fields.tell("b", &window, &decision(0, Retry::Now, 1), false, true);
        let lines: Vec<_> = fields.lines().map(|(name, value)| format!("{name}: {value}")).collect();
        let expected = [
            "ratelimit-policy: \"a\";q=25;w=3, \"b\";q=100;w=60",
            "ratelimit: \"a\";r=0;t=1, \"b\";r=0;t=1",
            "x-ratelimit-limit: 25",
            "x-ratelimit-remaining: 0",
            "x-ratelimit-reset: 1",
        ];
        assert_eq!(lines, expected);
        assert_eq!(Fields::default().lines().count(), 0);
    }

    #[test]
    fn a_refusal_says_when_asking_again_can_help() {
        let said = [Retry::After(Duration::from_millis(1001)), Retry::OnRelease, Retry::Never]
            .map(|retry| refusal("a", &decision(0, retry, 0)));
        let expected = [
            "the limit `a` is reached: try again in 2 s",
            "the limit `a` is reached",
            "the limit `a` never admits a request that costs 1",
        ];
        assert_eq!(said, expected);
    }
}
