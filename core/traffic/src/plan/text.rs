//! A plan's state as text, for stores that several gateways share and for files that outlive a process.

use super::assess::Failure;
use super::sketch::{BUCKETS, Sketch};
use super::state::{Phase, Sample, State};
use std::fmt;
use std::str::{FromStr, SplitAsciiWhitespace};
use std::time::Duration;

/// The first line; another number is another format.
const HEAD: &str = "tidegate-plan 1";

/// A text that is no state of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not that of a plan's state")]
pub struct StateError {
    /// Counts from 1.
    pub line: usize,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        writeln!(f, "phase {}", self.phase.word())?;
        writeln!(f, "step {} {} {}", self.step, self.entered.as_nanos(), self.revision)?;
        for (name, sample) in [("canary", &self.canary), ("stable", &self.stable)] {
            write!(f, "{name} {} {}", sample.calls, sample.errors)?;
            write_sketch(f, &sample.latencies)?;
        }
        if let Some(baseline) = &self.baseline {
            write!(f, "baseline")?;
            write_sketch(f, baseline)?;
        }
        match self.failure {
            Some(Failure::Errors { errors, calls, allowed }) => writeln!(f, "errors {errors} {calls} {allowed}"),
            Some(Failure::Slow { canary, stable, allowed_milli }) => {
                writeln!(f, "slow {} {} {allowed_milli}", canary.as_nanos(), stable.as_nanos())
            }
            None => Ok(()),
        }
    }
}

fn write_sketch(f: &mut fmt::Formatter<'_>, sketch: &Sketch) -> fmt::Result {
    for (bucket, count) in sketch.buckets() {
        write!(f, " {bucket}:{count}")?;
    }
    writeln!(f)
}

impl FromStr for State {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Err(StateError { line: 1 });
        }
        let mut state = Self::begin(Duration::ZERO);
        for (at, line) in lines.enumerate() {
            read_line(&mut state, line).ok_or(StateError { line: at + 2 })?;
        }
        Ok(state)
    }
}

fn read_line(state: &mut State, line: &str) -> Option<()> {
    let mut words = line.split_ascii_whitespace();
    match words.next()? {
        "phase" => {
            let word = words.next()?;
            state.phase = Phase::ALL.into_iter().find(|phase| phase.word() == word)?;
        }
        "step" => {
            state.step = number(&mut words)?;
            state.entered = nanos(&mut words)?;
            state.revision = number(&mut words)?;
        }
        "canary" => state.canary = sample(&mut words)?,
        "stable" => state.stable = sample(&mut words)?,
        "baseline" => state.baseline = Some(sketch(&mut words)?),
        "errors" => {
            let (errors, calls, allowed) = (number(&mut words)?, number(&mut words)?, number(&mut words)?);
            state.failure = Some(Failure::Errors { errors, calls, allowed });
        }
        "slow" => {
            let (canary, stable) = (nanos(&mut words)?, nanos(&mut words)?);
            state.failure = Some(Failure::Slow { canary, stable, allowed_milli: number(&mut words)? });
        }
        _ => return None,
    }
    words.next().is_none().then_some(())
}

fn number<T: FromStr>(words: &mut SplitAsciiWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

fn nanos(words: &mut SplitAsciiWhitespace<'_>) -> Option<Duration> {
    number(words).map(Duration::from_nanos)
}

fn sample(words: &mut SplitAsciiWhitespace<'_>) -> Option<Sample> {
    Some(Sample { calls: number(words)?, errors: number(words)?, latencies: sketch(words)? })
}

fn sketch(words: &mut SplitAsciiWhitespace<'_>) -> Option<Sketch> {
    let mut sketch = Sketch::default();
    for word in words {
        let (bucket, count) = word.split_once(':')?;
        let bucket = bucket.parse().ok().filter(|bucket| *bucket < BUCKETS)?;
        sketch.add_to(bucket, count.parse().ok()?);
    }
    Some(sketch)
}
