//! REST clients that stream, over a socket: what arrives when.

use crate::live::{Event, Live, thing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An HTTP/1.1 client that writes and reads when a test says so.
struct Talk(TcpStream);

impl Talk {
    /// Sends the head of a request whose body is chunked.
    async fn begin(live: &Live, line: &str) -> Self {
        let mut stream = TcpStream::connect(live.address).await.expect("the gateway listens");
        let head = format!(
            "POST {line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n\
             accept: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        Self(stream)
    }

    async fn say(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        self.0.write_all(chunk.as_bytes()).await.expect("sent");
    }

    async fn end(&mut self) {
        self.0.write_all(b"0\r\n\r\n").await.expect("sent");
    }

    /// Reads until what came ends like this.
    async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let count = self.0.read(&mut byte).await.expect("bytes");
            assert_ne!(count, 0, "closed after {}", String::from_utf8_lossy(&heard));
            heard.push(byte[0]);
        }
        String::from_utf8(heard).expect("text")
    }
}

#[tokio::test]
async fn lines_reach_the_service_as_they_come() {
    let mut live = Live::start().await;
    let mut talk = Talk::begin(&live, "/things:upload").await;
    for id in 1..=3 {
        talk.say(&format!("{{\"id\":{id}}}\n")).await;
        assert_eq!(live.events.recv().await, Some(Event::Got(thing(id, ""))));
    }
    talk.say("{\"name\":\"last, without a line end\"}").await;
    talk.end().await;
    let want = r#"{"id":6,"name":"last, without a line end"}"#;
    let heard = talk.hear(want).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
}

/// On HTTP/1.1 too the answer may begin while the request goes on.
#[tokio::test]
async fn both_sides_talk_in_turn_in_lines() {
    let live = Live::start().await;
    let mut talk = Talk::begin(&live, "/things/7:chat").await;
    talk.say("{\"name\":\"first\"}\n").await;
    let heard = talk.hear("{\"id\":7,\"name\":\"first\"}\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
    for id in 1..=20 {
        talk.say(&format!("{{\"id\":{id}}}\n")).await;
        talk.hear(&format!("{{\"id\":{id}}}\n\r\n")).await;
    }
    talk.end().await;
    assert_eq!(talk.hear("0\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn a_bad_line_cancels_the_call_and_is_named() {
    let mut live = Live::start().await;
    let mut talk = Talk::begin(&live, "/things:upload").await;
    talk.say("{\"id\":1}\n\n").await;
    assert_eq!(live.events.recv().await, Some(Event::Got(thing(1, ""))));
    talk.say("{\"id\":\"x\"}\n").await;
    let heard = talk.hear("}").await;
    let (head, body) = heard.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
    assert_eq!(
        body.split_once(",\"details\"").expect("details").0,
        "{\"code\":3,\"message\":\"line 3: id: expected int32, found string \\\"x\\\" (byte 6)\""
    );
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
}

/// The status line has gone out: the error is the last line.
#[tokio::test]
async fn a_bad_line_in_a_talk_is_the_last_line_of_the_answer() {
    let mut live = Live::start().await;
    let mut talk = Talk::begin(&live, "/things/7:chat").await;
    talk.say("{}\n").await;
    talk.hear("{\"id\":7}\n\r\n").await;
    assert_eq!(live.events.recv().await, Some(Event::Got(thing(7, ""))));
    talk.say("nonsense\n").await;
    let heard = talk.hear("0\r\n\r\n").await;
    assert!(
        heard.contains("{\"error\":{\"code\":3,\"message\":\"line 2: expected a value, found nonsense (byte 0)\""),
        "{heard}"
    );
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
}

#[tokio::test]
async fn a_client_that_leaves_within_its_lines_cancels_the_call() {
    let mut live = Live::start().await;
    let mut talk = Talk::begin(&live, "/things:upload").await;
    talk.say("{\"id\":1}\n").await;
    assert_eq!(live.events.recv().await, Some(Event::Got(thing(1, ""))));
    drop(talk);
    assert_eq!(live.events.recv().await, Some(Event::Cancelled));
}
