//! Where a server is.

/// A server: `host:port`, and what its paths begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) authority: String,
    pub(crate) base: String,
}

// === impl Address ===

impl Address {
    /// Of a server that was configured.
    pub(crate) fn new(authority: &str) -> Self {
        Self { authority: authority.to_owned(), base: String::new() }
    }

    /// Of a config service as a meta server names it: `http://10.0.0.1:8080/`. `None` if it is of another form, or
    /// not of this scheme.
    pub(crate) fn of_url(url: &str, scheme: &str) -> Option<Self> {
        let rest = url.strip_prefix(scheme)?.strip_prefix("://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority =
            if has_port { host.to_owned() } else { format!("{host}:{}", if scheme == "https" { 443 } else { 80 }) };
        let path = path.trim_end_matches('/');
        let base = if path.is_empty() { String::new() } else { format!("/{path}") };
        (!host.is_empty()).then_some(Self { authority, base })
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn a_config_service_is_found_by_its_url() {
        let of_scheme = |url, scheme| Address::of_url(url, scheme).map(|address| (address.authority, address.base));
        let of = |url| of_scheme(url, "http");
        let found = |authority: &str, base: &str| Some((authority.to_owned(), base.to_owned()));
        assert_eq!(of("http://10.0.0.1:8080/"), found("10.0.0.1:8080", ""));
        assert_eq!(of("http://config"), found("config:80", ""));
        assert_eq!(of("http://[::1]:8080/a/b/"), found("[::1]:8080", "/a/b"));
        assert_eq!(of("https://config/"), None);
        assert_eq!(of("http:///"), None);
        assert_eq!(of_scheme("https://config/", "https"), found("config:443", ""));
        assert_eq!(of_scheme("http://config/", "https"), None);
    }
}
