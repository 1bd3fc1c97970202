//! Threads that serve: each with a runtime of its own, and the connections that it was given.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::service::Service;
use crate::{grpc, resp};

/// Connections at one time, of both protocols together.
const CONNECTIONS: usize = 4096;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Connections that wait for a thread.
const HANDED: usize = 64;
/// After an error of the system, such as that there are no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What a server is started with.
#[derive(Debug)]
pub struct Settings {
    /// Where Envoy asks.
    pub grpc: Option<TcpListener>,
    /// Where clients of Redis ask.
    pub resp: Option<TcpListener>,
    /// How many threads, at least 1.
    pub threads: usize,
}

/// Serves until it is stopped.
#[derive(Debug)]
pub struct Server {
    stopping: watch::Sender<bool>,
    drain: watch::Sender<Duration>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Grpc,
    Resp,
}

/// A connection for a thread.
type Handed = (std::net::TcpStream, Speaks);

/// A thread, as who accepts knows it.
#[derive(Clone, Debug)]
struct Thread {
    connections: Arc<AtomicUsize>,
    handed: mpsc::Sender<Handed>,
}

impl Server {
    /// Binds an address, so that a port that is in use is found before anything is served.
    ///
    /// # Errors
    /// As the system says.
    pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    /// Starts to serve.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(service: &Arc<Service>, settings: Settings) -> io::Result<Self> {
        let (stopping, stops) = watch::channel(false);
        let (drain, drains) = watch::channel(Duration::ZERO);
        let mut threads = Vec::new();
        let mut known = Vec::new();
        let mut waiting = Vec::new();
        for _ in 0..settings.threads.max(1) {
            let (handed, connections) = mpsc::channel(HANDED);
            known.push(Thread { connections: Arc::default(), handed });
            waiting.push(connections);
        }
        let mut listeners = Some((settings.grpc, settings.resp));
        for (index, handed) in waiting.into_iter().enumerate() {
            let work = Work {
                service: Arc::clone(service),
                listeners: listeners.take().unwrap_or_default(),
                threads: known.clone(),
                connections: Arc::clone(&known[index].connections),
                handed,
                stops: stops.clone(),
                drains: drains.clone(),
            };
            let runtime = Builder::new_current_thread().enable_all().on_thread_park(grpc::send).build()?;
            let thread = std::thread::Builder::new().name(format!("limiter-{index}"));
            threads.push(thread.spawn(move || runtime.block_on(work.run()))?);
        }
        Ok(Self { stopping, drain, threads })
    }

    /// Accepts nothing more, lets calls in flight end within `drain`, and waits for that.
    pub fn stop(self, drain: Duration) {
        let Self { stopping, drain: within, threads } = self;
        let _ = within.send(drain);
        let _ = stopping.send(true);
        for thread in threads {
            // It has told of its panic.
            let _ = thread.join();
        }
    }
}

/// What one thread does.
struct Work {
    service: Arc<Service>,
    listeners: (Option<TcpListener>, Option<TcpListener>),
    threads: Vec<Thread>,
    connections: Arc<AtomicUsize>,
    handed: mpsc::Receiver<Handed>,
    stops: watch::Receiver<bool>,
    drains: watch::Receiver<Duration>,
}

impl Work {
    async fn run(self) {
        let Self { service, listeners, threads, connections, mut handed, mut stops, drains } = self;
        let mut accepting = JoinSet::new();
        for (listener, speaks) in [(listeners.0, Speaks::Grpc), (listeners.1, Speaks::Resp)] {
            if let Some(listener) = listener {
                accepting.spawn(accept(listener, speaks, threads.clone()));
            }
        }
        drop(threads);
        let mut serving = JoinSet::new();
        tokio::spawn(grpc::answers());
        loop {
            let stopping = stops.clone();
            let (socket, speaks) = tokio::select! {
                _ = stops.wait_for(|stops| *stops) => break,
                Some(_) = serving.join_next() => continue,
                Some(handed) = handed.recv() => handed,
            };
            let Ok(socket) = socket.set_nonblocking(true).and_then(|()| tokio::net::TcpStream::from_std(socket)) else {
                connections.fetch_sub(1, Ordering::Relaxed);
                continue;
            };
            let _ = socket.set_nodelay(true);
            let (service, connections) = (Arc::clone(&service), Arc::clone(&connections));
            serving.spawn(async move {
                match speaks {
                    Speaks::Grpc => grpc::serve(socket, service, stopping).await,
                    Speaks::Resp => resp::serve(socket, service, stopping).await,
                }
                connections.fetch_sub(1, Ordering::Relaxed);
            });
        }
        // The sockets are closed with this.
        accepting.shutdown().await;
        let drain = *drains.borrow();
        let _ = timeout(drain, async { while serving.join_next().await.is_some() {} }).await;
    }
}

/// Accepts connections and gives each to the thread that has the fewest.
async fn accept(listener: TcpListener, speaks: Speaks, threads: Vec<Thread>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the rate limit service cannot listen"),
    };
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "the rate limit service cannot accept connections");
                sleep(PAUSE).await;
                continue;
            }
        };
        let all: usize = threads.iter().map(|thread| thread.connections.load(Ordering::Relaxed)).sum();
        let least = threads.iter().min_by_key(|thread| thread.connections.load(Ordering::Relaxed));
        let (Some(thread), Ok(socket)) = (least, socket.into_std()) else { continue };
        if all >= CONNECTIONS {
            // Closed with what it asked: a proxy takes that for a failure of the service.
            continue;
        }
        thread.connections.fetch_add(1, Ordering::Relaxed);
        if thread.handed.send((socket, speaks)).await.is_err() {
            thread.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
