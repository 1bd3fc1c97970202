//! What clients that do nothing cost.

use std::time::Duration;

use anyhow::Result;

use super::report::Report;
use super::rig::Rig;

/// Until what was allocated for the beginning has settled, and idle connections are put aside.
const SETTLE: Duration = Duration::from_secs(5);
/// How long a stream is read, byte by byte.
const READING: Duration = Duration::from_secs(20);
/// What pages of an allocator come and go.
const NOISE_MIB: f64 = 1.0;

/// Idle keep-alive connections, each of which has made one request.
pub(super) fn idle(rig: &Rig, connections: u32, report: &mut Report) -> Result<()> {
    const NAME: &str = "idle";
    println!("\n{NAME}: {connections} idle keep-alive connections");
    let upstream = rig.upstream()?;
    let gateway = rig.gateway(&upstream.address, "")?;
    let before = gateway.resident_mib()?;
    let clients = rig.quiet("idle", gateway.address(), &["--connections", &connections.to_string()])?;
    std::thread::sleep(SETTLE);
    let held = gateway.metric("tidegate_connections")?;
    let after = gateway.resident_mib()?;
    drop(clients);
    report.goal(NAME, "connections held", "all", held, held >= f64::from(connections));
    report.note(NAME, "memory before", format!("{before:.1} MiB"));
    report.goal(NAME, "memory with them", "≤ 150 MiB", format!("{after:.1} MiB"), after <= 150.0);
    let each = (after - before) * 1024.0 / f64::from(connections);
    report.note(NAME, "for each connection", format!("{each:.1} KiB"));
    Ok(())
}

/// One client that reads a byte a second.
pub(super) fn slow_reader(rig: &Rig, report: &mut Report) -> Result<()> {
    const NAME: &str = "slow reader";
    println!("\n{NAME}: one byte a second of a stream of 1 GiB");
    let upstream = rig.upstream()?;
    let gateway = rig.gateway(&upstream.address, "")?;
    let client = rig.quiet("slow-readers", gateway.address(), &["--streams", "1"])?;
    std::thread::sleep(SETTLE);
    let before = gateway.resident_mib()?;
    std::thread::sleep(READING);
    let after = gateway.resident_mib()?;
    drop(client);
    report.note(NAME, "memory when it has begun", format!("{before:.1} MiB"));
    let grown = after - before;
    let found = format!("{grown:+.1} MiB in {} s", READING.as_secs());
    report.goal(NAME, "memory that it grows by", "none (noise: 1 MiB)", found, grown <= NOISE_MIB);
    Ok(())
}
