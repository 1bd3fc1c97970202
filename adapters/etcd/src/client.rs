//! Calls of etcd's v3 API over gRPC.

use crate::Address;
use crate::wire::{
    AuthenticateRequest, AuthenticateResponse, RangeRequest, RangeResponse, WatchCreateRequest, WatchRequest,
    WatchResponse,
};
use http::uri::PathAndQuery;
use prost::Message;
use std::error::Error;
use std::time::Duration;
use tidegate_source::MAX_BYTES;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

/// How long one server may take to take a connection, if there are others.
const CONNECT: Duration = Duration::from_secs(1);
/// How often a connection over which nothing comes is tried, and how long the answer may take.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3));
/// Messages may be larger than a config that is taken, so that one that is not can be told from an error.
const MESSAGE_MAX: usize = 4 * MAX_BYTES;

/// A connection to one server.
pub(crate) struct Client {
    grpc: Grpc<Channel>,
    token: Option<MetadataValue<Ascii>>,
}

/// A watch. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Watch {
    responses: Streaming<WatchResponse>,
    /// etcd ends a watch whose requests end.
    _requests: mpsc::Sender<WatchRequest>,
}

impl Client {
    /// Connects to the first of the servers that takes it, and authenticates if there is a user.
    pub(crate) async fn connect(address: &Address) -> Result<Self, String> {
        let mut failures = Vec::new();
        for server in &address.servers {
            match connect(server).await {
                Ok(channel) => {
                    let grpc = Grpc::new(channel).max_decoding_message_size(MESSAGE_MAX);
                    let mut client = Self { grpc, token: None };
                    client.authenticate(address).await?;
                    return Ok(client);
                }
                Err(error) => failures.push(format!("cannot connect to {server}: {error}")),
            }
        }
        Err(failures.join("; "))
    }

    async fn authenticate(&mut self, address: &Address) -> Result<(), String> {
        let Some((name, password)) = address.user.clone() else { return Ok(()) };
        let request = AuthenticateRequest { name, password };
        let answer: AuthenticateResponse = self.unary("/etcdserverpb.Auth/Authenticate", request).await?;
        let token = answer.token.parse().map_err(|_| "the token that etcd gives is no header value".to_owned())?;
        self.token = Some(token);
        Ok(())
    }

    /// All keys that begin with `prefix`, at one revision.
    pub(crate) async fn range(&mut self, prefix: &str) -> Result<RangeResponse, String> {
        let request = RangeRequest { key: prefix.into(), range_end: behind(prefix) };
        self.unary("/etcdserverpb.KV/Range", request).await
    }

    /// What happens to keys that begin with `prefix`, from a revision on.
    pub(crate) async fn watch(&mut self, prefix: &str, start_revision: i64) -> Result<Watch, String> {
        let create = WatchCreateRequest { key: prefix.into(), range_end: behind(prefix), start_revision };
        let (requests, receiver) = mpsc::channel(1);
        // There is room for one.
        let _ = requests.try_send(WatchRequest { create_request: Some(create) });
        let request = self.with_metadata(Request::new(ReceiverStream::new(receiver)));
        self.ready().await?;
        let codec = ProstCodec::<WatchRequest, WatchResponse>::default();
        let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
        let answer = self.grpc.streaming(request, path, codec).await.map_err(|status| told(&status))?;
        Ok(Watch { responses: answer.into_inner(), _requests: requests })
    }

    async fn unary<M, R>(&mut self, path: &'static str, message: M) -> Result<R, String>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        let request = self.with_metadata(Request::new(message));
        self.ready().await?;
        let codec = ProstCodec::<M, R>::default();
        let answer = self.grpc.unary(request, PathAndQuery::from_static(path), codec).await;
        answer.map(tonic::Response::into_inner).map_err(|status| told(&status))
    }

    async fn ready(&mut self) -> Result<(), String> {
        self.grpc.ready().await.map_err(|error| chain(&error))
    }

    fn with_metadata<T>(&self, mut request: Request<T>) -> Request<T> {
        // A server without a leader refuses, instead of telling nothing for ever.
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        request
    }
}

impl Watch {
    /// The next answer; `None` or an error is the end.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn message(&mut self) -> Result<Option<WatchResponse>, Status> {
        self.responses.message().await
    }
}

async fn connect(server: &str) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{server}")).map_err(|error| chain(&error))?;
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(|error| chain(&error))
}

/// The end of the range of all keys that begin with `prefix`: its last byte that can be larger, one larger.
fn behind(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // "All keys from here on", in etcd's words.
    vec![0]
}

fn told(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// An error and what it is from, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn the_range_of_a_prefix_ends_behind_its_last_key() {
        assert_eq!([behind("/a/"), behind("a")], [b"/a0".to_vec(), b"b".to_vec()]);
    }
}
