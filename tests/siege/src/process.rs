//! What the kernel says of a process.

use std::fs;
use std::io;

/// Resident memory of a process, in bytes.
///
/// # Errors
/// There is no such process, or this is not Linux.
pub fn resident(pid: u32) -> io::Result<u64> {
    read(pid, "VmRSS:")
}

/// The most that was resident since its start or the last [`forget_peak`], in bytes.
///
/// # Errors
/// As [`resident`].
pub fn peak(pid: u32) -> io::Result<u64> {
    read(pid, "VmHWM:")
}

/// Makes what is resident now the peak (proc(5), `clear_refs`).
///
/// # Errors
/// The process is somebody else's, or as [`resident`].
pub fn forget_peak(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

fn read(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.ok_or(io::ErrorKind::InvalidData)? * 1024)
}
