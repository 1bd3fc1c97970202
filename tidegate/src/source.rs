//! `--from`: configs that are kept in etcd or in Apollo.

use percent_encoding::percent_decode_str;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_apollo::{Apollo, Secret};
use tidegate_etcd::{Credentials, Etcd, EtcdBoard, Tls};
use tidegate_source::ConfigSource;
use tidegate_telemetry::clock;
use tidegate_traffic::ports::Board;

/// The user that etcd is asked as.
const ETCD_USER: &str = "TIDEGATE_ETCD_USER";
/// Its password.
const ETCD_PASSWORD: &str = "TIDEGATE_ETCD_PASSWORD";
/// The file with the certificates that sign those of etcd.
const ETCD_CA: &str = "TIDEGATE_ETCD_CA";
/// The files with our own certificate and its key.
const ETCD_CERTIFICATE: &str = "TIDEGATE_ETCD_CERT";
const ETCD_KEY: &str = "TIDEGATE_ETCD_KEY";
/// The access key of the app in Apollo.
const APOLLO_SECRET: &str = "TIDEGATE_APOLLO_SECRET";
/// The file with the certificates that sign those of Apollo's servers.
const APOLLO_CA: &str = "TIDEGATE_APOLLO_CA";
/// The ports of servers whose port is not given.
const ETCD_PORT: u16 = 2379;
const APOLLO_PORT: u16 = 8080;
const APOLLO_TLS_PORT: u16 = 443;
/// Formats of Apollo's namespaces that are one text.
const FORMATS: [&str; 4] = [".yaml", ".yml", ".json", ".txt"];

const EXPECTED: &str =
    "expected `etcd://HOST:PORT/KEY` or `apollo://HOST:PORT/APP/NAMESPACE`; for TLS `etcds://…` or `apollos://…`";

/// Where a config is kept, without what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `etcd://…`
    Etcd(tidegate_etcd::Config),
    /// `apollo://…`
    Apollo(tidegate_apollo::Config),
}

/// What is at a place.
pub(crate) struct Opened {
    /// The config.
    pub(crate) source: Box<dyn ConfigSource>,
    /// Where the gateways that read it walk the plans of their canaries together.
    pub(crate) board: Option<Arc<dyn Board>>,
}

/// What other gateways call this one: its host, and its process.
fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.as_deref().map_or("gateway", str::trim);
    format!("{host}:{}", std::process::id())
}

// === impl Place ===

impl Place {
    /// The source, with the credentials and certificates that the environment has for it. Nothing is asked yet.
    ///
    /// # Errors
    /// Half of the credentials, or files that cannot be read.
    pub(crate) fn open(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Opened, String> {
        Ok(match self.clone() {
            Self::Etcd(config) => {
                let config = opened(config, &variable)?;
                let board: Arc<dyn Board> = Arc::new(EtcdBoard::new(&config, &own_name()));
                Opened { source: Box::new(Etcd::new(config)), board: Some(board) }
            }
            Self::Apollo(config) => {
                let secret = variable(APOLLO_SECRET).map(Secret);
                let clock = || Duration::from_millis(clock::unix_ms(clock::wall()));
                let ca = |path: String| pem(APOLLO_CA, &path);
                let tls = config.tls.map(|_| variable(APOLLO_CA).map(ca).transpose());
                let tls = tls.transpose()?.map(|ca| tidegate_apollo::Tls { ca });
                let config = tidegate_apollo::Config { secret, tls, ..config };
                Opened { source: Box::new(Apollo::new(config, clock)), board: None }
            }
        })
    }
}

/// A place in etcd with the credentials and certificates that the environment has for it.
pub(crate) fn opened(
    config: tidegate_etcd::Config,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<tidegate_etcd::Config, String> {
    let credentials = both(variable, ETCD_USER, ETCD_PASSWORD)?;
    let credentials = credentials.map(|(user, password)| Credentials { user, password });
    let tls = config.tls.as_ref().map(|_| tls(variable)).transpose()?;
    Ok(tidegate_etcd::Config { credentials, tls, ..config })
}

/// Both variables, or neither.
fn both(
    variable: &impl Fn(&str) -> Option<String>,
    one: &str,
    other: &str,
) -> Result<Option<(String, String)>, String> {
    match (variable(one), variable(other)) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(format!("{one} is set, but {other} is not")),
        (None, Some(_)) => Err(format!("{other} is set, but {one} is not")),
    }
}

fn tls(variable: &impl Fn(&str) -> Option<String>) -> Result<Tls, String> {
    let needed = || format!("{ETCD_CA} is not set: it names the file with the certificates that sign those of etcd");
    let ca = pem(ETCD_CA, &variable(ETCD_CA).ok_or_else(needed)?)?;
    let identity = both(variable, ETCD_CERTIFICATE, ETCD_KEY)?;
    let identity = identity
        .map(|(certificate, key)| Ok::<_, String>((pem(ETCD_CERTIFICATE, &certificate)?, pem(ETCD_KEY, &key)?)))
        .transpose()?;
    Ok(Tls { ca, identity })
}

/// What is in the file that this variable names.
fn pem(name: &str, path: &str) -> Result<Vec<u8>, String> {
    let text = std::fs::read(path).map_err(|error| format!("{name}: cannot read `{path}`: {error}"))?;
    let is_pem = text.windows(11).any(|window| window == b"-----BEGIN ");
    if is_pem { Ok(text) } else { Err(format!("{name}: `{path}` is no PEM file")) }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let credentials = match scheme {
            "etcd" | "etcds" => format!("{ETCD_USER} and {ETCD_PASSWORD}"),
            "apollo" | "apollos" => APOLLO_SECRET.to_owned(),
            _ => return Err(EXPECTED.to_owned()),
        };
        if hosts.contains('@') {
            // Arguments are seen by all users of the machine.
            return Err(format!("credentials do not belong into arguments: set {credentials} in the environment"));
        }
        match scheme {
            "etcd" => etcd(hosts, path, None).map(Self::Etcd),
            // Files are read when the source is opened.
            "etcds" => etcd(hosts, path, Some(Tls::default())).map(Self::Etcd),
            "apollo" => apollo(hosts, path, None).map(Self::Apollo),
            _ => apollo(hosts, path, Some(tidegate_apollo::Tls::default())).map(Self::Apollo),
        }
    }
}

fn etcd(hosts: &str, path: &str, tls: Option<Tls>) -> Result<tidegate_etcd::Config, String> {
    if path.is_empty() {
        return Err("the key is missing: `etcd://HOST:PORT/KEY`, or `etcd://HOST:PORT/FOLDER/` for all below it".into());
    }
    let key = decoded(&format!("/{path}"))?;
    Ok(tidegate_etcd::Config { endpoints: addresses(hosts, ETCD_PORT)?, key, credentials: None, tls })
}

fn apollo(hosts: &str, path: &str, tls: Option<tidegate_apollo::Tls>) -> Result<tidegate_apollo::Config, String> {
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
        servers: addresses(hosts, if tls.is_some() { APOLLO_TLS_PORT } else { APOLLO_PORT })?,
        discover: true,
        app: decoded(app)?,
        cluster: "default".into(),
        namespaces,
        secret: None,
        tls,
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
