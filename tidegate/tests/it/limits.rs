//! What the system gives, and what is made of it.

use crate::running::Running;
use crate::{CONFIG, folder};
use std::process::{Command, Stdio};

/// The value of a metric without labels.
fn metric(running: &Running, name: &str) -> u64 {
    let answer = running.get(1, "/metrics");
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// 300 open files at the most, 100 as the shell has it: 256 of them are not for clients.
#[test]
fn connections_are_as_many_as_the_limit_of_open_files_leaves() {
    let folder = folder(&[("tidegate.yaml", &format!("{CONFIG}admin: {{ bind: 127.0.0.1:0 }}\n"))]);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -Sn 100 && ulimit -Hn 300 && exec \"$0\" run", env!("CARGO_BIN_EXE_tidegate")])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null());
    let running = Running::start_with(&mut command, 2);
    assert_eq!(metric(&running, "tidegate_connections_process_limit"), 44);
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
}

#[test]
fn memory_is_limited_and_its_use_is_shown() {
    let config = format!("{CONFIG}admin: {{ bind: 127.0.0.1:0 }}\nmemory: {{ max: 1GiB }}\n");
    let folder = folder(&[("tidegate.yaml", &config)]);
    let running = Running::start_with(&mut crate::program(folder.path(), &["run"]), 2);
    assert_eq!(metric(&running, "tidegate_memory_limit_bytes"), 1 << 30);
    // It is read at start, then once a second.
    let resident = (0..1000)
        .map(|_| metric(&running, "tidegate_memory_resident_bytes"))
        .find(|resident| *resident > 0)
        .expect("it is read");
    assert!(resident < 1 << 30, "{resident}");
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
}
