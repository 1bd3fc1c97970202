//! The methods of the two services, by their paths.

use crate::messages::{
    Empty, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};
use anyhow::Result;
use http::uri::PathAndQuery;
use prost::Message;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// A client of both services.
#[derive(Debug, Clone)]
pub(crate) struct Client(Grpc<Channel>);

impl Client {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
        Ok(Self(Grpc::new(channel)))
    }

    pub(crate) async fn empty(&mut self, path: &'static str) -> Result<Response<Empty>, Status> {
        self.unary(path, Request::new(Empty {})).await
    }

    pub(crate) async fn unary_call(
        &mut self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        self.unary("/grpc.testing.TestService/UnaryCall", request).await
    }

    async fn unary<Q, R>(&mut self, path: &'static str, request: Request<Q>) -> Result<Response<R>, Status>
    where
        Q: Message + Default + 'static,
        R: Message + Default + 'static,
    {
        self.ready().await?;
        self.0.unary(request, PathAndQuery::from_static(path), ProstCodec::<Q, R>::default()).await
    }

    pub(crate) async fn streaming_input(
        &mut self,
        requests: impl Stream<Item = StreamingInputCallRequest> + Send + 'static,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static("/grpc.testing.TestService/StreamingInputCall");
        self.0.client_streaming(Request::new(requests), path, ProstCodec::default()).await
    }

    pub(crate) async fn streaming_output(
        &mut self,
        request: StreamingOutputCallRequest,
    ) -> Result<Streaming<StreamingOutputCallResponse>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static("/grpc.testing.TestService/StreamingOutputCall");
        let codec = ProstCodec::<StreamingOutputCallRequest, StreamingOutputCallResponse>::default();
        Ok(self.0.server_streaming(Request::new(request), path, codec).await?.into_inner())
    }

    pub(crate) async fn full_duplex<S>(
        &mut self,
        requests: Request<S>,
    ) -> Result<Response<Streaming<StreamingOutputCallResponse>>, Status>
    where
        S: Stream<Item = StreamingOutputCallRequest> + Send + 'static,
    {
        self.ready().await?;
        let path = PathAndQuery::from_static("/grpc.testing.TestService/FullDuplexCall");
        self.0.streaming(requests, path, ProstCodec::default()).await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }
}
