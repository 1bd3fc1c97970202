//! A tonic client through a listener to a tonic server, as if there were no gateway between.

use crate::live::{Event, Live, Thing, serve_gateway, thing};
use crate::rig::framed;
use http::uri::PathAndQuery;
use prost::Message;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_gateway::config::Config;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::metadata::{Binary, MetadataKey, MetadataMap, MetadataValue};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// A client that knows nothing of the gateway.
struct Client(tonic::client::Grpc<tonic::transport::Channel>);

type Replies = tonic::Streaming<Thing>;

impl Client {
    async fn new(address: SocketAddr) -> Self {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self(tonic::client::Grpc::new(endpoint.connect().await.expect("the gateway listens")))
    }

    async fn unary(&mut self, path: &'static str, request: Request<Thing>) -> Result<tonic::Response<Thing>, Status> {
        self.0.ready().await.expect("a connection");
        self.0.unary(request, PathAndQuery::from_static(path), ProstCodec::default()).await
    }

    async fn get(&mut self, request: Request<Thing>) -> Result<tonic::Response<Thing>, Status> {
        self.unary("/test.Echo/Get", request).await
    }

    async fn watch(&mut self, request: Request<Thing>) -> Replies {
        self.0.ready().await.expect("a connection");
        let path = PathAndQuery::from_static("/test.Echo/Watch");
        self.0.server_streaming(request, path, ProstCodec::default()).await.expect("a stream").into_inner()
    }

    /// Begins a talk with this message.
    async fn chat(&mut self, first: Thing) -> (mpsc::UnboundedSender<Thing>, Replies) {
        self.0.ready().await.expect("a connection");
        let (say, messages) = mpsc::unbounded_channel();
        say.send(first).expect("a listener");
        let messages = Request::new(UnboundedReceiverStream::new(messages));
        let path = PathAndQuery::from_static("/test.Echo/Chat");
        let replies = self.0.streaming(messages, path, ProstCodec::default()).await.expect("a stream");
        (say, replies.into_inner())
    }
}

/// Metadata that the service made, without what the gateway and HTTP add.
fn of_service(metadata: &MetadataMap) -> Vec<String> {
    let headers = metadata.clone().into_headers();
    let ours = ["x-request-id", "date", "content-type", "grpc-status", "grpc-message"];
    let mut lines: Vec<String> = headers
        .iter()
        .filter(|(name, _)| !ours.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
        .collect();
    lines.sort();
    lines
}

#[track_caller]
fn check_refusal(status: &Status) {
    assert_eq!(
        (status.code(), status.message(), status.details()),
        (Code::FailedPrecondition, "nö, 100 %", &[8, 9][..])
    );
    assert_eq!(of_service(status.metadata()), ["why-bin: AP8"]);
}

#[tokio::test]
async fn unary_calls_cross_with_metadata_of_every_kind() {
    let live = Live::start().await;
    let mut client = Client::new(live.address).await;
    let mut request = Request::new(thing(7, "x"));
    let metadata = request.metadata_mut();
    metadata.append("x-test-one", "a".parse().expect("text"));
    metadata.append("x-test-one", "b, c".parse().expect("text"));
    let binary = MetadataKey::<Binary>::from_static("x-test-raw-bin");
    metadata.append_bin(binary.clone(), MetadataValue::from_bytes(&[0, 255]));
    metadata.append_bin(binary, MetadataValue::from_bytes(b""));
    let response = client.get(request).await.expect("an answer");
    let want = ["seen-x-test-one: a", "seen-x-test-one: b, c", "seen-x-test-raw-bin: ", "seen-x-test-raw-bin: AP8"];
    assert_eq!(
        (of_service(response.metadata()), response.into_inner()),
        (want.map(String::from).to_vec(), thing(7, "x"))
    );
}

#[tokio::test]
async fn a_large_message_crosses_in_both_directions() {
    let live = Live::start().await;
    let mut client = Client::new(live.address).await;
    let large = thing(1, &"x".repeat(3_000_000));
    let response = client.get(Request::new(large.clone())).await.expect("an answer");
    assert_eq!(response.into_inner(), large);
}

#[tokio::test]
async fn a_refusal_crosses_whole_as_trailers_only_and_as_trailers() {
    let live = Live::start().await;
    let mut client = Client::new(live.address).await;
    check_refusal(&client.get(Request::new(thing(0, "refuse"))).await.expect_err("a refusal"));
    let mut replies = client.watch(Request::new(thing(2, "refuse"))).await;
    assert_eq!(replies.message().await.expect("a message"), Some(thing(1, "")));
    assert_eq!(replies.message().await.expect("a message"), Some(thing(2, "")));
    check_refusal(&replies.message().await.expect_err("a refusal"));
}

#[tokio::test]
async fn a_client_streams_and_a_server_streams() {
    let mut live = Live::start().await;
    let mut client = Client::new(live.address).await;
    let messages = tokio_stream::iter([thing(1, "a"), thing(2, "b"), thing(3, "c")]);
    client.0.ready().await.expect("a connection");
    let path = PathAndQuery::from_static("/test.Echo/Upload");
    let call = client.0.client_streaming(Request::new(messages), path, ProstCodec::<Thing, Thing>::default());
    assert_eq!(call.await.expect("an answer").into_inner(), thing(6, "abc"));
    for id in 1..=3 {
        assert!(matches!(live.events.recv().await, Some(Event::Got(got)) if got.id == id));
    }
    assert_eq!(live.events.recv().await, Some(Event::End));

    let mut replies = client.watch(Request::new(thing(1000, ""))).await;
    for id in 1..=1000 {
        assert_eq!(replies.message().await.expect("a message"), Some(thing(id, "")));
    }
    assert_eq!(replies.message().await.expect("the end"), None);
}

/// Neither side sends its next message before it has the other's: nothing is held back.
#[tokio::test]
async fn both_sides_talk_in_turn() {
    let mut live = Live::start().await;
    let mut client = Client::new(live.address).await;
    let (say, mut replies) = client.chat(thing(0, "")).await;
    for id in 0..100 {
        assert_eq!(replies.message().await.expect("a message"), Some(thing(id, "")));
        assert_eq!(live.events.recv().await, Some(Event::Got(thing(id, ""))));
        say.send(thing(id + 1, "")).expect("a listener");
    }
    drop(say);
    assert_eq!(replies.message().await.expect("a message"), Some(thing(100, "")));
    assert_eq!(replies.message().await.expect("the end"), None);
}

/// The service may end a call whose client still has things to say.
#[tokio::test]
async fn a_service_that_ends_first_is_heard() {
    let live = Live::start().await;
    let mut client = Client::new(live.address).await;
    for (name, refused) in [("bye", false), ("refuse", true)] {
        let (say, mut replies) = client.chat(thing(1, name)).await;
        if refused {
            check_refusal(&replies.message().await.expect_err("a refusal"));
        } else {
            assert_eq!(replies.message().await.expect("a message"), Some(thing(1, "bye")));
            assert_eq!(replies.message().await.expect("the end"), None);
        }
        drop(say);
    }
}

#[tokio::test]
async fn a_deadline_is_kept_and_the_service_learns_of_it() {
    // That of the route: one of the client's would be kept by tonic itself.
    let change = |config: &mut Config| config.routes[0].timeout = Some(Duration::from_millis(50));
    let mut live = Live::start_with(change).await;
    let mut client = Client::new(live.address).await;
    let status = client.get(Request::new(thing(0, "sleep"))).await.expect_err("no answer comes");
    let want = (Code::DeadlineExceeded, "the deadline passed before the upstream answered");
    assert_eq!((status.code(), status.message()), want);
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
    // Within the reply, whose head came in time.
    let mut replies = client.watch(Request::new(thing(1, "sleep"))).await;
    assert_eq!(replies.message().await.expect("a message"), Some(thing(1, "")));
    assert_eq!(replies.message().await.expect_err("no more comes").code(), Code::DeadlineExceeded);
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_call() {
    let mut live = Live::start().await;
    let mut client = Client::new(live.address).await;
    // While it waits for the head.
    let left = tokio::time::timeout(Duration::from_millis(100), client.get(Request::new(thing(0, "sleep")))).await;
    assert!(left.is_err(), "nothing was answered");
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
    // Within the reply.
    let mut replies = client.watch(Request::new(thing(1, "sleep"))).await;
    assert_eq!(replies.message().await.expect("a message"), Some(thing(1, "")));
    drop(replies);
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
}

/// By a frame, since tonic's client goes on sending when nobody reads the replies.
#[tokio::test]
async fn a_client_that_resets_its_stream_cancels_the_call() {
    let mut live = Live::start().await;
    let socket = tokio::net::TcpStream::connect(live.address).await.expect("the gateway listens");
    let (client, connection) = h2::client::handshake(socket).await.expect("the gateway speaks HTTP/2");
    let connection = tokio::spawn(connection);
    let request = http::Request::post("http://x/test.Echo/Chat").header("content-type", "application/grpc").body(());
    let mut client = client.ready().await.expect("a stream");
    let (reply, mut send) = client.send_request(request.expect("a request"), false).expect("sent");
    send.send_data(framed(0, &thing(1, "").encode_to_vec()), false).expect("sent");
    let mut reply = reply.await.expect("a head").into_body();
    assert_eq!(reply.data().await.expect("a message").expect("bytes"), framed(0, &thing(1, "").encode_to_vec()));
    assert_eq!(live.events.recv().await, Some(Event::Got(thing(1, ""))));
    send.send_reset(h2::Reason::CANCEL);
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
    connection.abort();
}

#[tokio::test]
async fn methods_and_services_that_are_not_there_are_unimplemented() {
    let live = Live::start().await;
    let mut client = Client::new(live.address).await;
    for (path, message) in
        [("/test.Echo/Newer", "newer than this server"), ("/test.Other/Do", "no service test.Other is served here")]
    {
        let status = client.unary(path, Request::new(thing(0, ""))).await.expect_err("not there");
        assert_eq!((status.code(), status.message()), (Code::Unimplemented, message));
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_is_unavailable() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address")
    };
    let (address, server) = serve_gateway(nobody, |_| {});
    let mut client = Client::new(address).await;
    let status = client.get(Request::new(thing(0, ""))).await.expect_err("nobody there");
    let want = (Code::Unavailable, "the upstream cannot serve the call: connect");
    assert_eq!((status.code(), status.message()), want);
    drop(client);
    tokio::task::spawn_blocking(move || server.shutdown()).await.expect("it stops");
}
