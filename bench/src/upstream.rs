//! A gRPC upstream that costs little: raw h2, answers encoded once, the POST echoed. Whoever speaks HTTP/1.1 gets
//! the small object as JSON.

use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scenario::Scenario;

type Replies = Rc<HashMap<&'static str, Vec<Bytes>>>;

/// Serves h2c until the listener fails. Must run in a [`tokio::task::LocalSet`].
///
/// # Errors
/// The listener fails.
pub async fn serve(listener: TcpListener) -> Result<()> {
    let replies: Replies =
        Rc::new(Scenario::ALL.into_iter().map(|scenario| (scenario.grpc_path(), scenario.grpc_reply())).collect());
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let replies = Rc::clone(&replies);
        tokio::task::spawn_local(async move {
            if let Err(error) = connection(socket, replies).await {
                eprintln!("upstream connection: {error:#}");
            }
        });
    }
}

async fn connection(socket: TcpStream, replies: Replies) -> Result<()> {
    let mut first = [0];
    socket.peek(&mut first).await?;
    // Nothing else that is asked here begins like the preface of HTTP/2.
    if first != *b"P" {
        return plain(socket).await;
    }
    let mut connection = h2::server::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(16 << 20)
        .max_concurrent_streams(1000)
        .handshake(socket)
        .await?;
    while let Some(request) = connection.accept().await {
        let Ok((request, respond)) = request else {
            // The client hung up, which is how every gateway under test ends.
            return Ok(());
        };
        let replies = Rc::clone(&replies);
        tokio::task::spawn_local(async move {
            if let Err(error) = answer(request, respond, &replies).await {
                eprintln!("upstream call: {error:#}");
            }
        });
    }
    Ok(())
}

/// Answers every head that comes, for as long as some do; none has a body.
async fn plain(mut socket: TcpStream) -> Result<()> {
    let body = Scenario::Plain.json_reply().to_string();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut head = Vec::with_capacity(4096);
    while socket.read_buf(&mut head).await? > 0 {
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            socket.write_all(answer.as_bytes()).await?;
        }
    }
    Ok(())
}

async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    replies: &HashMap<&'static str, Vec<Bytes>>,
) -> Result<()> {
    let path = request.uri().path().to_owned();
    let body = collect(&mut request.into_body()).await?;
    let known = replies.get(path.as_str());
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut send = respond.send_response(response, false)?;
    if path == Scenario::Post.grpc_path() {
        send.send_data(body, false)?;
    } else {
        // One DATA frame per message, as a service sends that makes them one by one.
        for frame in known.context("a call that no scenario makes")? {
            send.send_data(frame.clone(), false)?;
        }
    }
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    send.send_trailers(trailers)?;
    Ok(())
}

/// The whole body, its window given back as it comes.
pub(crate) async fn collect(body: &mut h2::RecvStream) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
