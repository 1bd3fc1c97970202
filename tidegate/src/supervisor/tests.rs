use super::Supervisor;
use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

const PID: u32 = 4711;

fn supervisor(variables: &[(&str, &str)]) -> Supervisor {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
    Supervisor::new(&find, PID)
}

fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let length = socket.recv(&mut bytes).expect("a datagram");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
fn it_is_told_at_a_path_and_under_an_abstract_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let at_path = UnixDatagram::bind(&path).expect("bound");
    let name = format!("tidegate-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let abstractly = UnixDatagram::bind_addr(&address).expect("bound");
    for (socket, name) in [(at_path, path.display().to_string()), (abstractly, format!("@{name}"))] {
        let supervisor = supervisor(&[("NOTIFY_SOCKET", &name)]);
        supervisor.ready();
        supervisor.stopping(Duration::from_secs(10));
        let told = [heard(&socket), heard(&socket)];
        assert_eq!(
            told,
            ["READY=1\nSTATUS=Serving", "STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=15000000"],
            "{name}"
        );
    }
}

#[test]
fn the_watchdog_is_for_the_process_that_it_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let _socket = UnixDatagram::bind(&path).expect("bound");
    let path = path.display().to_string();
    let heartbeat =
        |variables: &[(&str, &str)]| supervisor(&[&[("NOTIFY_SOCKET", path.as_str())], variables].concat()).heartbeat();
    let found = [
        heartbeat(&[("WATCHDOG_USEC", "4000000")]),
        heartbeat(&[("WATCHDOG_USEC", "4000000"), ("WATCHDOG_PID", "4711")]),
        heartbeat(&[("WATCHDOG_USEC", "4000000"), ("WATCHDOG_PID", "1")]),
        heartbeat(&[("WATCHDOG_USEC", "0")]),
        heartbeat(&[]),
        supervisor(&[("WATCHDOG_USEC", "4000000")]).heartbeat(),
    ];
    let second = Some(Duration::from_secs(1));
    assert_eq!(found, [second, second, None, None, None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_stuck_stops_the_watchdog_from_hearing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_nonblocking(true).expect("a flag");
    let supervisor = supervisor(&[("NOTIFY_SOCKET", &path.display().to_string()), ("WATCHDOG_USEC", "2000000")]);
    let mut looks = [vec![], vec![1], vec![0, 1], vec![]].into_iter();
    let mut heard = Vec::new();
    let watching = supervisor.watch_with(|| {
        heard.push(std::iter::from_fn(|| socket.recv(&mut [0; 256]).ok()).count());
        looks.next().unwrap_or_default()
    });
    let _ = tokio::time::timeout(Duration::from_millis(4500), watching).await;
    // At 0, 1, 2, 3 and 4 seconds: what was said since the look before.
    assert_eq!(heard, [0, 1, 0, 0, 1]);
}
