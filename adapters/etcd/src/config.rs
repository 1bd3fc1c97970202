//! What to read, from whom, as whom.

use std::fmt;

/// A place in etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Members of one cluster, each `host:port`. At least one; another is tried when one fails.
    pub endpoints: Vec<String>,
    /// What to read. If it ends in `/`, all keys that begin with it; else this one key.
    pub key: String,
    /// As whom, if etcd asks.
    pub credentials: Option<Credentials>,
    /// Over TLS. Without it everything is readable on the way, the password included.
    pub tls: Option<Tls>,
}

/// A user of etcd's.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// Whose certificates are believed, and our own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that sign those of the members: PEM.
    pub ca: Vec<u8>,
    /// Our own certificate and its key, if etcd asks for one: PEM, PEM.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

// === impl Config ===

impl Config {
    /// As logs show it.
    pub(crate) fn name(&self) -> String {
        let scheme = if self.tls.is_some() { "etcds" } else { "etcd" };
        format!("{scheme}://{}{}", self.endpoints.join(","), self.key)
    }

    /// Where the gateways that read this config post what its plans do: `/tidegate/` and `/tidegate` have
    /// `/tidegate-plans/`, which is not part of the config.
    pub(crate) fn of_plans(&self) -> Self {
        Self { key: format!("{}-plans/", self.key.trim_end_matches('/')), ..self.clone() }
    }

    /// The keys to read: the first one, and the one behind the last one (empty: the first one alone).
    pub(crate) fn range(&self) -> (Vec<u8>, Vec<u8>) {
        let first = self.key.clone().into_bytes();
        let behind = behind(&first);
        (first, behind)
    }
}

/// The key behind all that begin with this one, if it ends in `/`; else empty.
pub(crate) fn behind(first: &[u8]) -> Vec<u8> {
    let mut behind = Vec::new();
    if let Some((b'/', parents)) = first.split_last() {
        behind.extend_from_slice(parents);
        behind.push(b'/' + 1);
    }
    behind
}

// === impl Credentials ===

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

// === impl Tls ===

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("identity", &self.identity.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Credentials, Tls};

    fn config(key: &str) -> Config {
        let credentials = Credentials { user: "gateway".into(), password: "hush".into() };
        Config {
            endpoints: vec!["a:1".into(), "b:2".into()],
            key: key.into(),
            credentials: Some(credentials),
            tls: None,
        }
    }

    #[test]
    fn a_folder_is_all_keys_below_it_and_a_key_is_itself_alone() {
        assert_eq!(config("/tidegate/").range(), (b"/tidegate/".to_vec(), b"/tidegate0".to_vec()));
        assert_eq!(config("/tidegate").range(), (b"/tidegate".to_vec(), b"".to_vec()));
    }

    #[test]
    fn plans_stand_beside_the_config() {
        let of = |key: &str| config(key).of_plans().key;
        assert_eq!((of("/tidegate/"), of("/t/x.yaml"), of("/")), {
            ("/tidegate-plans/".into(), "/t/x.yaml-plans/".into(), "-plans/".into())
        });
    }

    #[test]
    fn neither_the_name_nor_the_debug_form_tells_the_password() {
        let config = config("/t/");
        assert_eq!(config.name(), "etcd://a:1,b:2/t/");
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
        let tls = Tls { ca: b"ca".into(), identity: Some((b"certificate".into(), b"hush".into())) };
        let config = Config { tls: Some(tls), ..config };
        assert_eq!(config.name(), "etcds://a:1,b:2/t/");
        assert!(!format!("{config:?}").contains(&format!("{:?}", b"hush")), "{config:?}");
    }
}
