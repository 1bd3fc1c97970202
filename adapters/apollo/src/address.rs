//! `http://host:port/APP/CLUSTER/NAMESPACE,NAMESPACE`.

use std::fmt;
use std::str::FromStr;

/// Where a config is: the config service, and what to ask it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `host:port`.
    pub(crate) server: String,
    pub(crate) app: String,
    pub(crate) cluster: String,
    /// In their order; at least one.
    pub(crate) namespaces: Vec<String>,
}

/// What is wrong with the text of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Something is missing, or too much.
    #[error("an address of Apollo is `http://HOST:PORT/APP/CLUSTER/NAMESPACE`")]
    Form,
    /// TLS.
    #[error("Apollo over TLS is not supported yet: use `http://`")]
    Tls,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.starts_with("https://") {
            return Err(AddressError::Tls);
        }
        let rest = text.strip_prefix("http://").ok_or(AddressError::Form)?;
        let [server, app, cluster, namespaces] = rest.split('/').collect::<Vec<_>>()[..] else {
            return Err(AddressError::Form);
        };
        let port = server.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        let namespaces: Vec<String> = namespaces.split(',').map(str::to_owned).collect();
        let plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        };
        if port.is_none() || !plain(app) || !plain(cluster) || !namespaces.iter().all(|name| plain(name)) {
            return Err(AddressError::Form);
        }
        Ok(Self { server: server.to_owned(), app: app.to_owned(), cluster: cluster.to_owned(), namespaces })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, app, cluster, namespaces } = self;
        write!(f, "http://{server}/{app}/{cluster}/{}", namespaces.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        for text in ["http://a:8080/gateway/default/tidegate.yaml", "http://[::1]:1/a-b/c_d/x,y.yaml"] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let wrong = |text: &str| text.parse::<Address>().expect_err(text);
        let texts =
            ["https://a:1/b/c/d", "http://a/b/c/d", "http://a:1/b/c", "http://a:1/b/c/d,", "http://a:1/b/c/d?x"];
        use AddressError::{Form, Tls};
        assert_eq!(texts.map(wrong), [Tls, Form, Form, Form, Form]);
    }
}
