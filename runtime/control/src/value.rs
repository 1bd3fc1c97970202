//! Typed values: what a scalar may say and what it means.

mod collector;
mod quantity;
mod traffic;

pub(crate) use collector::collector;
pub(crate) use quantity::{buffer, byte_rate, count, header_bytes, header_count, percent, size, window};
pub(crate) use traffic::{calls_or_time, cookie_name, method, path_pattern, plain_header_name, ratio, share};

use http::HeaderName;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tidegate_gateway::config::{BadNetwork, HostPattern, Network, Template};
use tidegate_traffic::NormalPath;

/// Why a scalar is not the value that its key wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// With article: "a duration".
    pub(crate) expected: &'static str,
    /// Examples, or what exactly is wrong.
    pub(crate) hint: String,
}

impl Wrong {
    pub(crate) fn new(expected: &'static str, hint: impl Into<String>) -> Self {
        Self { expected, hint: hint.into() }
    }
}

/// `250ms`, `2s`, `1m`, `24h`, also `1.5s`: more than nothing, at most 24 hours.
pub(crate) fn duration(text: &str) -> Result<Duration, Wrong> {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let wrong = |hint: &str| Wrong::new("a duration", hint);
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let nanos_per_unit: u64 = match unit {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        "" if !number.is_empty() => return Err(wrong(&format!("it needs a unit: `{number}s` or `{number}ms`"))),
        _ => return Err(wrong("write for example `250ms`, `2s` or `1m`")),
    };
    let nanos = scaled(number, nanos_per_unit).ok_or_else(|| wrong("write for example `250ms`, `2s` or `1m`"))?;
    let value = Duration::from_nanos(nanos);
    if value.is_zero() {
        return Err(wrong("it must be more than 0"));
    }
    if value > LONGEST {
        return Err(wrong("it can be at most `24h`"));
    }
    Ok(value)
}

/// A decimal number times `unit`, exactly; `None` if it is no number, has more digits than the unit
/// can hold, or is too large.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.len() > 9 {
        return None;
    }
    let base = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if fraction.is_empty() {
        return Some(base);
    }
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit);
    if part % u128::from(scale) != 0 {
        return None;
    }
    base.checked_add(u64::try_from(part / u128::from(scale)).ok()?)
}

/// `true` or `false`.
pub(crate) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::new("a boolean", "write `true` or `false`")),
    }
}

/// A number of worker threads: 0 (one per core) to 1024.
pub(crate) fn workers(text: &str) -> Result<usize, Wrong> {
    const MOST: usize = 1024;
    match text.parse() {
        Ok(value) if value <= MOST => Ok(value),
        _ => Err(Wrong::new("a number of threads", "write `0` for one per core, or at most `1024`")),
    }
}

/// Where to listen: an IP address and a port; port 0 takes a free one.
pub(crate) fn bind(text: &str) -> Result<SocketAddr, Wrong> {
    const EXPECTED: &str = "an IP address and a port";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(Wrong::new(EXPECTED, "the port is missing"));
    }
    if !text.is_empty() && text.trim_start_matches(':').parse::<u16>().is_ok() {
        let port = text.trim_start_matches(':');
        return Err(Wrong::new(EXPECTED, format!("write `0.0.0.0:{port}` or `127.0.0.1:{port}`")));
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        return Err(Wrong::new(EXPECTED, format!("write `127.0.0.1:{port}`")));
    }
    Err(Wrong::new(EXPECTED, "write for example `0.0.0.0:8080` or `[::]:8080`"))
}

/// Where to connect: `127.0.0.1:50051`, `[::1]:50051` or `orders.local:50051`; the port is not 0.
/// Gives host (an IPv6 address without brackets) and port.
pub(crate) fn endpoint(text: &str) -> Result<(String, u16), Wrong> {
    let wrong = |hint: &str| Wrong::new("a host and a port", hint);
    if text.contains("://") {
        return Err(wrong("leave the scheme away: `127.0.0.1:50051`"));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        let host = address.ip().to_string();
        return if address.port() == 0 { Err(wrong("the port must not be 0")) } else { Ok((host, address.port())) };
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(wrong("the port is missing"));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(wrong("the port is missing"));
    };
    let port = match port.parse::<u16>() {
        Ok(0) => return Err(wrong("the port must not be 0")),
        Ok(port) if port_is_plain(text) => port,
        _ => return Err(wrong("the port must be a number from 1 to 65535")),
    };
    if is_host_name(host) { Ok((host.to_owned(), port)) } else { Err(wrong("write for example `127.0.0.1:50051`")) }
}

/// `u16::from_str` takes a leading `+`; we do not.
fn port_is_plain(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_digit()) && !text.contains('+')
}

/// Which hosts: `api.example.com`, `*.example.com` (at least one label in front), or an IP address.
pub(crate) fn host(text: &str) -> Result<HostPattern, Wrong> {
    let wrong = |hint: &str| Wrong::new("a host name", hint);
    if text.parse::<IpAddr>().is_ok() {
        return Ok(HostPattern::Exact(text.to_ascii_lowercase()));
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if bracketed.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()) {
        return Ok(HostPattern::Exact(text.to_ascii_lowercase()));
    }
    if text.contains(':') {
        return Err(wrong("leave the port and the scheme away: routes match the name alone"));
    }
    let name = text.to_ascii_lowercase();
    if let Some(suffix) = name.strip_prefix("*.") {
        if !is_host_name(suffix) {
            return Err(wrong("write for example `\"*.example.com\"`"));
        }
        return Ok(HostPattern::Suffix(format!(".{suffix}")));
    }
    if text == "*" {
        return Err(wrong("leave `host` away to match every host"));
    }
    if is_host_name(&name) {
        return Ok(HostPattern::Exact(name));
    }
    Err(wrong("write for example `api.example.com` or `\"*.example.com\"`"))
}

/// Labels of letters, digits, `-` and `_`, joined by dots; at most 253 characters.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The full name of a gRPC service: identifiers joined by dots.
pub(crate) fn service(text: &str) -> Result<String, Wrong> {
    let identifier = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if text.split('.').all(identifier) {
        return Ok(text.to_owned());
    }
    let hint = if text.contains('/') { "a service alone, without method" } else { "for example `shop.v1.Orders`" };
    Err(Wrong::new("the full name of a gRPC service", hint))
}

/// The name of an upstream: letters, digits, `-`, `_` and `.`, at most 64.
pub(crate) fn name(text: &str) -> Result<String, Wrong> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits { Ok(text.to_owned()) } else { Err(Wrong::new("a name", "up to 64 letters, digits, `-`, `_` and `.`")) }
}

/// The name of a header, or a pattern with one `*` at its beginning or end. Lower-cased.
pub(crate) fn header_pattern(text: &str) -> Result<String, Wrong> {
    let wrong = |hint: &str| Wrong::new("the name of a header", hint);
    let name = text.to_ascii_lowercase();
    let core = name.strip_suffix('*').unwrap_or_else(|| name.strip_prefix('*').unwrap_or(&name));
    let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name != "*" && (core.is_empty() || !core.bytes().all(token)) {
        return Err(wrong("for example `x-user-id`, `x-*` or `\"*-bin\"`"));
    }
    if core.starts_with("grpc-") {
        return Err(wrong("`grpc-…` belongs to the protocol and cannot be passed on"));
    }
    Ok(name)
}

/// Addresses of peers: `10.0.0.0/8`, or one alone.
pub(crate) fn network(text: &str) -> Result<Network, Wrong> {
    text.parse().map_err(|why: BadNetwork| Wrong::new("an IP address or a block of them", why.to_string()))
}

/// The name of a header, lower-cased.
pub(crate) fn header_name(text: &str) -> Result<HeaderName, Wrong> {
    HeaderName::try_from(text).map_err(|_| Wrong::new("the name of a header", "for example `x-user-id`"))
}

/// The name of a header that says who the user is.
pub(crate) fn identity_header(text: &str) -> Result<HeaderName, Wrong> {
    let name = header_name(text)?;
    let of_protocol = matches!(name.as_str(), "host" | "content-type" | "content-length" | "connection" | "te");
    if of_protocol || name.as_str().starts_with("grpc-") {
        return Err(Wrong::new("the name of a header", "this one belongs to the protocol: requests need it"));
    }
    Ok(name)
}

/// A path in the one form in which paths are sent on.
pub(crate) fn normal_path(text: &str) -> Result<String, Wrong> {
    let wrong = |hint: String| Wrong::new("a path", hint);
    if text.contains(['?', '#']) {
        return Err(wrong("it ends before `?` and `#`: the query stays as it is".into()));
    }
    match NormalPath::new(text) {
        Ok(path) if path.as_str() == text => Ok(text.to_owned()),
        Ok(path) => Err(wrong(format!("write it in its normal form: `{}`", path.as_str()))),
        Err(_) if !text.starts_with('/') => Err(wrong("it begins with a slash".into())),
        Err(refusal) => Err(wrong(format!("such a path is refused: {refusal}"))),
    }
}

/// A host, with a port if there is one.
pub(crate) fn authority(text: &str) -> Result<String, Wrong> {
    let wrong = || Wrong::new("a host", "for example `www.example.com` or `localhost:8443`");
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let named = is_host_name(name) || bracketed.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    let port_fits = port.is_none_or(|port| !port.starts_with('+') && port.parse::<u16>().is_ok_and(|port| port > 0));
    if named && port_fits { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// The value of a header, with placeholders.
pub(crate) fn template(text: &str) -> Result<Template, Wrong> {
    Template::parse(text).map_err(|why| Wrong::new("the value of a header", why.to_string()))
}

/// Any text but none.
pub(crate) fn text(text: &str) -> Result<String, Wrong> {
    if text.is_empty() { Err(Wrong::new("a text", "it must not be empty")) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests;
