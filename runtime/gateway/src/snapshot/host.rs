//! Which host a request asks for, and which pattern takes it.

use crate::config::HostPattern;
use http::{HeaderMap, Uri, header};

/// The host that a request asks for: of the URI (h2 and absolute form), else of the `Host` header; no port.
pub(super) fn host_name<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> &'r str {
    let host = uri.host().or_else(|| headers.get(header::HOST).and_then(|value| value.to_str().ok()));
    let host = host.unwrap_or_default();
    // `[::1]:80` has colons before its port.
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    }
}

// === impl HostPattern ===

impl HostPattern {
    /// Whether this pattern takes `host` (no port, any case).
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Any => true,
            HostPattern::Exact(name) => name.eq_ignore_ascii_case(host),
            HostPattern::Suffix(suffix) => {
                let start = host.len().checked_sub(suffix.len());
                start.is_some_and(|start| {
                    start > 0 && host.is_char_boundary(start) && host[start..].eq_ignore_ascii_case(suffix)
                })
            }
        }
    }

    /// Sorts exact before wildcard before any, longer wildcards before shorter, then by name.
    pub(super) fn rank(&self) -> (u8, std::cmp::Reverse<usize>, String) {
        match self {
            HostPattern::Exact(name) => (0, std::cmp::Reverse(0), name.clone()),
            HostPattern::Suffix(suffix) => (1, std::cmp::Reverse(suffix.len()), suffix.clone()),
            HostPattern::Any => (2, std::cmp::Reverse(0), String::new()),
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HostPattern, host_name};
    use http::{HeaderMap, Uri, header};

    #[test]
    fn wildcards_take_at_least_one_label() {
        let pattern = HostPattern::Suffix(".example.com".into());
        for (host, want) in [
            ("a.example.com", true),
            ("A.B.EXAMPLE.com", true),
            ("example.com", false),
            (".example.com", false),
            ("", false),
        ] {
            assert_eq!(pattern.matches(host), want, "{host}");
        }
    }

    #[test]
    fn the_host_is_the_uris_else_the_headers_without_port() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "header.test:8080".parse().expect("value"));
        let cases = [("/x", "header.test"), ("http://uri.test:1/x", "uri.test"), ("http://[::1]:80/x", "[::1]")];
        for (uri, want) in cases {
            assert_eq!(host_name(&uri.parse::<Uri>().expect("uri"), &headers), want, "{uri}");
        }
    }

    #[test]
    fn exact_hosts_come_before_wildcards_before_any() {
        let mut patterns = [
            HostPattern::Any,
            HostPattern::Suffix(".b".into()),
            HostPattern::Suffix(".a.b".into()),
            HostPattern::Exact("x.b".into()),
        ];
        patterns.sort_by_key(HostPattern::rank);
        assert_eq!(patterns.map(|pattern| pattern.to_string()), ["x.b", "*.a.b", "*.b", "*"]);
    }
}
