//! Replies, whole and in pieces, right and wrong.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{Value, command, take};

fn text(text: &str) -> Value {
    Value::Text(Bytes::copy_from_slice(text.as_bytes()))
}

const ALL: &[u8] = b"*6\r\n+OK\r\n$5\r\na\r\nb!\r\n:-7\r\n$-1\r\n*-1\r\n-ERR no\r\n$0\r\n\r\n";

#[test]
fn a_reply_is_taken_when_all_of_it_is_there() {
    let list = Value::List(vec![
        text("OK"),
        text("a\r\nb!"),
        Value::Number(-7),
        Value::Nothing,
        Value::Nothing,
        Value::Error("ERR no".to_owned()),
    ]);
    let end = ALL.len() - b"$0\r\n\r\n".len();
    for cut in 0..end {
        let mut buffer = BytesMut::from(&ALL[..cut]);
        assert_eq!((take(&mut buffer), buffer.len()), (Ok(None), cut));
    }
    let mut buffer = BytesMut::from(ALL);
    assert_eq!(take(&mut buffer), Ok(Some(list)));
    assert_eq!(take(&mut buffer), Ok(Some(text(""))));
    assert_eq!((take(&mut buffer), buffer.len()), (Ok(None), 0));
}

#[test]
fn what_is_no_reply_is_an_error() {
    for (bytes, error) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "not the Redis protocol"),
        (b"\r\n", "an empty line"),
        (b":1a\r\n", "not a number"),
        (b"$-2\r\n", "an impossible length"),
        (b"*99999999999\r\n", "an impossible length"),
        (b"$1\r\nabc\r\n", "a text longer than it says"),
        (&b"*1\r\n".repeat(10), "arrays too deep in each other"),
    ] {
        assert_eq!(take(&mut BytesMut::from(bytes)), Err(error), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_reply_without_an_end_is_given_up() {
    let mut buffer = BytesMut::from(&b"+"[..]);
    buffer.resize(super::LONGEST + 2, b'x');
    assert_eq!(take(&mut buffer), Err("a reply of more than 8 MiB"));
}

#[test]
fn a_command_is_a_list_of_texts() {
    let mut out = BytesMut::new();
    command(&mut out, &[b"GET", b"a\r\n"]);
    assert_eq!(out, &b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n"[..]);
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = take(&mut buffer) {}
    }
}
