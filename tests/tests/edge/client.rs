//! Clients that send what they are told, however wrong it is.

use bytes::Bytes;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// What came back. Of the headers, what differs from run to run is checked and left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Sorted, `name: value`.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// A request as a test writes it.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'t> {
    /// `METHOD /target`.
    pub(crate) line: &'t str,
    pub(crate) headers: &'t [(&'t str, &'t str)],
    pub(crate) body: &'t [u8],
}

impl Answer {
    /// Takes out what is new in every answer, after a look at it.
    fn new(status: u16, headers: impl IntoIterator<Item = (String, String)>, body: String) -> Self {
        let mut all: Vec<_> = headers.into_iter().collect();
        let length = body.len().to_string();
        all.retain(|(name, value)| match name.as_str() {
            "x-request-id" => value.len() != 36,
            "date" => !value.ends_with(" GMT"),
            // A 204 has none (RFC 9110, section 8.6).
            "content-length" => status == 204 || *value != length,
            "connection" => value != "close",
            _ => true,
        });
        let mut headers: Vec<_> = all.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        headers.sort();
        Self { status, headers, body }
    }

    /// An answer of the gateway's own.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self { status, headers: vec!["content-type: application/json".into()], body: body.into() }
    }
}

/// Sends bytes on a connection of their own, and reads to its end.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(bytes).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

pub(crate) fn h1(address: SocketAddr, ask: &Ask<'_>) -> Answer {
    let mut bytes = format!("{} HTTP/1.1\r\nhost: edge.test\r\nconnection: close\r\n", ask.line).into_bytes();
    for (name, value) in ask.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", ask.body.len()).as_bytes());
    bytes.extend_from_slice(ask.body);
    let text = exchange(address, &bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).expect("a status line");
    let status = status[..3].parse().expect("a status");
    let headers = lines.map(|line| line.split_once(": ").expect("a header")).map(|(n, v)| (n.to_owned(), v.to_owned()));
    Answer::new(status, headers, body.to_owned())
}

/// The same over h2 with prior knowledge.
pub(crate) fn h2(address: SocketAddr, ask: &Ask<'_>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let (sender, connection) = h2::client::handshake(stream).await.expect("it speaks h2");
        let driver = tokio::spawn(connection);
        let (method, target) = ask.line.split_once(' ').expect("METHOD /target");
        let mut request = http::Request::builder().method(method).uri(format!("http://edge.test{target}"));
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        let mut sender = sender.ready().await.expect("a stream is free");
        let request = request.body(()).expect("a request");
        let (response, mut sending) = sender.send_request(request, ask.body.is_empty()).expect("it is sent");
        if !ask.body.is_empty() {
            sending.send_data(Bytes::copy_from_slice(ask.body), true).expect("it is sent");
        }
        let (head, mut body) = response.await.expect("an answer").into_parts();
        let mut whole = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.expect("the body comes whole");
            body.flow_control().release_capacity(data.len()).expect("within the window");
            whole.extend_from_slice(&data);
        }
        driver.abort();
        let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        Answer::new(head.status.as_u16(), headers, String::from_utf8(whole).expect("text"))
    })
}
