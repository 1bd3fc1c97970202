//! Instructions of a gateway in user mode for each request, as valgrind counts them. What else the machine does makes
//! no difference to them, and the kernel's share is not in them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Programs;
use super::features::FEATURES;
use crate::bench::instructions::valgrind_count;
use crate::proc;
use crate::subject::Subject;

/// The gateway is run twice; what it does at its start and at its end is in both counts.
const REQUESTS: [u32; 2] = [300, 1300];
/// How long its end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// With this feature.
pub(super) fn per_request(programs: &Programs<'_>, index: usize) -> Result<f64> {
    let mut counts = [0.0; 2];
    for (count, requests) in counts.iter_mut().zip(REQUESTS) {
        *count = of(programs, index, requests)?;
    }
    Ok((counts[1] - counts[0]) / f64::from(REQUESTS[1] - REQUESTS[0]))
}

fn of(programs: &Programs<'_>, index: usize, requests: u32) -> Result<f64> {
    let log = programs.folder.join("valgrind.log");
    let mut gateway = programs.start(index, "1h", |ours| {
        let mut command = Command::new("valgrind");
        command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
        command.arg(format!("--log-file={}", log.display())).arg(ours);
        command
    })?;
    let mut ask = Command::new(&programs.bench);
    ask.args(["ask", "--address", &gateway.address, "--scenario", FEATURES[index].scenario]);
    proc::output(ask.args(["--requests", &requests.to_string()]))?;
    proc::run(Command::new("kill").args(["-TERM", &gateway.id().to_string()]))?;
    end(&mut gateway)?;
    count(&log)
}

fn end(gateway: &mut Subject) -> Result<()> {
    let begin = Instant::now();
    loop {
        match gateway.ended()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("the gateway ended with {status}"),
            None if begin.elapsed() > PATIENCE => bail!("the gateway did not end within {PATIENCE:?}"),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn count(log: &Path) -> Result<f64> {
    let said = std::fs::read_to_string(log).context("valgrind wrote nothing")?;
    valgrind_count(&said).with_context(|| format!("no count in {said}"))
}
