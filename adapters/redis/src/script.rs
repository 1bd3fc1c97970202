//! The script, what goes into it and what comes out of it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::BytesMut;
use sha1::{Digest as _, Sha1};
use tidegate_limit::ports::{Answer, Item};
use tidegate_limit::{Decision, Mode, Policy, Receipt, Retry, Scale};

use crate::resp::{self, Value};

/// The script's text.
pub(crate) const TEXT: &str = include_str!("script.lua");
/// Its SHA-1, by which servers know it.
static NAME: LazyLock<String> = LazyLock::new(|| {
    Sha1::digest(TEXT.as_bytes()).iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
});

/// Doubles are whole up to here; what is more than that fits nowhere.
const WHOLE: u64 = 1 << 53;
/// The longest tolerance of a bucket, in ticks: 4½ years. A bucket that is capped here holds less.
const LONGEST: u64 = 1 << 51;

/// A call of the script: keys that may stand in one, and what is asked of them.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// As parts of the command, that of the era first.
    keys: BytesMut,
    /// Those that are asked for, each once, and as the script reads them.
    policies: Vec<Policy>,
    quotas: Vec<u8>,
    asks: Vec<u8>,
    forgiving: bool,
    /// Each item's place in the batch.
    pub(crate) places: Vec<usize>,
    items: Vec<Item>,
}

/// What a call said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The server's tick.
    pub(crate) now: u64,
    /// Whether an era began with it.
    pub(crate) born: bool,
    pub(crate) answers: Vec<Answer>,
}

impl Call {
    /// An empty call about keys that begin with `prefix`.
    pub(crate) fn new(prefix: &str, forgiving: bool) -> Self {
        let mut keys = BytesMut::new();
        resp::part_of(&mut keys, &[prefix.as_bytes(), b"era"]);
        Self {
            keys,
            policies: Vec::new(),
            quotas: Vec::new(),
            asks: Vec::new(),
            forgiving,
            places: Vec::new(),
            items: Vec::new(),
        }
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, prefix: &str, place: usize, item: Item) {
        resp::part_of(&mut self.keys, &[prefix.as_bytes(), &hex(item.key.0)]);
        // Most batches are about few limits.
        let known = self.policies.iter().rposition(|policy| *policy == item.policy);
        let quota = known.unwrap_or_else(|| {
            self.policies.push(item.policy);
            quota(&item.policy, &mut self.quotas);
            self.policies.len() - 1
        });
        ask(&item, quota, &mut self.asks);
        self.places.push(place);
        self.items.push(item);
    }

    /// Writes it as EVALSHA, or as EVAL with the script's text.
    pub(crate) fn write(&self, out: &mut BytesMut, run: &str, text: Option<&str>) {
        let keys = 1 + self.items.len();
        resp::begin(out, 3 + keys + 4);
        if let Some(text) = text {
            resp::part(out, b"EVAL");
            resp::part(out, text.as_bytes());
        } else {
            resp::part(out, b"EVALSHA");
            resp::part(out, NAME.as_bytes());
        }
        resp::part(out, keys.to_string().as_bytes());
        out.extend_from_slice(&self.keys);
        resp::part(out, run.as_bytes());
        resp::part(out, if self.forgiving { b"1" } else { b"0" });
        resp::part(out, &self.quotas);
        resp::part(out, &self.asks);
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// It is not what the script says.
    pub(crate) fn read(&self, reply: &Value) -> Result<Said, &'static str> {
        let Value::Text(text) = reply else { return Err("not a text") };
        let (head, answers) = text.split_first_chunk().ok_or("a text without a head")?;
        let [now, era, born] = numbers::<24, 3>(head);
        let era = whole(era)?;
        let (answers, []) = answers.as_chunks() else { return Err("a part of an answer") };
        if answers.len() != self.items.len() {
            return Err("another number of answers than of questions");
        }
        let answers = self.items.iter().zip(answers).map(|(item, one)| answer(item, era, numbers::<64, 8>(one)));
        let answers = answers.collect::<Result<Vec<_>, _>>()?;
        Ok(Said { now: whole(now)?, born: born > 0.0, answers })
    }
}

/// 32 digits.
fn hex(number: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    digits
}

/// What the script gets of a number: the nearest double, capped to what doubles hold exactly.
#[expect(clippy::cast_precision_loss, reason = "capped to what doubles hold exactly")]
fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number.min(WHOLE) as f64).to_le_bytes());
}

/// Four doubles: kind, and what the script calls `a`, `b` and `c`.
fn quota(policy: &Policy, out: &mut Vec<u8>) {
    let quota = match policy {
        Policy::Bucket(bucket) => {
            let capped = |ticks: u64| ticks.min(LONGEST);
            [1, bucket.interval(), capped(bucket.tolerance()), capped(bucket.ceiling())]
        }
        Policy::Window(window) => [2, window.limit(), window.width(), 0],
        Policy::Log(log) => [3, log.limit(), log.window(), 0],
        Policy::Fixed(fixed) => [4, fixed.limit(), fixed.width(), 0],
        Policy::Concurrency(concurrency) => [5, concurrency.limit(), 0, 0],
    };
    quota.into_iter().for_each(|one| number(one, out));
}

/// An ask: mode (a byte), the place of the quota (two), and as doubles the cost and that to tell a time for; then the
/// units to lend, if there are any, and what goes back (three) and of which era, if something does.
fn ask(item: &Item, quota: usize, out: &mut Vec<u8>) {
    const REFUNDS: u8 = 4;
    const LENDS: u8 = 8;
    let mode = match item.ask.mode {
        Mode::Spend => 0,
        Mode::Check => 1,
        Mode::Partial => 2,
    };
    let lends = if item.extra > 0 { LENDS } else { 0 };
    out.push(mode + lends + if item.refund.is_some() { REFUNDS } else { 0 });
    // Batches are far smaller than that: see the script.
    out.extend_from_slice(&u16::try_from(quota).unwrap_or(u16::MAX).to_le_bytes());
    number(item.ask.cost, out);
    number(item.retry_for, out);
    if item.extra > 0 {
        number(item.extra, out);
    }
    if let Some(Receipt { cost, at, worth, era, .. }) = item.refund {
        [cost, at, worth, era].into_iter().for_each(|one| number(one, out));
    }
}

/// So many doubles.
fn numbers<const BYTES: usize, const N: usize>(bytes: &[u8; BYTES]) -> [f64; N] {
    const { assert!(BYTES == 8 * N, "doubles have eight bytes") };
    let mut numbers = [0.0; N];
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = f64::from_le_bytes(*bytes);
    }
    numbers
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
fn whole(number: f64) -> Result<u64, &'static str> {
    let fits = (0.0..=2.0 * 9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    if fits { Ok(number as u64) } else { Err("a number that is not whole") }
}

fn answer(item: &Item, era: u64, numbers: [f64; 8]) -> Result<Answer, &'static str> {
    let [granted, remaining, retry, reset, wait, at, worth, lent] = numbers;
    let ticks = |number: f64| Ok::<_, &str>(Scale::Shared.duration(whole(number)?));
    let granted = whole(granted)?;
    if granted > item.ask.cost {
        return Err("more was granted than asked for");
    }
    let retry = match retry {
        -1.0 => Retry::Now,
        -2.0 => Retry::OnRelease,
        -3.0 => Retry::Never,
        time => Retry::After(ticks(time)?),
    };
    let spent = if item.ask.mode == Mode::Check { 0 } else { granted };
    let shapes = matches!(&item.policy, Policy::Bucket(bucket) if bucket.shapes());
    let decision = Decision {
        asked: item.ask.cost,
        granted,
        remaining: whole(remaining)?,
        retry,
        reset: ticks(reset)?,
        wait: if shapes { ticks(wait)? } else { std::time::Duration::ZERO },
        receipt: Receipt { cost: spent, at: whole(at)?, worth: whole(worth)?, era, shared: false },
    };
    Ok(Answer { decision, extra: whole(lent)? })
}

#[cfg(test)]
mod tests;
