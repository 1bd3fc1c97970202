//! Clients that hold what they have: idle connections, and streams that are hardly read.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::load::connection::Connection;

/// Connections that are opened at a time.
const AT_A_TIME: usize = 100;

/// Connections from one address: half of what the gateway allows by default.
const FROM_ONE: usize = 500;

/// Makes one request on each of so many connections, says `ready`, and keeps them until the standard
/// input ends.
///
/// # Errors
/// A connection cannot be had, or a request is not answered.
pub async fn idle(address: &str, connections: usize) -> Result<()> {
    let address: SocketAddr = address.parse()?;
    let request = b"GET /v1/items/idle HTTP/1.1\r\nhost: bench.local\r\n\r\n";
    let mut held = Vec::with_capacity(connections);
    while held.len() < connections {
        let mut opening = JoinSet::new();
        for index in held.len()..connections.min(held.len() + AT_A_TIME) {
            opening.spawn_local(async move {
                let stream = connect_from(index, address).await.context("cannot connect")?;
                let mut buffered = Connection::on(stream);
                buffered.exchange(request, |_| {}).await?;
                Ok::<_, anyhow::Error>(buffered.into_stream())
            });
        }
        while let Some(opened) = opening.join_next().await {
            held.push(opened??);
        }
    }
    until_told("ready").await
}

/// Asks for so many streams of 1 GiB, says `ready` when they have begun, and reads a byte a second of
/// each until the standard input ends.
///
/// # Errors
/// A stream does not begin, or breaks off.
pub async fn slow_readers(address: &str, streams: usize) -> Result<()> {
    let request = b"GET /v1/items:watch?pageSize=65536 HTTP/1.1\r\nhost: bench.local\r\n\
                    accept: application/x-ndjson\r\n\r\n";
    let mut readers = JoinSet::new();
    for _ in 0..streams {
        let mut stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.write_all(request).await?;
        let mut begin = [0; 15];
        stream.read_exact(&mut begin).await?;
        anyhow::ensure!(begin == *b"HTTP/1.1 200 OK", "not 200: {}", String::from_utf8_lossy(&begin));
        readers.spawn_local(async move {
            let mut byte = [0];
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if stream.read(&mut byte).await? == 0 {
                    anyhow::bail!("a stream ended");
                }
            }
        });
    }
    tokio::select! {
        told = until_told("ready") => told,
        Some(ended) = readers.join_next() => ended?,
    }
}

/// Connects from an address of its own for every so many connections: no client has all of them.
async fn connect_from(index: usize, address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let client = u8::try_from(1 + index / FROM_ONE)?;
    socket.bind(SocketAddr::from(([127, 0, 0, client], 0)))?;
    Ok(socket.connect(address).await?)
}

async fn until_told(word: &str) -> Result<()> {
    println!("{word}");
    std::io::stdout().flush()?;
    // A thread of its own: standard input blocks.
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}
