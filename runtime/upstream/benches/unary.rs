//! What a small unary call costs the caller.
//!
//! `cargo bench -p tidegate-upstream` runs caller and server in one process and prints calls per
//! second. For instructions per call of the caller alone, run the two apart:
//!
//! ```text
//! unary serve &                      # prints its address
//! perf stat -e instructions:u unary call ADDRESS CALLS CONCURRENCY BODY_BYTES
//! ```
#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::Body;
use tidegate_telemetry::{clock, random, request_id::RequestId, trace_context::TraceContext};
use tidegate_upstream::{Call, Config, Endpoint, RequestBody, Upstream};
use tokio::net::{TcpListener, TcpStream};

/// A small reply: a gRPC frame of 40 bytes.
const REPLY: &[u8] = &[0; 45];

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        match arguments.as_slice() {
            ["serve"] => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                println!("{}", listener.local_addr().expect("an address"));
                serve(listener).await;
            }
            ["call", address, calls, concurrency, body] => {
                let number = |text: &str| text.parse().expect("a number");
                let address = address.parse().expect("an address");
                report(address, number(calls), number(concurrency), number(body)).await;
            }
            _ => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("an address");
                tokio::spawn(serve(listener));
                // Few enough that a run of all tests, which runs this too, does not wait for it.
                for concurrency in [1, 32] {
                    report(address, 20_000, concurrency, 20).await;
                }
            }
        }
    });
}

async fn report(address: SocketAddr, calls: usize, concurrency: usize, body: usize) {
    let endpoint = Endpoint { host: address.ip().to_string(), port: address.port() };
    let upstream = Upstream::new(Config::new("bench", vec![endpoint]));
    let began = clock::now();
    let workers: Vec<_> =
        (0..concurrency).map(|_| tokio::spawn(call(upstream.clone(), calls / concurrency, body))).collect();
    for worker in workers {
        worker.await.expect("no call fails");
    }
    let took = clock::now() - began;
    let rate = calls as f64 / took.as_secs_f64();
    println!("{concurrency} at once, {body} bytes: {rate:.0} calls/s");
}

async fn call(upstream: Upstream, calls: usize, body: usize) {
    let body = Bytes::from(vec![1; body]);
    for _ in 0..calls {
        let deadline: Option<Instant> = clock::now().checked_add(Duration::from_secs(15));
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("tidegate/0.1"));
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("15S"));
        // As a gateway makes them: new for every request, and kept out of the peer's HPACK table.
        let id = RequestId::generate(0, random::u128());
        headers.insert(REQUEST_ID, value(id.as_bytes()));
        let trace = TraceContext::generate(random::u128(), random::u64());
        headers.insert(TRACEPARENT, value(&trace.to_traceparent()));
        let mut request = Request::new(RequestBody::from(body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static("/shop.v1.Orders/GetOrder");
        *request.headers_mut() = headers;
        let mut reply = upstream.call(request, deadline).await.expect("an answer").into_body();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut reply).poll_frame(cx)).await {
            std::hint::black_box(frame.expect("a frame"));
        }
    }
}

fn value(bytes: &[u8]) -> HeaderValue {
    let mut value = HeaderValue::from_bytes(bytes).expect("an id is a header value");
    value.set_sensitive(true);
    value
}

async fn serve(listener: TcpListener) {
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        tokio::spawn(serve_connection(socket));
    }
}

/// Answers as a gRPC server does, without reading more than it must.
async fn serve_connection(socket: TcpStream) {
    socket.set_nodelay(true).expect("nodelay");
    let mut builder = h2::server::Builder::new();
    builder.initial_connection_window_size(1 << 30).initial_window_size(1 << 20);
    let Ok(mut h2) = builder.handshake::<_, Bytes>(socket).await else { return };
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    while let Some(Ok((mut request, mut respond))) = h2.accept().await {
        let trailers = trailers.clone();
        let answer = async move {
            while let Some(Ok(data)) = request.body_mut().data().await {
                let _ = request.body_mut().flow_control().release_capacity(data.len());
            }
            let mut head = Response::new(());
            let grpc = HeaderValue::from_static("application/grpc");
            head.headers_mut().insert(header::CONTENT_TYPE, grpc);
            let Ok(mut stream) = respond.send_response(head, false) else { return };
            let _ = stream.send_data(Bytes::from_static(REPLY), false);
            let _ = stream.send_trailers(trailers);
        };
        tokio::spawn(answer);
    }
}
