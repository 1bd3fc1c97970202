//! Heads that are too large, requests in a row, and clients that leave.

use crate::client::{Ask, exchange, h1, h2};
use crate::stage::{STAGE, Stage};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

#[test]
fn headers_that_are_too_large_are_431() {
    let large = "a".repeat(20_000);
    let ask = Ask { line: "GET /s/docs", headers: &[("x-large", &large)], body: b"" };
    assert_eq!((h1(STAGE.address, &ask).status, h2(STAGE.address, &ask).status), (431, 431));
}

#[test]
fn a_request_names_one_host() {
    let answer = exchange(STAGE.address, b"GET /s/docs HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with(r#"{"code":3,"message":"the request has no header `host`"}"#), "{answer}");
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let one = |path: &str, last: &str| format!("GET {path} HTTP/1.1\r\nhost: edge.test\r\n{last}\r\n");
    let all = [one("/s/docs", ""), one("/v1/%zz", ""), one("/nothing", "connection: close\r\n")].concat();
    let answers = exchange(STAGE.address, all.as_bytes());
    let statuses: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "400", "404"]);
}

/// The first piece of a body came, then the connection closed: nobody is called, and it counts as 499.
#[test]
fn a_client_that_leaves_within_its_body_is_499() {
    let stage = Stage::set();
    {
        let mut stream = TcpStream::connect(stage.address).expect("it listens");
        let head = b"POST /v1/customers HTTP/1.1\r\nhost: edge.test\r\ncontent-length: 100\r\n\r\n{\"id\"";
        stream.write_all(head).expect("send");
    }
    let want = r#"tidegate_request_duration_seconds_count{route="/v1/customers",method="POST",status_code="499",grpc_code="CANCELLED"} 1"#;
    stage.wait_for(want);
}

/// It closed its half of the connection only: it hears the 499.
#[test]
fn a_client_that_stops_within_its_body_and_listens_is_told() {
    let mut stream = TcpStream::connect(STAGE.address).expect("it listens");
    let head = b"POST /v1/customers HTTP/1.1\r\nhost: edge.test\r\ncontent-length: 100\r\n\r\n{\"id\"";
    stream.write_all(head).expect("send");
    stream.shutdown(Shutdown::Write).expect("half of it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 499 Client Closed Request\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"code":1,"message":"the request's body ended early"}"#), "{answer}");
}
