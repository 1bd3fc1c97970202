//! Interoperation with tonic's server, over the network and in the process.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, Response};
use http_body::Frame;
use prost::Message;
use tidegate_upstream::{Call, Config, InProcess, RequestBody, Upstream};
use tokio::net::TcpListener;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{Status, Streaming, body::Body, server::Grpc, service::Routes};
use tonic_prost::ProstCodec;

use crate::support::{endpoint, fed, next, next_data, read};

/// `test.Echo`, by hand: `Upper` is unary, `Chat` streams both ways. Messages are
/// `google.protobuf.StringValue`.
#[derive(Clone)]
struct Echo;

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl tower_service::Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut grpc = Grpc::new(ProstCodec::<String, String>::default());
        Box::pin(async move {
            Ok(if request.uri().path().ends_with("/Upper") {
                grpc.unary(Upper, request).await
            } else {
                grpc.streaming(Chat, request).await
            })
        })
    }
}

struct Upper;

impl tonic::server::UnaryService<String> for Upper {
    type Response = String;
    type Future = std::future::Ready<Result<tonic::Response<String>, Status>>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        std::future::ready(match request.into_inner() {
            text if text.is_empty() => Err(Status::not_found("nothing to shout")),
            text => Ok(tonic::Response::new(text.to_uppercase())),
        })
    }
}

struct Chat;

impl tonic::server::StreamingService<String> for Chat {
    type Response = String;
    type ResponseStream = UnboundedReceiverStream<Result<String, Status>>;
    type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<String>>) -> Self::Future {
        let (answers, stream) = tokio::sync::mpsc::unbounded_channel();
        let mut messages = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(text)) = messages.message().await {
                let _ = answers.send(Ok(text.to_uppercase()));
            }
        });
        std::future::ready(Ok(tonic::Response::new(UnboundedReceiverStream::new(stream))))
    }
}

/// A message in its gRPC frame.
fn frame(text: &str) -> Bytes {
    let message = text.to_owned().encode_to_vec();
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(&message);
    frame.freeze()
}

fn request(path: &str, body: impl Into<RequestBody>) -> Request<RequestBody> {
    Request::post(path).header("content-type", "application/grpc").header("te", "trailers").body(body.into()).unwrap()
}

async fn unary_and_streams_work(callee: impl Call) {
    let response = callee.call(request("/test.Echo/Upper", frame("hey")), None).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let answer = read(response.into_body()).await.unwrap();
    assert_eq!((answer.data, answer.trailers.unwrap()["grpc-status"].as_bytes()), (frame("HEY").to_vec(), &b"0"[..]));

    let response = callee.call(request("/test.Echo/Upper", frame("")), None).await.unwrap();
    let head = response.headers().clone();
    assert_eq!(
        (head["grpc-status"].as_bytes(), head["grpc-message"].as_bytes()),
        (&b"5"[..], &b"nothing%20to%20shout"[..])
    );
    assert!(next(&mut response.into_body()).await.is_none());

    let (hand, body) = fed();
    let response = callee.call(request("/test.Echo/Chat", body), None).await.unwrap();
    let mut answers = response.into_body();
    for text in ["one", "two"] {
        hand.send(Ok(Frame::data(frame(text)))).unwrap();
        assert_eq!(next_data(&mut answers).await, frame(&text.to_uppercase()));
    }
    drop(hand);
    let rest = read(answers).await.unwrap();
    assert_eq!((rest.data.len(), rest.trailers.unwrap()["grpc-status"].as_bytes()), (0, &b"0"[..]));
}

#[tokio::test]
async fn tonic_is_called_over_the_network() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server =
        tonic::transport::Server::builder().add_service(Echo).serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(server);
    unary_and_streams_work(Upstream::new(Config::new("test", vec![endpoint(address)]))).await;
    server.abort();
}

#[tokio::test]
async fn tonic_is_called_in_the_process() {
    let routes = Routes::new(Echo).prepare();
    unary_and_streams_work(InProcess::new(routes)).await;
}
