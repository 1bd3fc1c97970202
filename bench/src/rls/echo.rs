//! The floor: tonic's server with a constant answer.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::Result;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// What is read of a request, and the overall code of an answer.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Message {
    #[prost(string, tag = "1")]
    domain: String,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct Answer {
    #[prost(int32, tag = "1")]
    overall_code: i32,
}

#[derive(Clone, Debug)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "envoy.service.ratelimit.v3.RateLimitService";
}

impl UnaryService<Message> for Echo {
    type Response = Answer;
    type Future = Ready<Result<Response<Answer>, Status>>;

    fn call(&mut self, _: Request<Message>) -> Self::Future {
        ready(Ok(Response::new(Answer { overall_code: 1 })))
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = async move { Ok(Grpc::new(ProstCodec::<Answer, Message>::default()).unary(Self, request).await) };
        let answer: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(answer);
        answer
    }
}

/// Serves until the process ends.
///
/// # Errors
/// The port is taken.
pub async fn echo(address: SocketAddr) -> Result<()> {
    Ok(Server::builder().add_service(Echo).serve(address).await?)
}
