//! Where the servers are, as a URL says it.

use std::fmt;

use percent_encoding::percent_decode_str;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// How servers stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One server.
    Single,
    /// The master of this name, as the servers of the address (sentinels) tell it.
    Sentinel(String),
    /// A cluster, of which some members are named.
    Cluster,
}

/// Where servers are, and as whom they are used.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// How they stand together.
    pub kind: Kind,
    /// Each `host:port`; at least one, and exactly one of [`Kind::Single`].
    pub hosts: Vec<String>,
    /// The user's name; empty: the default user.
    pub user: String,
    /// The password; empty: none.
    pub password: String,
    /// The number of the database; 0 in a cluster.
    pub database: u32,
    /// Whether the way is TLS; that to sentinels too.
    pub tls: bool,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme.
    #[error(
        "unknown scheme `{0}`: it is redis://, redis-sentinel:// or redis-cluster://, or with TLS rediss://, \
         rediss-sentinel:// or rediss-cluster://"
    )]
    Scheme(String),
    /// No scheme.
    #[error("it has no scheme: write redis://host:port")]
    NoScheme,
    /// No host.
    #[error("it names no host")]
    NoHost,
    /// Not `host` or `host:port`.
    #[error("`{0}` is not host or host:port")]
    Host(String),
    /// Several hosts where one is meant.
    #[error("{0} hosts: several are redis-sentinel:// or redis-cluster://")]
    Hosts(usize),
    /// A sentinel's URL without the master's name.
    #[error("the name of the master is missing: redis-sentinel://host:port/NAME")]
    NoMaster,
    /// Not a number.
    #[error("the database `{0}` is not a number")]
    Database(String),
    /// Clusters have database 0 alone.
    #[error("a cluster has no database but 0")]
    ClusterDatabase,
    /// Bytes that are no text.
    #[error("the {0} is not UTF-8 after percent-decoding")]
    Text(&'static str),
    /// A slash in front of the `@`: what is told must not have a part of a password in it.
    #[error("it has an @ behind a slash: a password with / is written %2F, with @ %40")]
    Slash,
    /// Something behind a question mark or a hash sign.
    #[error("it has a query or a fragment: a password with ? or # is written %3F or %23")]
    Extra,
}

impl Address {
    /// Reads `redis://[[user][:password]@]host[:port][/database]`, or the same with `rediss` (TLS). Of
    /// `redis-sentinel://` the path is `/master[/database]` and there may be several hosts with commas between them,
    /// of `redis-cluster://` too. User and password are percent-encoded. `valkey` may stand for `redis`.
    ///
    /// # Errors
    /// [`AddressError`]
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::NoScheme)?;
        let (tls, form) = match scheme.strip_prefix("rediss").or_else(|| scheme.strip_prefix("valkeys")) {
            Some(form) => (true, form),
            None => {
                let form = scheme.strip_prefix("redis").or_else(|| scheme.strip_prefix("valkey"));
                (false, form.ok_or_else(|| AddressError::Scheme(scheme.to_owned()))?)
            }
        };
        if rest.contains(['?', '#']) {
            return Err(AddressError::Extra);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains('@') {
            return Err(AddressError::Slash);
        }
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (kind, database, port) = match (form, &*path) {
            ("", []) => (Kind::Single, "0", PORT),
            ("", [database]) => (Kind::Single, *database, PORT),
            ("-sentinel", [master, database @ ..]) if database.len() < 2 => {
                (Kind::Sentinel(text(master, "name")?), database.first().copied().unwrap_or("0"), SENTINEL_PORT)
            }
            ("-sentinel", []) => return Err(AddressError::NoMaster),
            ("-cluster", [] | ["0"]) => (Kind::Cluster, "0", PORT),
            ("-cluster", _) => return Err(AddressError::ClusterDatabase),
            ("" | "-sentinel", _) => return Err(AddressError::Database(path.join("/"))),
            _ => return Err(AddressError::Scheme(scheme.to_owned())),
        };
        if hosts.is_empty() {
            return Err(AddressError::NoHost);
        }
        let hosts = hosts.split(',').map(|one| host(one, port)).collect::<Result<Vec<_>, _>>()?;
        if kind == Kind::Single && hosts.len() > 1 {
            return Err(AddressError::Hosts(hosts.len()));
        }
        let database = database.parse().map_err(|_| AddressError::Database(database.to_owned()))?;
        Ok(Self { kind, hosts, user: text(user, "user")?, password: text(password, "password")?, database, tls })
    }
}

fn text(encoded: &str, what: &'static str) -> Result<String, AddressError> {
    Ok(percent_decode_str(encoded).decode_utf8().map_err(|_| AddressError::Text(what))?.into_owned())
}

/// `host:port`, with the port of the protocol if it has none. An IPv6 address stands in brackets.
fn host(one: &str, port: u16) -> Result<String, AddressError> {
    let wrong = || AddressError::Host(one.to_owned());
    let behind_address = one.rfind(']').map_or(0, |end| end + 1);
    let (name, number) = match one[behind_address..].rfind(':') {
        Some(colon) => (&one[..behind_address + colon], &one[behind_address + colon + 1..]),
        None => (one, ""),
    };
    let number = if number.is_empty() && name == one { port } else { number.parse().map_err(|_| wrong())? };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let fits = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && !name.contains([':', '[', ']', ' ', '@']),
    };
    if fits && number > 0 { Ok(format!("{name}:{number}")) } else { Err(wrong()) }
}

/// Without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let hosts = self.hosts.join(",");
        match &self.kind {
            Kind::Single => write!(f, "{scheme}://{hosts}")?,
            Kind::Sentinel(master) => write!(f, "{scheme}-sentinel://{hosts}/{master}")?,
            Kind::Cluster => write!(f, "{scheme}-cluster://{hosts}")?,
        }
        if self.database == 0 { Ok(()) } else { write!(f, "/{}", self.database) }
    }
}

/// Without the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests;
