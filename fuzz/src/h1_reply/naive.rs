//! HTTP/1.1 replies read off the RFC, all at once: what the decoder is compared with.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use std::time::Duration;
use tidegate_upstream::fuzz::{End, Reply};

const HEADERS_MAX: usize = 100;
const SECTION_MAX: usize = 16 * 1024;

/// Why there is nothing more.
enum Stop {
    Cut,
    Bad,
}

struct Head {
    version: u8,
    status: StatusCode,
    headers: HeaderMap,
}

pub(super) fn read_reply(method: &Method, head_max_bytes: usize, mut bytes: &[u8]) -> Reply {
    let mut reply = Reply::default();
    reply.end = match read(method, head_max_bytes, &mut bytes, &mut reply) {
        Ok(()) => End::Complete(bytes.to_vec()),
        Err(Stop::Cut) => End::Cut,
        Err(Stop::Bad) => End::Bad,
    };
    reply
}

fn read(method: &Method, head_max_bytes: usize, bytes: &mut &[u8], reply: &mut Reply) -> Result<(), Stop> {
    let (head, length) = loop {
        let head = read_head(head_max_bytes, bytes)?;
        let length = length(method, &head)?;
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            break (head, length);
        }
    };
    let until_close = matches!(length, Length::UntilClose);
    reply.stays = !until_close && stays(&head);
    reply.keeps_for = keeps_for(&head.headers);
    reply.head = Some((head.status, head.headers));
    match length {
        Length::Known(length) => reply.data = take(bytes, length).map_err(|short| (reply.data = short, Stop::Cut).1)?,
        Length::UntilClose => reply.data = std::mem::take(bytes).to_vec(),
        Length::Chunked => chunks(bytes, reply)?,
    }
    Ok(())
}

fn read_head(max_bytes: usize, bytes: &mut &[u8]) -> Result<Head, Stop> {
    let mut room = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut room);
    let len = match head.parse(bytes).map_err(|_| Stop::Bad)? {
        httparse::Status::Complete(len) if len <= max_bytes => len,
        httparse::Status::Partial if bytes.len() < max_bytes => return Err(Stop::Cut),
        _ => return Err(Stop::Bad),
    };
    *bytes = &bytes[len..];
    let status = StatusCode::from_u16(head.code.unwrap_or(0)).map_err(|_| Stop::Bad)?;
    Ok(Head { version: head.version.unwrap_or(0), status, headers: fields(head.headers)? })
}

fn fields(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, Stop> {
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Stop::Bad)?;
        headers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| Stop::Bad)?);
    }
    Ok(headers)
}

enum Length {
    Known(u64),
    Chunked,
    UntilClose,
}

/// RFC 9112, section 6.3, without its leniencies.
fn length(method: &Method, head: &Head) -> Result<Length, Stop> {
    let codings: Vec<_> = head.headers.get_all(TRANSFER_ENCODING).iter().collect();
    let lengths: Vec<_> = head.headers.get_all(CONTENT_LENGTH).iter().collect();
    let chunked = match codings[..] {
        [] => false,
        [coding] if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err(Stop::Bad),
    };
    if chunked && !lengths.is_empty() {
        return Err(Stop::Bad);
    }
    if method == Method::HEAD || head.status.is_informational() || [204, 304].contains(&head.status.as_u16()) {
        return Ok(Length::Known(0));
    }
    if chunked {
        return if head.version == 1 { Ok(Length::Chunked) } else { Err(Stop::Bad) };
    }
    let said: Vec<_> = lengths.iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).collect();
    let Some(first) = said.first() else { return Ok(Length::UntilClose) };
    let number = |text: &[u8]| {
        let text = std::str::from_utf8(text.trim_ascii()).ok().filter(|text| !text.starts_with('+'))?;
        text.parse::<u64>().ok()
    };
    let length = number(first).ok_or(Stop::Bad)?;
    if said.iter().all(|text| number(text) == Some(length)) { Ok(Length::Known(length)) } else { Err(Stop::Bad) }
}

fn stays(head: &Head) -> bool {
    let says = |wanted: &str| {
        let values = head.headers.get_all(CONNECTION).iter();
        values
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    !says("close") && (head.version == 1 || says("keep-alive"))
}

/// Four fifths of what the first `timeout` says.
fn keeps_for(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let said = value.split(',').filter_map(|part| part.trim().strip_prefix("timeout="));
    let seconds = said.filter_map(|seconds| seconds.parse::<u32>().ok()).next()?;
    Some(Duration::from_millis(u64::from(seconds) * 800))
}

/// So many bytes, or all that there are of them.
fn take(bytes: &mut &[u8], length: u64) -> Result<Vec<u8>, Vec<u8>> {
    let len = usize::try_from(length).unwrap_or(usize::MAX);
    match bytes.split_at_checked(len) {
        Some((taken, rest)) => {
            *bytes = rest;
            Ok(taken.to_vec())
        }
        None => Err(std::mem::take(bytes).to_vec()),
    }
}

/// RFC 9112, section 7.1, with CRLF alone as the end of a line.
fn chunks(bytes: &mut &[u8], reply: &mut Reply) -> Result<(), Stop> {
    loop {
        let size = chunk_size(bytes)?;
        if size == 0 {
            break;
        }
        match take(bytes, size) {
            Ok(data) => reply.data.extend(data),
            Err(short) => {
                reply.data.extend(short);
                return Err(Stop::Cut);
            }
        }
        literal(bytes, b"\r\n")?;
    }
    let mut room = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let (len, trailers) = match httparse::parse_headers(bytes, &mut room).map_err(|_| Stop::Bad)? {
        httparse::Status::Complete(found) if found.0 <= SECTION_MAX => found,
        httparse::Status::Partial if bytes.len() < SECTION_MAX => return Err(Stop::Cut),
        _ => return Err(Stop::Bad),
    };
    let trailers = fields(trailers)?;
    *bytes = &bytes[len..];
    reply.trailers = (!trailers.is_empty()).then_some(trailers);
    Ok(())
}

fn chunk_size(bytes: &mut &[u8]) -> Result<u64, Stop> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = std::str::from_utf8(&bytes[..digits]).map_err(|_| Stop::Bad)?.trim_start_matches('0');
    if text.len() > 16 {
        return Err(Stop::Bad);
    }
    let size = if text.is_empty() { 0 } else { u64::from_str_radix(text, 16).map_err(|_| Stop::Bad)? };
    *bytes = &bytes[digits..];
    match bytes.first() {
        None => return Err(Stop::Cut),
        Some(_) if digits == 0 => return Err(Stop::Bad),
        Some(_) => {}
    }
    let blanks = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    *bytes = &bytes[blanks..];
    if bytes.first() == Some(&b';') {
        let extension = bytes.iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
        if extension > SECTION_MAX {
            return Err(Stop::Bad);
        }
        *bytes = &bytes[extension..];
    }
    literal(bytes, b"\r\n")?;
    Ok(size)
}

fn literal(bytes: &mut &[u8], wanted: &[u8]) -> Result<(), Stop> {
    for byte in wanted {
        match bytes.split_first() {
            None => return Err(Stop::Cut),
            Some((found, rest)) if found == byte => *bytes = rest,
            Some(_) => return Err(Stop::Bad),
        }
    }
    Ok(())
}
