//! `--from`: configs that are kept in etcd or in Apollo.

use percent_encoding::percent_decode_str;
use std::str::FromStr;
use std::time::Duration;
use tidegate_apollo::{Apollo, Secret};
use tidegate_etcd::{Credentials, Etcd};
use tidegate_source::ConfigSource;
use tidegate_telemetry::clock;

/// The user that etcd is asked as.
const ETCD_USER: &str = "TIDEGATE_ETCD_USER";
/// Its password.
const ETCD_PASSWORD: &str = "TIDEGATE_ETCD_PASSWORD";
/// The access key of the app in Apollo.
const APOLLO_SECRET: &str = "TIDEGATE_APOLLO_SECRET";
/// The ports of servers whose port is not given.
const ETCD_PORT: u16 = 2379;
const APOLLO_PORT: u16 = 8080;
/// Formats of Apollo's namespaces that are one text.
const FORMATS: [&str; 4] = [".yaml", ".yml", ".json", ".txt"];

const EXPECTED: &str = "expected `etcd://HOST:PORT/KEY` or `apollo://HOST:PORT/APP/NAMESPACE`";

/// Where a config is kept, without what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `etcd://…`
    Etcd(tidegate_etcd::Config),
    /// `apollo://…`
    Apollo(tidegate_apollo::Config),
}

// === impl Place ===

impl Place {
    /// The source, with the credentials that the environment has for it. Nothing is asked yet.
    ///
    /// # Errors
    /// Half of the credentials.
    pub(crate) fn open(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Box<dyn ConfigSource>, String> {
        Ok(match self.clone() {
            Self::Etcd(config) => {
                let credentials = match (variable(ETCD_USER), variable(ETCD_PASSWORD)) {
                    (Some(user), Some(password)) => Some(Credentials { user, password }),
                    (None, None) => None,
                    (Some(_), None) => return Err(format!("{ETCD_USER} is set, but {ETCD_PASSWORD} is not")),
                    (None, Some(_)) => return Err(format!("{ETCD_PASSWORD} is set, but {ETCD_USER} is not")),
                };
                Box::new(Etcd::new(tidegate_etcd::Config { credentials, ..config }))
            }
            Self::Apollo(config) => {
                let secret = variable(APOLLO_SECRET).map(Secret);
                let clock = || Duration::from_millis(clock::unix_ms(clock::wall()));
                Box::new(Apollo::new(tidegate_apollo::Config { secret, ..config }, clock))
            }
        })
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let credentials = match scheme {
            "etcd" => format!("{ETCD_USER} and {ETCD_PASSWORD}"),
            "apollo" => APOLLO_SECRET.to_owned(),
            "etcds" | "https" => return Err(format!("TLS is not supported here yet; {EXPECTED}")),
            _ => return Err(EXPECTED.to_owned()),
        };
        if hosts.contains('@') {
            // Arguments are seen by all users of the machine.
            return Err(format!("credentials do not belong into arguments: set {credentials} in the environment"));
        }
        if scheme == "etcd" { etcd(hosts, path).map(Self::Etcd) } else { apollo(hosts, path).map(Self::Apollo) }
    }
}

fn etcd(hosts: &str, path: &str) -> Result<tidegate_etcd::Config, String> {
    if path.is_empty() {
        return Err("the key is missing: `etcd://HOST:PORT/KEY`, or `etcd://HOST:PORT/FOLDER/` for all below it".into());
    }
    let key = decoded(&format!("/{path}"))?;
    Ok(tidegate_etcd::Config { endpoints: addresses(hosts, ETCD_PORT)?, key, credentials: None })
}

fn apollo(hosts: &str, path: &str) -> Result<tidegate_apollo::Config, String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let form = "expected `apollo://HOST:PORT/APP/NAMESPACE`";
    let (app, namespaces) = path.split_once('/').ok_or(form)?;
    let namespaces = namespaces.split(',').map(decoded).collect::<Result<Vec<_>, _>>()?;
    if app.is_empty() || namespaces.iter().any(|namespace| namespace.is_empty() || namespace.contains('/')) {
        return Err(form.into());
    }
    if let Some(other) = namespaces.iter().find(|name| !FORMATS.iter().any(|format| name.ends_with(format))) {
        return Err(format!(
            "the namespace `{other}` is a list of properties: name one with a format, such as `{other}.yaml`"
        ));
    }
    let mut config = tidegate_apollo::Config {
        servers: addresses(hosts, APOLLO_PORT)?,
        discover: true,
        app: decoded(app)?,
        cluster: "default".into(),
        namespaces,
        secret: None,
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("cluster", cluster)) if !cluster.is_empty() => config.cluster = decoded(cluster)?,
            Some(("discover", "true")) => config.discover = true,
            Some(("discover", "false")) => config.discover = false,
            _ => return Err(format!("`{pair}`: expected `cluster=NAME` or `discover=false`")),
        }
    }
    Ok(config)
}

/// `host:port` of each; IPv6 addresses stand in brackets.
fn addresses(hosts: &str, port: u16) -> Result<Vec<String>, String> {
    let address = |host: &str| {
        let (name, given) = match host.rsplit_once(':') {
            // The colon is one of an address in brackets.
            Some(_) if host.ends_with(']') => (host, None),
            Some((name, given)) => (name, Some(given)),
            None => (host, None),
        };
        let is_open = name.contains(':') && !(name.starts_with('[') && name.ends_with(']'));
        if name.is_empty() || is_open {
            return Err(format!("`{host}` is no HOST:PORT"));
        }
        match given.map(str::parse::<u16>) {
            None => Ok(format!("{name}:{port}")),
            Some(Ok(given)) => Ok(format!("{name}:{given}")),
            Some(Err(_)) => Err(format!("`{host}` is no HOST:PORT")),
        }
    };
    hosts.split(',').map(address).collect()
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| format!("`{text}` is no UTF-8 text"))
}

#[cfg(test)]
mod tests;
