//! A plan's state as text, for stores that several gateways share and for files that outlive a process.

use super::assess::Failure;
use super::sketch::{BUCKETS, Sketch};
use super::state::{Phase, Sample, State};
use crate::ports::Told;
use std::fmt;
use std::str::{FromStr, SplitAsciiWhitespace};
use std::time::Duration;

/// The first line; another number is another format.
const HEAD: &str = "tidegate-plan 1";

/// The same of what a gateway tells.
const TOLD: &str = "tidegate-told 1";

/// A text that is no state of a plan, or nothing that a gateway told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not what this version of the program writes")]
pub struct StateError {
    /// Counts from 1.
    pub line: usize,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        writeln!(f, "phase {}", self.phase.word())?;
        writeln!(f, "step {} {} {}", self.step, self.entered.as_nanos(), self.revision)?;
        write_sides(f, &self.canary, &self.stable)?;
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

fn write_sides(f: &mut fmt::Formatter<'_>, canary: &Sample, stable: &Sample) -> fmt::Result {
    for (name, sample) in [("canary", canary), ("stable", stable)] {
        write!(f, "{name} {} {}", sample.calls, sample.errors)?;
        write_sketch(f, &sample.latencies)?;
    }
    Ok(())
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
        let mut missing = vec!["phase", "step", "canary", "stable"];
        let mut last = 1;
        for line in lines {
            last += 1;
            let word = read_line(&mut state, line).ok_or(StateError { line: last })?;
            missing.retain(|name| *name != word);
        }
        if missing.is_empty() { Ok(state) } else { Err(StateError { line: last + 1 }) }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TOLD}\nrevision {}", self.revision)?;
        write_sides(f, &self.canary, &self.stable)
    }
}

impl FromStr for Told {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let mut lines = text.lines();
        if lines.next() != Some(TOLD) {
            return Err(StateError { line: 1 });
        }
        let mut told = Self::default();
        for (at, line) in lines.enumerate() {
            let mut words = line.split_ascii_whitespace();
            let read = match words.next() {
                Some("revision") => number(&mut words).map(|revision| told.revision = revision),
                Some("canary") => sample(&mut words).map(|canary| told.canary = canary),
                Some("stable") => sample(&mut words).map(|stable| told.stable = stable),
                _ => None,
            };
            read.filter(|()| words.next().is_none()).ok_or(StateError { line: at + 2 })?;
        }
        Ok(told)
    }
}

/// Gives the line's first word.
fn read_line<'l>(state: &mut State, line: &'l str) -> Option<&'l str> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    match name {
        "phase" => {
            let word = words.next()?;
            state.phase = Phase::ALL.into_iter().find(|phase| phase.word() == word)?;
        }
        "step" => {
            state.step = number::<u16>(&mut words)?.into();
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
    words.next().is_none().then_some(name)
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
