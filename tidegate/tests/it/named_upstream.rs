//! An upstream of plain HTTP that says its name, and what it was told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Serves until the process ends: each answer is its name and the request's header `x-injected`.
pub(crate) fn start(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            std::thread::spawn(move || serve(name, stream));
        }
    });
    address
}

fn serve(name: &str, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    while let Some(head) = head(&mut reader) {
        let body = format!("{name} was told {}", header(&head, "x-injected"));
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nx-name: {name}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The lines of a head, without what it begins with; `None` at the end of the connection.
fn head(reader: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => return Some(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

fn header<'a>(head: &'a [String], name: &str) -> &'a str {
    let mut values = head.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values.next().unwrap_or("nothing")
}

/// A client with one connection, which the gateway has no reason to close before its `max_requests`.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let reader = BufReader::new(stream.try_clone().expect("a socket"));
        Self { stream, reader }
    }

    /// Asks with this header: the status line, the header `x-response` and the body of the answer.
    pub(crate) fn get(&mut self, header: &str) -> (String, String, String) {
        let request = format!("GET /page HTTP/1.1\r\nhost: localhost\r\n{header}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).expect("it reads");
        let head = head(&mut self.reader).expect("an answer");
        let length = self::header(&head, "content-length").parse().expect("a length");
        let mut body = vec![0; length];
        std::io::Read::read_exact(&mut self.reader, &mut body).expect("a body");
        let response = self::header(&head, "x-response").to_owned();
        (head[0].clone(), response, String::from_utf8(body).expect("text"))
    }
}
