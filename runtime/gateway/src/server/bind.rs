//! Listening sockets, one per worker and address, sharing ports by `SO_REUSEPORT`.

use crate::config::{Config, Place};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Bound sockets: for every worker one per listener.
#[derive(Debug)]
pub struct Listeners {
    workers: Vec<Vec<TcpListener>>,
    addresses: Vec<SocketAddr>,
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
        let workers = worker_count(config.workers);
        let mut sockets: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        for listener in &config.listeners {
            let fail = |source| BindError { address: listener.bind, place: listener.place, source };
            let address = probe(listener.bind).map_err(fail)?;
            for worker in &mut sockets {
                worker.push(bind_shared(address).map_err(fail)?);
            }
            addresses.push(address);
        }
        Ok(Self { workers: sockets, addresses })
    }

    /// The addresses in the order of the config, with the ports that were chosen for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(super) fn into_workers(self) -> Vec<Vec<TcpListener>> {
        self.workers
    }
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
        let workers = listeners.workers.iter().flatten().map(|socket| socket.local_addr().expect("address"));
        assert_eq!(workers.collect::<Vec<_>>(), [*address; 3]);
    }
}
