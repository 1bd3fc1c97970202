//! Listening sockets: bound here, one per worker and address, sharing ports by `SO_REUSEPORT`; or inherited
//! from whoever started the process, and shared by the workers.

use crate::config::{Config, Listener, Place};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Bound sockets: for every worker one per listener.
#[derive(Debug)]
pub struct Listeners {
    workers: Vec<Vec<Listening>>,
    addresses: Vec<SocketAddr>,
    unused: Vec<SocketAddr>,
}

/// A socket to accept from.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) socket: TcpListener,
    /// Others have it as well: our predecessor, our successor, and whoever started us.
    pub(super) inherited: bool,
}

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// The address in the config.
    pub address: SocketAddr,
    /// Where the config says so.
    pub place: Place,
    /// What the operating system says.
    #[source]
    pub source: io::Error,
}

impl Listeners {
    /// Binds every listener of `config`.
    ///
    /// A port that another process listens on is an error even if that process shares it by
    /// `SO_REUSEPORT`: each address is bound once without that option first.
    ///
    /// # Errors
    /// [`BindError`] for the first address that cannot be had.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        Self::bind_or_inherit(config, Vec::new())
    }

    /// As [`Listeners::bind`], but takes over sockets that already listen ("socket activation").
    ///
    /// A listener whose address and port are those of an inherited socket uses it, and all workers
    /// accept from it: what waits in its queue when the process ends is left for the next one. Of
    /// several with the same address each worker gets one, as far as they go.
    ///
    /// # Errors
    /// [`BindError`] for the first address that cannot be had.
    pub fn bind_or_inherit(config: &Config, mut inherited: Vec<TcpListener>) -> Result<Self, BindError> {
        let workers = worker_count(config.workers);
        let mut sockets: Vec<Vec<Listening>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for listener in &config.listeners {
            let fail = |source| BindError { address: listener.bind, place: listener.place, source };
            let found: Vec<_> = inherited.extract_if(.., |socket| listens_on(socket, listener.bind)).collect();
            let address = if found.is_empty() { probe(listener.bind).map_err(fail)? } else { listener.bind };
            for (index, worker) in sockets.iter_mut().enumerate() {
                let socket = match found.get(index % found.len().max(1)) {
                    Some(socket) => Listening { socket: share(socket).map_err(fail)?, inherited: true },
                    None => Listening { socket: bind_shared(address).map_err(fail)?, inherited: false },
                };
                worker.push(socket);
            }
            addresses.push(address);
        }
        let unused = inherited.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        Ok(Self { workers: sockets, addresses, unused })
    }

    /// The addresses in the order of the config, with the ports that were chosen for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where inherited sockets listen that no listener of the config wanted.
    #[must_use]
    pub fn unused(&self) -> &[SocketAddr] {
        &self.unused
    }

    pub(super) fn into_workers(self) -> Vec<Vec<Listening>> {
        self.workers
    }
}

/// Binds a listener for so many workers, beside others of this process that listen at the ports `ours`:
/// with those it may share a port. All else is as in [`Listeners::bind`].
pub(super) fn bind_beside(
    listener: &Listener,
    workers: usize,
    ours: &[u16],
) -> Result<(SocketAddr, Vec<Listening>), BindError> {
    let fail = |source| BindError { address: listener.bind, place: listener.place, source };
    let shares = listener.bind.port() != 0 && ours.contains(&listener.bind.port());
    let address = if shares { listener.bind } else { probe(listener.bind).map_err(fail)? };
    let socket = |_| Ok(Listening { socket: bind_shared(address)?, inherited: false });
    let sockets = (0..workers).map(socket).collect::<io::Result<_>>().map_err(fail)?;
    Ok((address, sockets))
}

/// One worker per core unless the config says otherwise.
fn worker_count(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

/// Finds out whether the address is free, and which port 0 becomes.
fn probe(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    TcpListener::from(socket).local_addr()
}

/// Whether a socket listens where a listener wants to.
fn listens_on(socket: &TcpListener, bind: SocketAddr) -> bool {
    let same = |address: SocketAddr| (address.ip(), address.port()) == (bind.ip(), bind.port());
    socket.local_addr().is_ok_and(same) && SockRef::from(socket).is_listener().unwrap_or(false)
}

/// One more descriptor of the same socket, which programs that we start do not get.
fn share(socket: &TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    socket.try_clone()
}

fn bind_shared(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the former process in TIME_WAIT.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::{Listeners, bind_shared, probe};
    use crate::config::{Config, Listener, Place};

    #[test]
    fn a_port_that_another_listener_shares_is_found_taken() {
        let first = bind_shared(probe("127.0.0.1:0".parse().expect("address")).expect("free port")).expect("bound");
        let bind = first.local_addr().expect("address");
        let place = Place { line: 3, column: 5 };
        let config = Config { workers: 1, listeners: vec![Listener::new(bind, place)], ..Config::default() };
        let error = Listeners::bind(&config).expect_err("the port is taken");
        assert_eq!((error.address, error.place, error.source.kind()), (bind, place, std::io::ErrorKind::AddrInUse));
    }

    #[test]
    fn port_0_becomes_one_port_for_all_workers() {
        let listener = Listener::new("127.0.0.1:0".parse().expect("address"), Place::default());
        let config = Config { workers: 3, listeners: vec![listener], ..Config::default() };
        let listeners = Listeners::bind(&config).expect("bound");
        let [address] = listeners.addresses() else { panic!("one address") };
        assert_ne!(address.port(), 0);
        let workers =
            listeners.workers.iter().flatten().map(|listening| listening.socket.local_addr().expect("address"));
        assert_eq!(workers.collect::<Vec<_>>(), [*address; 3]);
    }

    #[test]
    fn an_inherited_socket_is_shared_by_all_workers_and_the_others_are_named() {
        let listening =
            || bind_shared(probe("127.0.0.1:0".parse().expect("address")).expect("free port")).expect("bound");
        let (wanted, other) = (listening(), listening());
        let addresses = [&wanted, &other].map(|socket| socket.local_addr().expect("address"));
        let listener = Listener::new(addresses[0], Place::default());
        let config = Config { workers: 2, listeners: vec![listener], ..Config::default() };
        let listeners = Listeners::bind_or_inherit(&config, vec![other, wanted]).expect("bound");
        assert_eq!((listeners.addresses(), listeners.unused()), (&addresses[..1], &addresses[1..]));
        let workers = listeners.workers.iter().flatten();
        let found: Vec<_> = workers.map(|one| (one.socket.local_addr().expect("address"), one.inherited)).collect();
        assert_eq!(found, [(addresses[0], true); 2]);
    }
}
