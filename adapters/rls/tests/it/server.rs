//! A service that does as it is told.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use http::{HeaderMap, Request, Response};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with this message.
    Says(Vec<u8>),
    /// Answers with a gRPC status, in the head.
    Fails(u32, &'static str),
    /// Answers with a gRPC status behind a message.
    FailsLate(u32),
    /// Answers as something else does that speaks HTTP.
    Http(u16),
    /// Says nothing.
    Hangs,
    /// Answers, and ends the connection in order.
    SaysAndLeaves(Vec<u8>),
    /// Ends the connection at once.
    Breaks,
}

/// What it saw of a call: path, what else it was sent with, the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) message: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    does: Option<Does>,
    seen: Vec<Seen>,
    connections: usize,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(does: Does) -> Self {
        Self::start_with(does, None).await
    }

    pub(crate) async fn start_with(does: Does, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State { does: Some(does), ..State::default() }));
        let task = tokio::spawn(accept(listener, tls, Arc::clone(&state)));
        Self { address, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("rls://{}", self.address)
    }

    pub(crate) fn now_does(&self, does: Does) {
        self.state.lock().does = Some(does);
    }

    /// What it saw since it was looked at last.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().seen)
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().connections
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    // Connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        state.lock().connections += 1;
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        connections.spawn(async move {
            match tls {
                None => serve(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, state).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<Mutex<State>>) {
    let Ok(mut connection) = server::handshake(stream).await else { return };
    let mut hanging = Vec::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let does = state.lock().does.clone().expect("it is told what to do");
        match &does {
            Does::Breaks => return,
            Does::Hangs => hanging.push((request, respond)),
            Does::SaysAndLeaves(_) => {
                connection.graceful_shutdown();
                tokio::spawn(answer(request, respond, does, Arc::clone(&state)));
            }
            _ => drop(tokio::spawn(answer(request, respond, does, Arc::clone(&state)))),
        }
    }
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    does: Does,
    state: Arc<Mutex<State>>,
) {
    let (head, mut body) = request.into_parts();
    let mut message = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        message.extend_from_slice(&data);
    }
    let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    state.lock().seen.push(Seen { path: head.uri.path().to_owned(), headers, message });
    let head = |status| Response::builder().status(status).header("content-type", "application/grpc");
    let (message, status) = match does {
        Does::Says(message) | Does::SaysAndLeaves(message) => (message, 0),
        Does::FailsLate(status) => (Vec::new(), status),
        Does::Fails(status, said) => {
            let head = head(200).header("grpc-status", status).header("grpc-message", said);
            let _ = respond.send_response(head.body(()).expect("a head"), true);
            return;
        }
        Does::Http(status) => {
            let _ = respond.send_response(head(status).body(()).expect("a head"), true);
            return;
        }
        Does::Hangs | Does::Breaks => return,
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.into());
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    let frame = [&[0][..], &length, &message].concat();
    let Ok(mut stream) = respond.send_response(head(200).body(()).expect("a head"), false) else { return };
    // Whoever asked may have left.
    let _ = stream.send_data(frame.into(), false);
    let _ = stream.send_trailers(trailers);
}
