//! The script, what goes into it and what comes out of it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use sha1::{Digest as _, Sha1};
use tidegate_limit::ports::{Answer, Item};
use tidegate_limit::{Ask, Decision, Mode, Policy, Receipt, Retry, Scale};

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
    /// That of the era first.
    keys: Vec<Vec<u8>>,
    asks: Vec<[u8; 96]>,
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
        let keys = vec![format!("{prefix}era").into_bytes()];
        Self { keys, asks: Vec::new(), forgiving, places: Vec::new(), items: Vec::new() }
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, prefix: &str, place: usize, item: Item) {
        self.keys.push(format!("{prefix}{:032x}", item.key.0).into_bytes());
        self.asks.push(ask(&item));
        self.places.push(place);
        self.items.push(item);
    }

    /// Writes it as EVALSHA, or as EVAL with the script's text.
    pub(crate) fn write(&self, out: &mut BytesMut, run: &str, text: Option<&str>) {
        resp::begin(out, 3 + self.keys.len() + 2 + self.asks.len());
        if let Some(text) = text {
            resp::part(out, b"EVAL");
            resp::part(out, text.as_bytes());
        } else {
            resp::part(out, b"EVALSHA");
            resp::part(out, NAME.as_bytes());
        }
        resp::part(out, self.keys.len().to_string().as_bytes());
        self.keys.iter().for_each(|key| resp::part(out, key));
        resp::part(out, run.as_bytes());
        resp::part(out, if self.forgiving { b"1" } else { b"0" });
        self.asks.iter().for_each(|ask| resp::part(out, ask));
    }

    /// Reads the reply.
    ///
    /// # Errors
    /// It is not what the script says.
    pub(crate) fn read(&self, reply: &Value) -> Result<Said, &'static str> {
        let list = reply.list().ok_or("not a list")?;
        let [head, answers @ ..] = list else { return Err("an empty list") };
        let [now, era, born] = numbers::<3>(head)?;
        let era = whole(era)?;
        if answers.len() != self.items.len() {
            return Err("another number of answers than of questions");
        }
        let answers = self.items.iter().zip(answers).map(|(item, reply)| answer(item, era, numbers(reply)?));
        let answers = answers.collect::<Result<Vec<_>, _>>()?;
        Ok(Said { now: whole(now)?, born: born > 0.0, answers })
    }
}

/// Twelve doubles: kind, quota (three), what goes back (three) and of which era, cost, mode, the cost to tell a time for, units to lend.
#[expect(clippy::cast_precision_loss, reason = "capped to what doubles hold exactly")]
fn ask(item: &Item) -> [u8; 96] {
    let exact = |number: u64| number.min(WHOLE) as f64;
    let (kind, quota) = match &item.policy {
        Policy::Bucket(bucket) => {
            let capped = |ticks: u64| ticks.min(LONGEST);
            (1, [bucket.interval(), capped(bucket.tolerance()), capped(bucket.ceiling())])
        }
        Policy::Window(window) => (2, [window.limit(), window.width(), 0]),
        Policy::Log(log) => (3, [log.limit(), log.window(), 0]),
        Policy::Fixed(fixed) => (4, [fixed.limit(), fixed.width(), 0]),
        Policy::Concurrency(concurrency) => (5, [concurrency.limit(), 0, 0]),
    };
    let mode = match item.ask.mode {
        Mode::Spend => 0,
        Mode::Check => 1,
        Mode::Partial => 2,
    };
    let [back, at, worth, era] = match item.refund {
        Some(Receipt { cost, at, worth, era, .. }) => [cost, at, worth, era].map(exact),
        None => [-1.0, 0.0, 0.0, 0.0],
    };
    let [a, b, c] = quota.map(exact);
    let Ask { cost, .. } = item.ask;
    let [kind, cost, mode, retry_for, extra] = [kind, cost, mode, item.retry_for, item.extra].map(exact);
    let all = [kind, a, b, c, back, at, worth, era, cost, mode, retry_for, extra];
    let mut bytes = [0; 96];
    for (place, number) in bytes.chunks_exact_mut(8).zip(all) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn numbers<const N: usize>(value: &Value) -> Result<[f64; N], &'static str> {
    let Value::Text(bytes) = value else { return Err("a part that is no text") };
    let bytes: &Bytes = bytes;
    if bytes.len() != N * 8 {
        return Err("a part of another length");
    }
    let mut numbers = [0.0; N];
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = f64::from_le_bytes(bytes.try_into().map_err(|_| "a part of another length")?);
    }
    Ok(numbers)
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
