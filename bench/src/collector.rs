//! A collector of telemetry that takes everything and keeps nothing: OTLP over gRPC, on raw h2.

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tokio::net::{TcpListener, TcpStream};

use crate::upstream::collect;

/// An empty message: everything was taken.
const TAKEN: &[u8] = &[0; 5];

/// Serves h2c until the listener fails. Must run in a [`tokio::task::LocalSet`].
///
/// # Errors
/// The listener fails.
pub async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        // A gateway that ends is no error here.
        tokio::task::spawn_local(connection(socket));
    }
}

async fn connection(socket: TcpStream) -> Result<()> {
    let mut connection = h2::server::handshake(socket).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::task::spawn_local(take(request, respond));
    }
    Ok(())
}

async fn take(request: http::Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) -> Result<()> {
    collect(&mut request.into_body()).await?;
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut send = respond.send_response(response, false)?;
    send.send_data(Bytes::from_static(TAKEN), false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    send.send_trailers(trailers)?;
    Ok(())
}
