//! Opening a connection: names, addresses, TCP, the handshake of HTTP/2, within one timeout.

use std::{net::SocketAddr, time::Duration};

use tokio::net::TcpStream;

use crate::{
    Config, ConnectError, Endpoint, Protocol,
    connection::{self, Established},
    h1::Wire,
};

/// A connection, and how many addresses its endpoint has.
pub(crate) struct Connected {
    pub(crate) established: Established,
    pub(crate) addresses: usize,
}

/// Connects to one of the endpoint's addresses, beginning with the one that `turn` points at.
pub(crate) async fn connect(endpoint: &Endpoint, turn: usize, config: &Config) -> Result<Connected, ConnectError> {
    tokio::time::timeout(config.connect_timeout, try_addresses(endpoint, turn, config))
        .await
        .unwrap_or(Err(ConnectError::Timeout))
}

async fn try_addresses(endpoint: &Endpoint, turn: usize, config: &Config) -> Result<Connected, ConnectError> {
    let lookup = tokio::net::lookup_host((endpoint.bare_host(), endpoint.port));
    let mut addresses: Vec<SocketAddr> = lookup.await.map_err(ConnectError::Lookup)?.collect();
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    if addresses.is_empty() {
        return Err(ConnectError::NoAddress);
    }
    let first = turn % addresses.len();
    addresses.rotate_left(first);
    // Each address has its share of the time, so that one that does not answer hides no other.
    let share = config.connect_timeout / count;
    let mut error = ConnectError::NoAddress;
    for address in &addresses {
        match try_address(*address, share, config).await {
            Ok(established) => return Ok(Connected { established, addresses: addresses.len() }),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

async fn try_address(address: SocketAddr, timeout: Duration, config: &Config) -> Result<Established, ConnectError> {
    let established = async {
        let socket = TcpStream::connect(address).await.map_err(ConnectError::Tcp)?;
        // Requests are small and answered at once: never wait for more to send.
        socket.set_nodelay(true).map_err(ConnectError::Tcp)?;
        match config.protocol {
            Protocol::H1 => Ok(Established::H1(Wire::new(socket, config))),
            Protocol::H2 => connection::establish(socket, config).await,
        }
    };
    tokio::time::timeout(timeout, established).await.unwrap_or(Err(ConnectError::Timeout))
}
