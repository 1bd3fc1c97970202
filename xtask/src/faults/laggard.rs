//! The way to a server, which takes as long as it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::Result;

/// Passes connections on. Its threads end with the process.
#[derive(Debug)]
pub(super) struct Laggard {
    address: String,
    delay_us: Arc<AtomicU64>,
}

impl Laggard {
    /// One that leads to `to`, without delay.
    pub(super) fn start(to: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (delay_us, to) = (Arc::new(AtomicU64::new(0)), to.to_owned());
        let delay = Arc::clone(&delay_us);
        spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is not there ends the connection.
                let Ok(server) = TcpStream::connect(&to) else { continue };
                let both = client.try_clone().and_then(|back| Ok((back, server.try_clone()?)));
                if let Ok((back, forth)) = both {
                    pass(client, server, Arc::clone(&delay));
                    pass(forth, back, Arc::default());
                }
            }
        });
        Ok(Self { address, delay_us })
    }

    /// `host:port` for clients.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What comes from now on takes so long.
    pub(super) fn delay(&self, delay: Duration) {
        self.delay_us.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Carries what comes from one end to the other.
fn pass(mut from: TcpStream, mut to: TcpStream, delay_us: Arc<AtomicU64>) {
    let (sender, due) = mpsc::channel::<(Instant, Vec<u8>)>();
    drop(to.set_nodelay(true));
    spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            let due = Instant::now() + Duration::from_micros(delay_us.load(Relaxed));
            if sender.send((due, bytes[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    spawn(move || {
        for (at, bytes) in due {
            sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    });
}
