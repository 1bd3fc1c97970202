//! What to read, from whom, as whom.

use std::fmt;

/// A place in Apollo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Meta servers or config services, each `host:port`. At least one; another is tried when one fails.
    pub servers: Vec<String>,
    /// Whether the servers are asked where the config services are, as Apollo's own clients do with
    /// `apollo.meta`. A server that does not know the question is a config service itself.
    pub discover: bool,
    /// The app's id.
    pub app: String,
    /// The cluster. Apollo's own word for none is `default`.
    pub cluster: String,
    /// Namespaces with a format that has one content, such as `tidegate.yaml`; in this order they are one config.
    pub namespaces: Vec<String>,
    /// The app's access key, if Apollo asks for one.
    pub secret: Option<Secret>,
    /// Over TLS. Without it everything is readable on the way, but not the access key.
    pub tls: Option<Tls>,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that sign those of the servers: PEM. Without them, those that the system believes.
    pub ca: Option<Vec<u8>>,
}

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

// === impl Config ===

impl Config {
    /// The scheme of the servers' URLs.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// As logs show it.
    pub(crate) fn name(&self) -> String {
        let Self { servers, app, cluster, namespaces, .. } = self;
        let cluster = if cluster == "default" { String::new() } else { format!("?cluster={cluster}") };
        let scheme = if self.tls.is_some() { "apollos" } else { "apollo" };
        format!("{scheme}://{}/{app}/{}{cluster}", servers.join(","), namespaces.join(","))
    }
}

// === impl Secret ===

/// Without the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests;
