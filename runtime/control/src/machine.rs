//! How much memory there is, and how much of it the process uses.

use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::Gateway;

/// How often the size of the process is read.
const EVERY: Duration = Duration::from_secs(1);

/// The memory that the process may use, in bytes: that of its control group (version 2, then 1), else of
/// the machine. `None` where none of them can be told.
#[must_use]
pub fn memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").trim();
    let files = [
        format!("/sys/fs/cgroup{group}/memory.max"),
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    let of_group = files.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok()).min();
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    [of_group, of_machine].into_iter().flatten().min()
}

/// Tells the gateway once a second how large the process is. Does not end.
pub async fn watch(gateway: Arc<Gateway>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        if let Some(bytes) = resident() {
            gateway.memory().set_resident(bytes);
        }
    }
}

/// The size of the process; `None` where the system does not say.
fn resident() -> Option<u64> {
    in_kib(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn total(meminfo: &str) -> Option<u64> {
    in_kib(meminfo, "MemTotal:")
}

/// `MemTotal:  16384 kB`, in bytes.
fn in_kib(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{in_kib, memory, resident};

    #[test]
    fn lines_of_the_system_are_read_in_bytes() {
        let text = "MemFree:  1 kB\nMemTotal:       16384 kB\nMemX: 2\n";
        assert_eq!(
            (in_kib(text, "MemTotal:"), in_kib(text, "MemX:"), in_kib(text, "None:")),
            (Some(16 << 20), None, None)
        );
    }

    #[test]
    fn a_process_is_smaller_than_its_machine() {
        let (memory, resident) = (memory().expect("Linux says"), resident().expect("Linux says"));
        assert!(0 < resident && resident < memory, "{resident} of {memory}");
    }
}
