//! What a request must be before anything is looked up for it: whole, unambiguous, and one that there
//! is memory for.

use crate::answer::{Answer, Refusal};
use crate::exchange::Exchange;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING};
use http::{Method, Version, request};

/// Checks the head of a request of either kind.
pub(super) fn check(exchange: &Exchange, head: &request::Parts) -> Result<(), Refusal> {
    let (limits, sent) = (&exchange.limits().headers, exchange.sent_headers());
    if exchange.gateway().memory().is_short() {
        return Err(overloaded());
    }
    if head.headers.len() > limits.max {
        let message = format!("the request has more than {} header fields", limits.max);
        return Err(Refusal::new(Answer::HeadTooLarge, message));
    }
    check_oddity(head)?;
    check_method(head)?;
    if sent.transfer_encoding {
        check_framing(head)?;
    }
    check_host(head)
}

/// Names with an underscore: to many programs they are the same as with a hyphen, so that a client could
/// set what the gateway believes to have removed. gRPC's own metadata may have them.
pub(super) fn check_names(head: &request::Parts) -> Result<(), Refusal> {
    let underscored = |name: &&HeaderName| name.as_str().as_bytes().contains(&b'_');
    match head.headers.keys().find(underscored) {
        Some(name) => {
            let message = format!("header `{name}` has an underscore in its name: write it with a hyphen");
            Err(Refusal::new(Answer::BadRequest, message))
        }
        None => Ok(()),
    }
}

/// 503: there is no memory for it.
pub(crate) fn overloaded() -> Refusal {
    let mut refusal = Refusal::new(Answer::Overloaded, "the gateway is short of memory: try again in a moment");
    refusal.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    refusal
}

/// `chunked`, once, and nothing else: a coding that is not undone here would reach the service as if it
/// were the body (RFC 9112, section 6.1).
fn check_framing(head: &request::Parts) -> Result<(), Refusal> {
    let Some(first) = head.headers.get(TRANSFER_ENCODING) else { return Ok(()) };
    let single = head.headers.get_all(TRANSFER_ENCODING).iter().nth(1).is_none();
    if single && first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let refusal = Refusal::new(Answer::BadRequest, "a transfer coding other than `chunked` is not taken");
    Err(last_of_connection(refusal, head))
}

/// What follows on the connection may not be what it seems.
fn last_of_connection(mut refusal: Refusal, head: &request::Parts) -> Refusal {
    if head.version < Version::HTTP_2 {
        refusal.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    refusal
}

/// What the server saw of a request's bytes and the request does not show any more. An extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// Both `Content-Length` and `Transfer-Encoding` (RFC 9112, section 6.1).
    TwoLengths,
    /// A line of the head ends without CR (section 2.2).
    BareLineFeed,
    /// Neither `host` nor `:authority` (RFC 9113, section 8.3.1).
    NoHost,
}

fn check_oddity(head: &request::Parts) -> Result<(), Refusal> {
    let message = match head.extensions.get::<Oddity>() {
        None => return Ok(()),
        Some(Oddity::TwoLengths) => "the request has both `content-length` and `transfer-encoding`",
        Some(Oddity::BareLineFeed) => "a line of the request's head ends without a carriage return",
        Some(Oddity::NoHost) => "the request has no header `host`",
    };
    Err(last_of_connection(Refusal::new(Answer::BadRequest, message), head))
}

/// A tunnel would carry what nobody has looked at (RFC 9110, section 9.3.6).
fn check_method(head: &request::Parts) -> Result<(), Refusal> {
    if head.method != Method::CONNECT {
        return Ok(());
    }
    let refusal = Refusal::new(Answer::NotImplemented, "CONNECT is not served");
    Err(last_of_connection(refusal, head))
}

/// Exactly one `Host` on h1, as RFC 9112, section 3.2 demands; on h2 none that differs from `:authority`
/// (RFC 9113, section 8.3.1): the next server might choose the other one. Beside the absolute form of
/// h1 it does not count (RFC 9112, section 3.2.2).
fn check_host(head: &request::Parts) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::new(Answer::BadRequest, message));
    let mut hosts = head.headers.get_all(HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return refuse("the request has more than one header `host`");
    }
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    if authority.is_some_and(|authority| authority.contains(&b'@')) {
        return refuse("the request's authority has user information in it");
    }
    match (first, authority) {
        (None, None) if head.version == Version::HTTP_11 => refuse("the request has no header `host`"),
        (None, _) => Ok(()),
        (Some(host), _) if !is_host(host.as_bytes()) => refuse("header `host` is no host"),
        (Some(host), Some(authority))
            if head.version >= Version::HTTP_2 && !host.as_bytes().eq_ignore_ascii_case(authority) =>
        {
            refuse("header `host` is not what `:authority` says")
        }
        (Some(_), _) => Ok(()),
    }
}

/// The characters of RFC 3986, section 3.2.2, and a port.
fn is_host(host: &[u8]) -> bool {
    let (brackets, rest) = match host.strip_prefix(b"[") {
        Some(inner) => match inner.iter().position(|&byte| byte == b']') {
            Some(end) => (&inner[..end], &inner[end + 1..]),
            None => return false,
        },
        None => (&b""[..], host),
    };
    let name_end = rest.iter().position(|&byte| byte == b':').unwrap_or(rest.len());
    let (name, port) = rest.split_at(name_end);
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let in_brackets = |byte: &u8| byte.is_ascii_hexdigit() || b":.%".contains(byte) || byte.is_ascii_alphanumeric();
    brackets.iter().all(in_brackets)
        && (host.first() != Some(&b'[') || name.is_empty())
        && name.iter().all(in_name)
        && port.iter().skip(1).all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::{check_framing, check_host, check_names, is_host};
    use http::{Request, Version, request};

    fn head(build: impl FnOnce(request::Builder) -> request::Builder) -> request::Parts {
        build(Request::builder()).body(()).expect("a request").into_parts().0
    }

    #[test]
    fn hosts_are_names_and_addresses_with_or_without_a_port() {
        for host in ["a", "a.b:80", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b", "", "a:"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in ["a b", "a/b", "a@b", "a?b", "a#b", "a:8x", "[::1", "[::1]x", "a\\b", "a,b\u{e9}", "<a>"] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_request_has_one_host() {
        let message = |head: &request::Parts| check_host(head).err().map(|refusal| refusal.status.message);
        let cases = [
            (head(|r| r.uri("/")), Some("the request has no header `host`")),
            (head(|r| r.uri("/").header("host", "a")), None),
            (
                head(|r| r.uri("/").header("host", "a").header("host", "a")),
                Some("the request has more than one header `host`"),
            ),
            (head(|r| r.uri("http://b/").header("host", "a")), None),
            (head(|r| r.version(Version::HTTP_2).uri("http://A/").header("host", "a")), None),
            (
                head(|r| r.version(Version::HTTP_2).uri("http://b/").header("host", "a")),
                Some("header `host` is not what `:authority` says"),
            ),
            (head(|r| r.uri("http://u@b/")), Some("the request's authority has user information in it")),
            (head(|r| r.uri("/").header("host", "a b")), Some("header `host` is no host")),
        ];
        for (head, want) in &cases {
            assert_eq!(message(head).as_deref(), *want, "{head:?}");
        }
    }

    #[test]
    fn a_body_is_chunked_and_nothing_else() {
        let ok = |values: &[&str]| {
            check_framing(&head(|r| values.iter().fold(r, |r, value| r.header("transfer-encoding", *value)))).is_ok()
        };
        assert!(ok(&[]) && ok(&["chunked"]) && ok(&["Chunked "]));
        for values in [&["gzip, chunked"][..], &["chunked, chunked"], &["chunked", "chunked"], &["identity"]] {
            assert!(!ok(values), "{values:?}");
        }
    }

    #[test]
    fn underscores_in_names_are_refused() {
        assert!(check_names(&head(|r| r.header("x-user-id", "a_b"))).is_ok());
        assert!(check_names(&head(|r| r.header("x_user-id", "1"))).is_err());
    }
}
