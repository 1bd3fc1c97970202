//! SIGTERM on HTTP/2, frame by frame: no client library decides what is sent when.
use crate::running::Running;
use crate::{CONFIG, folder, program};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

/// A connection of HTTP/2 in the hand.
struct Client(TcpStream);

#[derive(Debug, PartialEq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Client {
    fn connect(address: &str) -> Self {
        let mut client = Self(TcpStream::connect(address).expect("it listens"));
        client.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("sent");
        client.send(SETTINGS, 0, 0, &[]);
        client
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[&head, payload].concat()).expect("sent");
    }

    /// A GET of a path that is not served. HPACK: three fields of the static table, one literal value.
    fn get(&mut self, stream: u32) {
        const END_STREAM_AND_HEADERS: u8 = 0x5;
        let path = b"/nowhere";
        let block = [&[0x82, 0x86, 0x01, 1, b'h', 0x04, path.len() as u8], &path[..]].concat();
        self.send(HEADERS, END_STREAM_AND_HEADERS, stream, &block);
    }

    /// The next frame; `None` at the end of the connection, which must not be a reset.
    fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            read => read.expect("no reset"),
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).expect("a whole frame");
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame of this kind.
    fn receive_only(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.receive().expect("a frame");
            if frame.kind == kind {
                return frame;
            }
        }
    }
}

/// The last stream that a GOAWAY names, and its error code.
fn goaway(frame: &Frame) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().expect("four bytes"));
    (number(0), number(4))
}

#[test]
fn streams_that_were_opened_before_the_client_knew_are_served() {
    let folder = folder(&[("tidegate.yaml", &format!("drain: 1h\n{CONFIG}"))]);
    let mut running = Running::start(program(folder.path(), &["run"]));
    let mut client = Client::connect(&running.addresses[0]);
    client.get(1);
    client.receive_only(HEADERS);
    running.signal("TERM");
    running.wait_for_log("draining");
    let first = client.receive_only(GOAWAY);
    let ping = client.receive_only(PING);
    assert_eq!(goaway(&first), ((1 << 31) - 1, 0), "it says that it will go, and refuses nothing yet");
    // This client has not read the GOAWAY yet, so to say.
    client.get(3);
    let answer = client.receive_only(HEADERS);
    assert_eq!(answer.stream, 3);
    client.send(PING, ACK, 0, &ping.payload);
    assert_eq!(goaway(&client.receive_only(GOAWAY)), (3, 0), "what was served is named");
    // Whatever is still sent does not turn the end into a reset.
    client.get(5);
    while let Some(frame) = client.receive() {
        assert_ne!((frame.kind, frame.stream), (HEADERS, 5));
    }
    drop(client);
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_client_that_does_not_answer_is_not_waited_for_beyond_the_drain() {
    let folder = folder(&[("tidegate.yaml", &format!("drain: 10ms\n{CONFIG}"))]);
    let running = Running::start(program(folder.path(), &["run"]));
    let mut client = Client::connect(&running.addresses[0]);
    client.get(1);
    client.receive_only(HEADERS);
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
}
