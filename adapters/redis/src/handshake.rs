//! What is said first on a connection, and who is found at its end.

use tokio_rustls::TlsConnector;

use crate::address::{Address, Kind};
use crate::config::Config;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::resp::Value;

/// A server that may be asked.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) connection: Connection,
    /// The server's run: another one is a server that may have lost its data.
    pub(crate) run: String,
    pub(crate) version: String,
}

/// Logs in, and looks who it is.
pub(crate) async fn greet(address: &str, config: &Config, tls: Option<&TlsConnector>) -> Result<Greeted, Failure> {
    let mut connection = Connection::open(address, tls).await?;
    login(&mut connection, &config.address).await?;
    if config.address.database > 0 {
        let database = config.address.database.to_string();
        connection.command(&[b"SELECT", database.as_bytes()]).await?;
    }
    let info = connection.command(&[b"INFO"]).await?;
    let info = Info(info.text().unwrap_or_default());
    let owned = || address.to_owned();
    let version = info.get("valkey_version").map(|version| format!("Valkey {version}"));
    let version = match version {
        Some(version) => version,
        None => {
            let version = info.get("redis_version").unwrap_or_default();
            if is_old(version) {
                return Err(Failure::Old { address: owned(), version: version.to_owned() });
            }
            format!("Redis {version}")
        }
    };
    if info.get("role").is_some_and(|role| role != "master") {
        return Err(Failure::Replica { address: owned() });
    }
    if config.address.kind != Kind::Cluster && info.get("cluster_enabled") == Some("1") {
        return Err(Failure::InCluster { address: owned() });
    }
    let bounded = info.get("maxmemory").is_some_and(|most| most != "0");
    if let Some(policy) = info.get("maxmemory_policy")
        && bounded
        && policy != "noeviction"
        && !config.evicting
    {
        return Err(Failure::Evicts { address: owned(), policy: policy.to_owned() });
    }
    let Some(run) = info.get("run_id") else {
        return Err(Failure::Strange { address: owned(), reason: "INFO has no run_id".to_owned() });
    };
    let run = run.to_owned();
    Ok(Greeted { connection, run, version })
}

/// Says who we are, if there is a password.
pub(crate) async fn login(connection: &mut Connection, address: &Address) -> Result<(), Failure> {
    let (user, password) = (address.user.as_bytes(), address.password.as_bytes());
    match (user, password) {
        (b"", b"") => return Ok(()),
        (b"", password) => connection.command(&[b"AUTH", password]).await?,
        (user, password) => connection.command(&[b"AUTH", user, password]).await?,
    };
    Ok(())
}

/// Where the sentinels say that the master is.
pub(crate) async fn master(config: &Config, master: &str, tls: Option<&TlsConnector>) -> Result<String, Failure> {
    let mut reason = String::new();
    for sentinel in &config.address.hosts {
        // One that does not answer must not take all the time.
        let share = config.connect / 2 / u32::try_from(config.address.hosts.len()).unwrap_or(1).max(1);
        match tokio::time::timeout(share, ask_sentinel(sentinel, master, tls)).await {
            Ok(Ok(Some(address))) => return Ok(address),
            Ok(Ok(None)) => reason = format!("{sentinel} does not know it"),
            Ok(Err(failure)) => reason = failure.to_string(),
            Err(_) => reason = format!("{sentinel} does not answer"),
        }
    }
    Err(Failure::NoMaster { master: master.to_owned(), reason })
}

async fn ask_sentinel(sentinel: &str, master: &str, tls: Option<&TlsConnector>) -> Result<Option<String>, Failure> {
    let mut connection = Connection::open(sentinel, tls).await?;
    let reply = connection.command(&[b"SENTINEL", b"get-master-addr-by-name", master.as_bytes()]).await?;
    let Some([host, port]) = reply.list() else { return Ok(None) };
    Ok(join(host, port.text().unwrap_or_default()))
}

/// `host:port`, an IPv6 address in brackets.
pub(crate) fn join(host: &Value, port: &str) -> Option<String> {
    let host = host.text().filter(|host| !host.is_empty())?;
    Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// The answer to INFO.
struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
    }
}

fn is_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (6, 2)
}
