//! Whoever started the program and looks after it: systemd, or what speaks its protocol.
//!
//! `sd_notify(3)` for readiness, stopping and the watchdog; `sd_listen_fds(3)` for sockets that listen
//! before the program does, and go on listening after it.

use listenfd::ListenFd;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tidegate_gateway::server::Heartbeat;

/// How much longer than its drain the program may take to end.
const STOP_SLACK: Duration = Duration::from_secs(5);

/// Who is told how the program does; nobody, if nobody asked.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// A supervisor that hears nothing for this time kills the program.
    watchdog: Option<Duration>,
}

/// The sockets that the process was started with. To be called once, before there are threads: the
/// variables that tell of them are removed.
pub(crate) fn inherited_sockets() -> Vec<TcpListener> {
    let mut given = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..given.len() {
        match given.take_tcp_listener(index) {
            Ok(socket) => sockets.extend(socket),
            Err(error) => tracing::warn!(%error, "an inherited descriptor is not used: it is no TCP socket"),
        }
    }
    sockets
}

impl Supervisor {
    /// The one that the environment names.
    pub(crate) fn of_process() -> Self {
        Self::new(&|name| std::env::var_os(name), std::process::id())
    }

    fn new(environment: &dyn Fn(&str) -> Option<OsString>, pid: u32) -> Self {
        let name = environment("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = name.and_then(|name| match connect(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(socket = %name.display(), %error, "the supervisor cannot be told anything");
                None
            }
        });
        let number = |name| environment(name)?.to_str()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|watched| watched == u64::from(pid));
        let watchdog = number("WATCHDOG_USEC").filter(|&micros| ours && micros > 0).map(Duration::from_micros);
        Self { watchdog: watchdog.filter(|_| socket.is_some()), socket }
    }

    /// How often the workers have to show that they run, so that the supervisor can be told in time.
    pub(crate) fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / 4)
    }

    /// Requests are taken.
    pub(crate) fn ready(&self) {
        self.tell("READY=1\nSTATUS=Serving");
    }

    /// No more requests are taken; what is in flight may take this long.
    pub(crate) fn stopping(&self, at_most: Duration) {
        let micros = (at_most + STOP_SLACK).as_micros();
        self.tell(&format!("STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC={micros}"));
    }

    /// Tells at half of the watchdog's time that all is well, as long as every worker runs.
    pub(crate) async fn watch(&self, mut heartbeat: Heartbeat) {
        self.watch_with(|| heartbeat.stuck()).await;
    }

    async fn watch_with(&self, mut stuck: impl FnMut() -> Vec<usize>) {
        let Some(time) = self.watchdog else { return };
        let mut ticks = tokio::time::interval(time / 2);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let stuck = stuck();
            if stuck.is_empty() {
                self.tell("WATCHDOG=1");
            } else {
                tracing::error!(workers = ?stuck, "workers do not run: the watchdog is not told that all is well");
            }
        }
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(state.as_bytes())
        {
            tracing::warn!(%error, state, "the supervisor could not be told");
        }
    }
}

/// A path, or behind `@` a name in Linux's abstract namespace.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "neither a path nor an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not listen must not hold up the program.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
