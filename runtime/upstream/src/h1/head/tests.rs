use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method, header::VIA};

use super::{BadReply, HEADERS_MAX, Length, ReplyHead, take};

const MAX: usize = 1024;

/// The head of a reply to a request of this method, and what is left behind it.
fn read(asked: &Method, text: &str) -> Result<Option<(ReplyHead, String)>, BadReply> {
    let mut buf = BytesMut::from(text);
    let head = take(&mut buf, asked, MAX, &mut HeaderMap::from_iter([(VIA, HeaderValue::from_static("x"))]))?;
    Ok(head.map(|head| (head, String::from_utf8_lossy(&buf).into_owned())))
}

/// The status, the length, and whether the connection stays open.
fn told(asked: &Method, text: &str) -> Result<(u16, Length, bool), BadReply> {
    let (head, _) = read(asked, text)?.expect("a whole head");
    Ok((head.status.as_u16(), head.length, head.stays))
}

fn get(fields: &str) -> Result<(u16, Length, bool), BadReply> {
    told(&Method::GET, &format!("HTTP/1.1 200 OK\r\n{fields}\r\n"))
}

#[test]
fn a_head_is_read_with_its_headers_and_nothing_behind_it() {
    let text = "HTTP/1.1 404 Not here\r\nContent-Length: 4\r\nx-a: 1\r\nX-A:  2 \r\nempty:\r\n\r\nbody";
    let (head, rest) = read(&Method::GET, text).expect("well-formed").expect("whole");
    let mut want = HeaderMap::new();
    for (name, value) in [("content-length", "4"), ("x-a", "1"), ("x-a", "2"), ("empty", "")] {
        want.append(name, value.parse().expect("a value"));
    }
    assert_eq!((head.status.as_u16(), head.length, head.stays), (404, Length::Known(4), true));
    assert_eq!((head.headers, rest.as_str()), (want, "body"));
}

#[test]
fn a_head_that_is_not_whole_is_waited_for() {
    let text = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\n";
    for end in 0..text.len() {
        assert_eq!(read(&Method::GET, &text[..end]), Ok(None), "{end}");
    }
    assert_eq!(told(&Method::GET, text), Ok((200, Length::UntilClose, false)));
}

#[test]
fn the_length_is_what_the_protocol_says() {
    assert_eq!(get(""), Ok((200, Length::UntilClose, false)));
    assert_eq!(get("content-length: 7\r\n"), Ok((200, Length::Known(7), true)));
    assert_eq!(get("content-length: 7, 7\r\ncontent-length: 7\r\n"), Ok((200, Length::Known(7), true)));
    assert_eq!(get("transfer-encoding: Chunked\r\n"), Ok((200, Length::Chunked, true)));
    let bodiless = "\r\ncontent-length: 7\r\n\r\n";
    assert_eq!(told(&Method::HEAD, &format!("HTTP/1.1 200 OK{bodiless}")), Ok((200, Length::Known(0), true)));
    for status in [101, 204, 304] {
        let text = format!("HTTP/1.1 {status} x{bodiless}");
        assert_eq!(told(&Method::GET, &text), Ok((status, Length::Known(0), true)), "{status}");
    }
}

#[test]
fn a_connection_stays_unless_one_side_says_otherwise() {
    let of = |line: &str, fields: &str| {
        told(&Method::GET, &format!("{line}\r\ncontent-length: 0\r\n{fields}\r\n")).map(|told| told.2)
    };
    let (new, old) = ("HTTP/1.1 200 OK", "HTTP/1.0 200 OK");
    assert_eq!(of(new, ""), Ok(true));
    assert_eq!(of(new, "connection: x, Close\r\n"), Ok(false));
    assert_eq!(of(new, "connection: keep-alive\r\nconnection: close\r\n"), Ok(false));
    assert_eq!(of(old, ""), Ok(false));
    assert_eq!(of(old, "connection: Keep-Alive\r\n"), Ok(true));
    assert_eq!(of(old, "connection: close, keep-alive\r\n"), Ok(false));
    // Its end is that of the reply.
    assert_eq!(get(""), Ok((200, Length::UntilClose, false)));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let cases = [
        ("content-length: 2\r\ntransfer-encoding: chunked\r\n", BadReply::TwoLengths),
        ("transfer-encoding: gzip, chunked\r\n", BadReply::Coding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", BadReply::Coding),
        ("transfer-encoding: identity\r\n", BadReply::Coding),
        ("content-length: 2\r\ncontent-length: 3\r\n", BadReply::ContentLength),
        ("content-length: 2, 3\r\n", BadReply::ContentLength),
        ("content-length: +2\r\n", BadReply::ContentLength),
        ("content-length: 0x2\r\n", BadReply::ContentLength),
        ("content-length:\r\n", BadReply::ContentLength),
        ("content-length: 18446744073709551616\r\n", BadReply::ContentLength),
        ("x y: 1\r\n", BadReply::Head(httparse::Error::HeaderName)),
        ("x : 1\r\n", BadReply::Head(httparse::Error::HeaderName)),
        (" x: 1\r\n", BadReply::Head(httparse::Error::HeaderName)),
        ("x: 1\r\n y\r\n", BadReply::Head(httparse::Error::HeaderName)),
        ("x: \0\r\n", BadReply::Head(httparse::Error::HeaderValue)),
    ];
    for (fields, want) in cases {
        assert_eq!(get(fields), Err(want), "{fields:?}");
    }
    let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(told(&Method::GET, old), Err(BadReply::Coding));
    for text in ["no http at all\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n"]
    {
        assert!(matches!(read(&Method::GET, text), Err(BadReply::Head(_))), "{text:?}");
    }
}

#[test]
fn a_head_is_bounded() {
    let many = |count: usize| "a: b\r\n".repeat(count);
    assert_eq!(get(&many(HEADERS_MAX)), Ok((200, Length::UntilClose, false)));
    assert_eq!(get(&many(HEADERS_MAX + 1)), Err(BadReply::Head(httparse::Error::TooManyHeaders)));
    let long = |length: usize| format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(length - 20));
    assert_eq!(read(&Method::GET, &long(MAX - 1)), Ok(None));
    assert_eq!(read(&Method::GET, &long(MAX)), Err(BadReply::TooLong));
    assert_eq!(read(&Method::GET, &(long(MAX) + "\r\n\r\n")), Err(BadReply::TooLong));
}
