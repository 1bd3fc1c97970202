//! What a process has cost so far, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks a second in `/proc/PID/stat`: `USER_HZ`, which is 100 on every Linux that we run on.
const TICKS: u64 = 100;

/// User and system time of all threads of a process, in steps of 10 ms.
///
/// # Errors
/// The process is gone, or `/proc` is not Linux's.
pub fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    let ticks = ticks(&stat).context("/proc/PID/stat is not as in proc(5)")?;
    Ok(Duration::from_millis(ticks * (1000 / TICKS)))
}

/// Fields 14 and 15, counted after the name, which may hold blanks and parentheses itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of a process, in KiB.
///
/// # Errors
/// The process is gone, or `/proc` is not Linux's.
pub fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok())
        .context("/proc/PID/status has no VmRSS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 1 1 0 -1 4194560 10 20 30 40 250 130 0 0 20 0 3 0";
        assert_eq!(ticks(stat), Some(380));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn our_own_memory_is_some_and_a_process_that_is_not_there_is_an_error() {
        assert!(resident_kib(std::process::id()).expect("our own") > 100);
        assert!(cpu(u32::MAX).is_err());
    }
}
