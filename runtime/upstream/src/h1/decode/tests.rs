use bytes::BytesMut;
use http::HeaderMap;

use super::{BadReply, Decoder, EXTENSIONS_MAX, Length, Part};

/// What came of a body: its data, its trailers, and the bytes behind it; or why not.
type Read = Result<(String, Option<HeaderMap>, String), BadReply>;

/// Reads a body whose bytes come in these pieces; `None` if it is not complete.
fn read_pieces(length: Length, pieces: &[&[u8]]) -> Option<Read> {
    let mut decoder = Decoder::new(length);
    let (mut buf, mut data, mut trailers) = (BytesMut::new(), Vec::new(), None);
    let mut pieces = pieces.iter();
    loop {
        match decoder.take(&mut buf) {
            Ok(Part::Data(bytes)) => data.extend_from_slice(&bytes),
            Ok(Part::Trailers(map)) => trailers = Some(map),
            Ok(Part::Missing) => buf.extend_from_slice(pieces.next()?),
            Ok(Part::End) => break,
            Err(error) => return Some(Err(error)),
        }
    }
    for piece in pieces {
        buf.extend_from_slice(piece);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Ok((text(&data), trailers, text(&buf))))
}

/// The same whole, byte by byte, and cut at every place.
fn read(length: Length, bytes: &str) -> Option<Read> {
    let bytes = bytes.as_bytes();
    let whole = read_pieces(length, &[bytes]);
    assert_eq!(read_pieces(length, &bytes.chunks(1).collect::<Vec<_>>()), whole, "{bytes:?}");
    for at in 0..bytes.len() {
        assert_eq!(read_pieces(length, &[&bytes[..at], &bytes[at..]]), whole, "{bytes:?} cut at {at}");
    }
    whole
}

fn chunked(bytes: &str) -> Option<Read> {
    read(Length::Chunked, bytes)
}

fn ok(data: &str, rest: &str) -> Option<Read> {
    Some(Ok((data.to_owned(), None, rest.to_owned())))
}

#[test]
fn a_length_is_as_many_bytes_however_they_come() {
    assert_eq!(read(Length::Known(4), "body"), ok("body", ""));
    assert_eq!(read(Length::Known(4), "bodymore"), ok("body", "more"));
    assert_eq!(read(Length::Known(0), "more"), ok("", "more"));
    assert_eq!(read(Length::Known(5), "body"), None);
    assert_eq!(read(Length::UntilClose, "body"), None);
}

#[test]
fn chunks_are_read_however_they_come() {
    assert_eq!(chunked("0\r\n\r\n"), ok("", ""));
    assert_eq!(chunked("4\r\nbody\r\n000\r\n\r\nmore"), ok("body", "more"));
    assert_eq!(chunked("1\r\na\r\n1;x=\"y;z\"\r\nb\r\nA \t;q\r\n0123456789\r\n0 \r\n\r\n"), ok("ab0123456789", ""));
    assert_eq!(chunked("4\r\nbo\r\n\r\n0\r\n\r\n"), ok("bo\r\n", ""));
    for missing in ["", "4", "4\r\nbod", "4\r\nbody\r\n", "4\r\nbody\r\n0\r\n", "0\r\nx: 1\r\n"] {
        assert_eq!(chunked(missing), None, "{missing:?}");
    }
}

#[test]
fn trailers_come_behind_the_last_chunk() {
    let trailers = HeaderMap::from_iter(
        [("x-end", "1"), ("y", "")]
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))),
    );
    let want = Some(Ok(("ab".to_owned(), Some(trailers), "more".to_owned())));
    assert_eq!(chunked("2\r\nab\r\n0\r\nX-End: 1\r\ny:\r\n\r\nmore"), want);
    assert!(matches!(chunked("0\r\nx y: 1\r\n\r\n"), Some(Err(BadReply::Trailers(_)))));
}

#[test]
fn what_other_programs_may_read_otherwise_is_refused() {
    let cases = [
        ("\r\n", BadReply::ChunkSize),
        (";x\r\n", BadReply::ChunkSize),
        (" 4\r\nbody\r\n", BadReply::ChunkSize),
        ("+4\r\nbody\r\n", BadReply::ChunkSize),
        ("0x4\r\nbody\r\n", BadReply::ChunkSize),
        ("4 4\r\nbody\r\n", BadReply::ChunkSize),
        ("4\nbody\r\n", BadReply::ChunkSize),
        ("4\r\rbody\r\n", BadReply::ChunkSize),
        ("4;x\nbody\r\n", BadReply::ChunkSize),
        ("4;x\r\r\nbody\r\n", BadReply::ChunkSize),
        ("10000000000000000\r\n", BadReply::ChunkSize),
        ("4\r\nbody\n", BadReply::ChunkEnd),
        ("4\r\nbody0\r\n\r\n", BadReply::ChunkEnd),
        ("4\r\nbody\r0\r\n\r\n", BadReply::ChunkEnd),
    ];
    for (bytes, want) in cases {
        assert_eq!(chunked(bytes), Some(Err(want)), "{bytes:?}");
    }
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let body = |extension: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(extension));
    let whole = |text: &str| read_pieces(Length::Chunked, &[text.as_bytes()]);
    assert_eq!(whole(&body(EXTENSIONS_MAX)), ok("a", ""));
    assert_eq!(whole(&body(EXTENSIONS_MAX + 1)), Some(Err(BadReply::Extensions)));
    let trailers = |value: usize| format!("0\r\nx: {}\r\n\r\n", "y".repeat(value));
    let longest = super::TRAILERS_MAX - "x: \r\n\r\n".len();
    assert!(matches!(whole(&trailers(longest)), Some(Ok(_))));
    assert!(matches!(whole(&trailers(longest + 1)), Some(Err(BadReply::Trailers(_)))));
    // Without an end.
    assert!(matches!(whole(&format!("0\r\nx: {}", "y".repeat(super::TRAILERS_MAX))), Some(Err(BadReply::Trailers(_)))));
}
