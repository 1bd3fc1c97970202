//! What the tests share.

use std::time::Duration;
use tidegate_apollo::{Apollo, Config, Secret};

/// A source of the app `gateway`.
pub(crate) fn source(servers: &[&str], namespaces: &[&str], secret: Option<&str>) -> Apollo {
    Apollo::new(config(servers, namespaces, secret), || Duration::from_millis(1_576_478_257_344))
}

pub(crate) fn config(servers: &[&str], namespaces: &[&str], secret: Option<&str>) -> Config {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Config {
        servers: owned(servers),
        discover: true,
        app: "gateway".into(),
        cluster: "default".into(),
        namespaces: owned(namespaces),
        tls: None,
        secret: secret.map(|secret| Secret(secret.to_owned())),
    }
}
