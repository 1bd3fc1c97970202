//! Programs whose clocks are others than ours, under libfaketime.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// libfaketime's library, and where files that steer it are.
#[derive(Debug)]
pub(super) struct Clocks {
    pub(super) library: PathBuf,
    pub(super) folder: PathBuf,
}

/// What a program's clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// What ours say.
    True,
    /// Hours ahead of ours, and so many thousandths as fast: wall and monotonic time alike.
    Skewed { hours: i32, speed: u32 },
    /// Its wall time is what a file says, which may change; its monotonic time is ours.
    Stepped(&'static str),
}

impl Clocks {
    /// The environment of a program with this clock.
    pub(super) fn environment(&self, clock: Clock) -> Result<Vec<(String, String)>> {
        let name = |name: &str| name.to_owned();
        let mut variables = match clock {
            Clock::True => return Ok(Vec::new()),
            Clock::Skewed { hours, speed } => {
                vec![(name("FAKETIME"), format!("{hours:+}h x{}.{:03}", speed / 1000, speed % 1000))]
            }
            Clock::Stepped(file) => {
                self.step(file, 0)?;
                vec![
                    (name("FAKETIME_TIMESTAMP_FILE"), self.file(file).display().to_string()),
                    // Seconds after which the file is read again.
                    (name("FAKETIME_CACHE_DURATION"), name("1")),
                    (name("FAKETIME_DONT_FAKE_MONOTONIC"), name("1")),
                ]
            }
        };
        variables.push((name("LD_PRELOAD"), self.library.display().to_string()));
        Ok(variables)
    }

    /// Sets clocks that follow this file so many seconds ahead of ours. It takes some seconds until they do.
    pub(super) fn step(&self, file: &str, seconds: i64) -> Result<()> {
        let beside = self.file("step.new");
        fs::write(&beside, format!("{seconds:+}s\n"))?;
        fs::rename(beside, self.file(file))?;
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(name)
    }
}

impl Clock {
    /// Seconds of its monotonic time in one of ours.
    pub(super) fn speed(self) -> f64 {
        match self {
            Self::Skewed { speed, .. } => f64::from(speed) / 1000.0,
            Self::True | Self::Stepped(_) => 1.0,
        }
    }
}
