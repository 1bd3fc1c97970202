//! Under systemd, or what does as it does: told how the program is, and handing it sockets.
use crate::running::{Running, rest};
use crate::{CONFIG, folder, program};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const NOWHERE: &str = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let length = socket.recv(&mut bytes).expect("a datagram");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// A folder with a config, and a supervisor that listens.
fn supervised(config: &str) -> (TempDir, UnixDatagram) {
    let folder = folder(&[("tidegate.yaml", config)]);
    let socket = UnixDatagram::bind(folder.path().join("notify")).expect("bound");
    (folder, socket)
}

fn told(folder: &Path) -> Command {
    let mut command = program(folder, &["run"]);
    command.env("NOTIFY_SOCKET", folder.join("notify"));
    command
}

#[test]
fn it_says_when_it_serves_and_when_it_stops() {
    let (folder, supervisor) = supervised(&format!("drain: 7s\ndrain_delay: 100ms\n{CONFIG}"));
    let running = Running::start(told(folder.path()));
    let mut said = vec![heard(&supervisor)];
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
    said.push(heard(&supervisor));
    assert_eq!(
        said,
        ["READY=1\nSTATUS=Serving", "STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=12100000"],
        "seven seconds, a tenth, and five to spare"
    );
}

#[test]
fn it_shows_the_watchdog_that_it_runs_and_goes_on_while_it_drains() {
    let (folder, supervisor) = supervised(&format!("drain: 1h\n{CONFIG}"));
    let mut running = Running::start_with(told(folder.path()).env("WATCHDOG_USEC", "100000"), 1);
    let first = [heard(&supervisor), heard(&supervisor), heard(&supervisor)];
    assert_eq!(first, ["READY=1\nSTATUS=Serving", "WATCHDOG=1", "WATCHDOG=1"]);
    let idle = running.send("");
    running.signal("TERM");
    running.wait_for_log("draining");
    while !heard(&supervisor).starts_with("STOPPING=1") {}
    assert_eq!([heard(&supervisor), heard(&supervisor)], ["WATCHDOG=1", "WATCHDOG=1"]);
    drop(idle);
    assert_eq!(running.end().0, 0);
}

/// Starts the program with `socket` as its descriptor 3, as systemd does.
fn activated(folder: &Path, socket: &TcpListener) -> Command {
    let program = program(folder, &["run"]);
    let mut command = Command::new("/bin/sh");
    // The shell's own process becomes the program, so that its id is the one that is meant.
    let script = "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" run 3<&0 0</dev/null";
    command.args(["-c", script]).arg(program.get_program()).current_dir(folder).env_clear();
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().expect("a copy"))));
    command
}

#[test]
fn it_serves_on_a_socket_that_it_is_given_and_leaves_its_queue_to_the_next() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    let folder = folder(&[("tidegate.yaml", &CONFIG.replace("127.0.0.1:0", &address.to_string()))]);
    let ask = || {
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        stream.write_all(NOWHERE.as_bytes()).expect("sent");
        stream
    };
    // Nobody serves yet; then one does, then nobody, then another: no client notices.
    let mut answers = Vec::new();
    for _ in 0..2 {
        let waiting = ask();
        let running = Running::start(activated(folder.path(), &socket));
        assert_eq!(running.addresses, [address.to_string()]);
        answers.push(rest(waiting));
        answers.push(rest(ask()));
        running.signal("TERM");
        assert_eq!(running.end().0, 0);
    }
    let statuses: Vec<_> = answers.iter().map(|answer| &answer[..12]).collect();
    assert_eq!(statuses, ["HTTP/1.1 404"; 4]);
}

#[test]
fn a_socket_that_no_listener_wants_is_named() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let folder = folder(&[("tidegate.yaml", CONFIG)]);
    let running = Running::start(activated(folder.path(), &socket));
    running.signal("TERM");
    let address = socket.local_addr().expect("bound").to_string();
    assert_ne!(running.addresses, [address.as_str()]);
    let before = running.before.clone();
    assert_eq!(running.end().0, 0);
    assert!(before.contains("an inherited socket is not used") && before.contains(&address), "{before}");
}
