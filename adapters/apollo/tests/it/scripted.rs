//! A server that answers what the test says, and holds what the test says.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Answers with this status and body.
    Answer(u16, String),
    /// Never answers.
    Hold,
}

/// The server. Requests are answered in the order of the script; what comes after it is held.
#[derive(Debug)]
pub(crate) struct Scripted {
    address: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Do>,
    requests: Vec<String>,
}

impl Scripted {
    pub(crate) async fn start(script: impl IntoIterator<Item = Do>) -> Self {
        Self::start_with(script, None).await
    }

    /// One that speaks TLS.
    pub(crate) async fn start_with(script: impl IntoIterator<Item = Do>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let state = Arc::new(Mutex::new(State { script: script.into_iter().collect(), requests: Vec::new() }));
        let task = tokio::spawn(serve(listener, Arc::clone(&state), tls));
        Self { address, state, task }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What came: the targets, each with the headers that sign it.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().requests.clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A JSON answer.
pub(crate) fn ok(body: &str) -> Do {
    Do::Answer(200, body.to_owned())
}

/// An answer without a body.
pub(crate) fn status(status: u16) -> Do {
    Do::Answer(status, String::new())
}

/// A release of a namespace.
pub(crate) fn release(key: &str, content: &str) -> Do {
    ok(&format!(
        r#"{{"appId":"gateway","cluster":"default","configurations":{{"content":"{content}"}},"releaseKey":"{key}"}}"#
    ))
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, tls: Option<TlsAcceptor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => answer(stream, state).await,
                Some(tls) => {
                    // A client that does not believe us hangs up.
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream, state).await;
                    }
                }
            }
        });
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, state: Arc<Mutex<State>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let answer = {
        let mut state = state.lock();
        state.requests.push(shown(&String::from_utf8_lossy(&request)));
        state.script.pop_front().unwrap_or(Do::Hold)
    };
    match answer {
        Do::Answer(status, body) => {
            let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n\r\n", body.len());
            // A client that has left does not read it.
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        // Until the client leaves.
        Do::Hold => drop(stream.read_u8().await),
    }
}

/// The target, and what signs it.
fn shown(request: &str) -> String {
    let mut lines = request.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let signs = |line: &&str| line.starts_with("authorization: ") || line.starts_with("timestamp: ");
    std::iter::once(target).chain(lines.filter(signs)).collect::<Vec<_>>().join(" ")
}
