//! The head of a reply: `httparse` reads it, and here is decided what follows it.

use std::{mem::MaybeUninit, ops::Range, time::Duration};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use smallvec::SmallVec;

/// Header fields of a reply, and of its trailers.
pub(super) const HEADERS_MAX: usize = 100;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The head of a reply, of which nothing is left to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReplyHead {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) length: Length,
    /// The peer keeps the connection open behind this reply.
    pub(super) stays: bool,
    /// For how long, if it says so.
    pub(super) keeps_for: Option<Duration>,
}

/// How long a body is (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Known(u64),
    Chunked,
    /// As long as the connection.
    UntilClose,
}

/// What a peer says that is no HTTP/1.1, or could be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadReply {
    #[error("the reply's head cannot be read: {0}")]
    Head(httparse::Error),
    #[error("the reply's head is too long")]
    TooLong,
    #[error("the reply has a transfer coding other than `chunked`")]
    Coding,
    #[error("the reply has both `content-length` and `transfer-encoding`")]
    TwoLengths,
    #[error("the reply's `content-length` is no number, or more than one")]
    ContentLength,
    #[error("a chunk of the reply does not say how long it is")]
    ChunkSize,
    #[error("a chunk of the reply does not end where it should")]
    ChunkEnd,
    #[error("the extensions of the reply's chunks are too long")]
    Extensions,
    #[error("the reply's trailers cannot be read: {0}")]
    Trailers(httparse::Error),
}

/// Takes the head of the reply to a request of this method out of what was read; `None` if more is
/// needed. Interim replies are left out (RFC 9110, section 15.2).
///
/// `spare` is a map that has served: its memory is used again.
pub(super) fn take(
    buf: &mut BytesMut,
    asked: &Method,
    max_bytes: usize,
    spare: &mut HeaderMap,
) -> Result<Option<ReplyHead>, BadReply> {
    loop {
        let Some(head) = take_one(buf, asked, max_bytes, spare)? else { return Ok(None) };
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some(head));
        }
    }
}

fn take_one(
    buf: &mut BytesMut,
    asked: &Method,
    max_bytes: usize,
    spare: &mut HeaderMap,
) -> Result<Option<ReplyHead>, BadReply> {
    if buf.is_empty() {
        return Ok(None);
    }
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut reply = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut reply, buf, &mut room).map_err(BadReply::Head)?;
    let len = match parsed {
        httparse::Status::Complete(len) if len <= max_bytes => len,
        httparse::Status::Partial if buf.len() < max_bytes => return Ok(None),
        _ => return Err(BadReply::TooLong),
    };
    let status = reply.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(BadReply::Head(httparse::Error::Status))?;
    let version = if reply.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    // Where the values are: they are cut out of the buffer, not copied.
    let start = buf.as_ptr().addr();
    let mut fields = SmallVec::<[(HeaderName, Range<usize>); 16]>::new();
    let mut said = Said::default();
    for field in reply.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BAD_NAME)?;
        said.notice(&name);
        let at = field.value.as_ptr().addr() - start;
        fields.push((name, at..at + field.value.len()));
    }
    let bytes = buf.split_to(len).freeze();
    let mut headers = std::mem::take(spare);
    headers.clear();
    for (name, place) in fields {
        headers.append(name, HeaderValue::from_maybe_shared(bytes.slice(place)).map_err(|_| BAD_VALUE)?);
    }
    let length = said.length(status, version, &headers, asked)?;
    let stays = said.stays(version, &headers) && length != Length::UntilClose;
    let keeps_for = said.keep_alive.then(|| keeps_for(&headers)).flatten();
    Ok(Some(ReplyHead { status, headers, length, stays, keeps_for }))
}

const BAD_NAME: BadReply = BadReply::Head(httparse::Error::HeaderName);
const BAD_VALUE: BadReply = BadReply::Head(httparse::Error::HeaderValue);

/// What a head has of the fields that mean something here: noticed as it is read, which costs less than to
/// look for each.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    coding: bool,
    length: bool,
    connection: bool,
    keep_alive: bool,
}

impl Said {
    fn notice(&mut self, name: &HeaderName) {
        match *name {
            TRANSFER_ENCODING => self.coding = true,
            CONTENT_LENGTH => self.length = true,
            CONNECTION => self.connection = true,
            _ => self.keep_alive |= *name == KEEP_ALIVE,
        }
    }

    fn length(
        self,
        status: StatusCode,
        version: Version,
        headers: &HeaderMap,
        asked: &Method,
    ) -> Result<Length, BadReply> {
        // What says two things is refused even where neither counts.
        if self.coding {
            check_coding(headers)?;
            if self.length {
                return Err(BadReply::TwoLengths);
            }
        }
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if bodiless || status.is_informational() || asked == Method::HEAD {
            return Ok(Length::Known(0));
        }
        match self {
            // HTTP/1.0 knows no transfer codings.
            Self { coding: true, .. } if version == Version::HTTP_10 => Err(BadReply::Coding),
            Self { coding: true, .. } => Ok(Length::Chunked),
            Self { length: true, .. } => content_length(headers).map(Length::Known),
            _ => Ok(Length::UntilClose),
        }
    }

    /// Whether the connection may carry another request (RFC 9112, section 9.3).
    fn stays(self, version: Version, headers: &HeaderMap) -> bool {
        let says = |option| self.connection && says(headers, option);
        !says("close") && (version == Version::HTTP_11 || says("keep-alive"))
    }
}

/// A coding that is not undone here is read otherwise by other programs.
fn check_coding(headers: &HeaderMap) -> Result<(), BadReply> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(BadReply::Coding),
    }
}

/// One number, however often it is said (RFC 9112, section 6.3).
fn content_length(headers: &HeaderMap) -> Result<u64, BadReply> {
    let mut found = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for said in value.as_bytes().split(|&byte| byte == b',') {
            let length = decimal(said.trim_ascii()).ok_or(BadReply::ContentLength)?;
            if found.replace(length).is_some_and(|other| other != length) {
                return Err(BadReply::ContentLength);
            }
        }
    }
    found.ok_or(BadReply::ContentLength)
}

/// How long the peer keeps a connection that has nothing to do. Less than it says, as what it counts from
/// came before.
fn keeps_for(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(&KEEP_ALIVE)?.to_str().ok()?;
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout=")?.parse::<u32>().ok())?;
    Some(Duration::from_secs(u64::from(seconds)) * 4 / 5)
}

/// Digits and nothing else.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether `Connection` has this option.
pub(super) fn says(headers: &HeaderMap, option: &str) -> bool {
    headers.get_all(CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|said| said.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    })
}

#[cfg(test)]
mod tests;
