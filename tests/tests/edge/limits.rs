//! Limits that need a real socket: how many connections, and clients that do not read or do not send.

use crate::stage::Stage;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tidegate_gateway::config::Limits;
use tidegate_gateway::config::limits::{Body, Headers};

const SHORT: Duration = Duration::from_millis(200);

/// Whether the gateway keeps a connection that says nothing: it is asked for something then.
fn is_kept(stream: &mut TcpStream) -> bool {
    let asked = stream.write_all(b"GET /s/docs HTTP/1.1\r\nhost: edge.test\r\n\r\n");
    asked.is_ok() && matches!(stream.read(&mut [0; 8]), Ok(8))
}

#[test]
fn an_address_has_so_many_connections_and_may_have_another_when_one_is_closed() {
    let stage = Stage::with(Limits { connections_per_ip: 2, ..Limits::default() });
    let open = || TcpStream::connect(stage.address).expect("it listens");
    let mut first = open();
    let mut second = open();
    assert!(is_kept(&mut first) && is_kept(&mut second));
    assert!(!is_kept(&mut open()));
    let listener = format!(r#"listener="{}""#, stage.address);
    stage.wait_for(&format!(r#"tidegate_connections_refused_total{{{listener},reason="address"}} 1"#));
    drop(first);
    stage.wait_for(&format!("tidegate_connections{{{listener}}} 1"));
    assert!(is_kept(&mut open()));
}

#[test]
fn a_head_or_a_body_that_does_not_come_ends_its_connection() {
    let headers = Headers { timeout: SHORT, ..Headers::default() };
    let body = Body { timeout: SHORT, ..Body::default() };
    let stage = Stage::with(Limits { headers, body, ..Limits::default() });
    let talk = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(stage.address).expect("it listens");
        stream.write_all(bytes).expect("send");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an end, no reset");
        answer
    };
    assert_eq!(talk(b"GET /s/docs HT"), "");
    stage.wait_for(r#"tidegate_limited_total{limit="header_timeout"} 1"#);
    let answer = talk(b"POST /v1/customers HTTP/1.1\r\nhost: edge.test\r\ncontent-length: 9\r\n\r\n{");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with(r#"{"code":4,"message":"the request's body came too slowly"}"#), "{answer}");
    stage.wait_for(r#"tidegate_limited_total{limit="body_rate"} 1"#);
}

/// Its answer is more than its window, which it never opens: the stream is reset, and it counts as 499.
#[test]
fn a_stream_whose_client_takes_nothing_is_reset_and_counts_as_499() {
    let stage = Stage::with(Limits { write_timeout: SHORT, ..Limits::default() });
    assert_eq!(read_nothing(stage.address, "/v1/tenants/acme/orders:export"), Some(h2::Reason::CANCEL));
    stage.wait_for(
        r#"tidegate_request_duration_seconds_count{route="/v1/tenants/{tenant_id}/orders:export",method="GET",status_code="499",grpc_code="CANCELLED"} 1"#,
    );
    stage.wait_for(r#"tidegate_limited_total{limit="write_timeout"} 1"#);
}

/// Asks, and takes one byte of the answer; the reason of the reset.
fn read_nothing(address: SocketAddr, path: &str) -> Option<h2::Reason> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let mut builder = h2::client::Builder::new();
        let handshake = builder.initial_window_size(1).handshake::<_, bytes::Bytes>(stream);
        let (sender, connection) = handshake.await.expect("it speaks h2");
        let driver = tokio::spawn(connection);
        let request = http::Request::builder().uri(format!("http://edge.test{path}")).body(()).expect("a request");
        let mut sender = sender.ready().await.expect("a stream is free");
        let (response, _) = sender.send_request(request, true).expect("it is sent");
        let mut body = response.await.expect("a head").into_body();
        let reason = loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.reason(),
                None => break None,
            }
        };
        driver.abort();
        reason
    })
}

/// The same of what the parser refuses.
#[test]
fn a_client_whose_head_is_too_large_hears_it() {
    let stage = Stage::set();
    let mut stream = TcpStream::connect(stage.address).expect("it listens");
    let head = format!("GET /s/docs HTTP/1.1\r\nhost: edge.test\r\nx-large: {}", "a".repeat(500_000));
    stream.write_all(head.as_bytes()).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, no reset");
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    stage.wait_for(r#"tidegate_bad_requests_total{reason="too_large"} 1"#);
}

/// The rest of what it sends is read, so that the answer is not lost to a reset.
#[test]
fn a_client_that_is_refused_in_the_middle_of_its_body_hears_why() {
    let stage = Stage::set();
    let mut stream = TcpStream::connect(stage.address).expect("it listens");
    stream
        .write_all(b"POST /v1/customers HTTP/1.1\r\nhost: edge.test\r\ncontent-length: 500000000\r\n\r\n")
        .expect("send");
    stream.write_all(&vec![b' '; 500_000]).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, no reset");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    stage.wait_for(r#"tidegate_limited_total{limit="body_bytes"} 1"#);
}
