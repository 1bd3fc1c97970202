//! The decoder of HTTP/1.1 replies.

mod naive;

use http::Method;
use std::iter;
use tidegate_upstream::fuzz::{End, Reply, read_reply};

/// Places of one input at which it is cut in two, besides all of a short one.
const CUTS: usize = 64;

/// A byte that chooses the request's method and the longest head, then what comes on the connection until its end.
///
/// The reply is the same whether it comes at once, byte by byte, or in two pieces, and a plain decoder that has it all
/// reads the same. What follows it is left as it is: it may be the beginning of another reply.
pub fn h1_reply(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let method = if choice & 1 == 0 { Method::GET } else { Method::HEAD };
    let head_max_bytes = if choice & 2 == 0 { 64 * 1024 } else { 128 };
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let reply = read_reply(&method, head_max_bytes, pieces);
        check(&reply, bytes);
        reply
    };
    let whole = read(&mut iter::once(bytes));
    assert_eq!(naive::read_reply(&method, head_max_bytes, bytes), whole, "the plain decoder reads the first");
    assert_eq!(read(&mut bytes.chunks(1)), whole, "byte by byte it is the first");
    // Of a long one other places each time, by its length.
    let step = bytes.len() / CUTS + 1;
    for at in (bytes.len() % step..bytes.len()).step_by(step) {
        let (one, other) = bytes.split_at(at);
        assert_eq!(read(&mut [one, other].into_iter()), whole, "cut at {at} it is the first");
    }
}

fn check(reply: &Reply, bytes: &[u8]) {
    if let End::Complete(behind) = &reply.end {
        assert!(bytes.ends_with(behind), "what is left are the last bytes that came");
        assert!(reply.head.is_some(), "a reply has a head");
    }
    assert!(reply.data.len() <= bytes.len(), "data comes from somewhere");
}
