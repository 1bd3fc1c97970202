//! A gRPC service that answers when it is told to.

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response};
use std::sync::mpsc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What it speaks.
pub(crate) const PROTO: &str = r#"syntax = "proto3";
package slow.v1;

import "google/api/annotations.proto";

service Slow {
  rpc Wait(Words) returns (Words) { option (google.api.http) = { get: "/v1/wait/{text}" }; }
  rpc Watch(Words) returns (stream Words) { option (google.api.http) = { get: "/v1/watch/{text}" }; }
}

message Words { string text = 1; }
"#;

/// The service, on a thread of its own until the test ends.
pub(crate) struct SlowUpstream {
    address: String,
    arrived: mpsc::Receiver<()>,
    release: watch::Sender<bool>,
}

impl SlowUpstream {
    pub(crate) fn start() -> Self {
        let (tell_address, address) = mpsc::channel();
        let (tell_arrived, arrived) = mpsc::channel();
        let (release, released) = watch::channel(false);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                tell_address.send(listener.local_addr().expect("bound")).expect("the test waits");
                loop {
                    let (socket, _) = listener.accept().await.expect("a connection");
                    tokio::spawn(connection(socket, tell_arrived.clone(), released.clone()));
                }
            });
        });
        let address = address.recv().expect("it listens").to_string();
        Self { address, arrived, release }
    }

    /// The config of a gateway before it, with `more` lines.
    pub(crate) fn config(&self, more: &str) -> String {
        format!(
            "listeners: [{{ bind: 127.0.0.1:0 }}]\n\
             upstreams: {{ slow: {{ endpoints: [\"{}\"], schema: {{ proto: [slow] }} }} }}\n\
             routes: [{{ service: slow.v1.Slow, upstream: slow }}]\n{more}\n",
            self.address
        )
    }

    /// Waits until one more request is there.
    pub(crate) fn wait(&self) {
        self.arrived.recv().expect("a request comes");
    }

    /// Answers whatever waits, and whatever comes.
    pub(crate) fn release(&self) {
        self.release.send_replace(true);
    }
}

async fn connection(socket: TcpStream, arrived: mpsc::Sender<()>, released: watch::Receiver<bool>) {
    let mut connection = h2::server::handshake(socket).await.expect("a gateway");
    while let Some(Ok((request, respond))) = connection.accept().await {
        let stream = request.uri().path().ends_with("/Watch");
        let _ = arrived.send(());
        tokio::spawn(answer(respond, stream, released.clone()));
    }
}

/// A message `{"text":"done"}`: to a call at the end, to a stream at the beginning.
async fn answer(mut respond: SendResponse<Bytes>, stream: bool, mut released: watch::Receiver<bool>) {
    const DONE: &[u8] = b"\0\0\0\0\x06\x0a\x04done";
    if !stream {
        let _ = released.wait_for(|&released| released).await;
    }
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    // The gateway may have left by now.
    let Ok(mut send) = respond.send_response(response, false) else { return };
    let _ = send.send_data(Bytes::from_static(DONE), false);
    if stream {
        let _ = released.wait_for(|&released| released).await;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = send.send_trailers(trailers);
}
