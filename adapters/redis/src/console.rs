//! Plain commands to servers, for tools: nothing is decided here.

use tokio_rustls::TlsConnector;

use crate::address::Kind;
use crate::cluster::Slots;
use crate::config::Config;
use crate::failure::Failure;
use crate::handshake;
use crate::resp::Value;
use crate::tls;

/// Keys that are looked at, and removed, with one command.
const STEP: &[u8] = b"1000";

/// A connection of its own to one server, logged in.
#[derive(Debug)]
pub struct Console {
    server: handshake::Greeted,
}

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Bytes, as text as far as they are.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Several of them.
    List(Vec<Reply>),
    /// Nothing.
    Nothing,
}

impl Console {
    /// Connects to the one server of an address, or to the master of that name; to any member of a cluster.
    ///
    /// # Errors
    /// There is no such server, or none that limits can be kept in.
    pub async fn connect(config: &Config) -> Result<Self, Failure> {
        let connector = connector(config)?;
        let address = match &config.address.kind {
            Kind::Sentinel(name) => handshake::master(config, name, connector.as_ref()).await?,
            Kind::Single | Kind::Cluster => config.address.hosts.first().cloned().unwrap_or_default(),
        };
        Self::greet(&address, config, connector.as_ref()).await
    }

    /// The same for each master of a cluster.
    ///
    /// # Errors
    /// One of them is not there.
    pub async fn connect_to_all(config: &Config) -> Result<Vec<Self>, Failure> {
        if config.address.kind != Kind::Cluster {
            return Ok(vec![Self::connect(config).await?]);
        }
        let connector = connector(config)?;
        let slots = Slots::load(&config.address.hosts, config, connector.as_ref()).await?;
        let mut all = Vec::new();
        for member in slots.members() {
            all.push(Self::greet(member, config, connector.as_ref()).await?);
        }
        Ok(all)
    }

    async fn greet(address: &str, config: &Config, tls: Option<&TlsConnector>) -> Result<Self, Failure> {
        let greeted = tokio::time::timeout(config.connect, handshake::greet(address, config, tls)).await;
        let late = || Failure::NoAnswer { address: address.to_owned(), within: config.connect };
        Ok(Self { server: greeted.unwrap_or_else(|_| Err(late()))? })
    }

    /// `host:port`
    #[must_use]
    pub fn address(&self) -> &str {
        self.server.connection.address()
    }

    /// What it is: `Redis 7.0.15`, `Valkey 9.1.0`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.server.version
    }

    /// Sends a command and waits for its reply, for as long as it takes. After a future that was dropped the
    /// connection is of no use.
    ///
    /// # Errors
    /// The connection broke, or the server answers with an error.
    pub async fn command(&mut self, parts: &[&[u8]]) -> Result<Reply, Failure> {
        Ok(self.server.connection.command(parts).await?.into())
    }

    /// Removes all keys that begin with `prefix`, and tells how many there were. Needs `+scan +unlink`.
    ///
    /// # Errors
    /// As of [`Console::command`].
    pub async fn remove(&mut self, prefix: &str) -> Result<u64, Failure> {
        let pattern = format!("{}*", literally(prefix));
        let (mut cursor, mut removed) = ("0".to_owned(), 0);
        loop {
            let scan: [&[u8]; 6] = [b"SCAN", cursor.as_bytes(), b"MATCH", pattern.as_bytes(), b"COUNT", STEP];
            let reply = self.command(&scan).await?;
            let Reply::List(parts) = reply else { return Ok(removed) };
            let [Reply::Text(next), Reply::List(found)] = parts.as_slice() else { return Ok(removed) };
            let mut unlink: Vec<&[u8]> = vec![b"UNLINK"];
            unlink.extend(found.iter().filter_map(|key| match key {
                Reply::Text(key) => Some(key.as_bytes()),
                _ => None,
            }));
            if unlink.len() > 1
                && let Reply::Number(gone) = self.unlink(&unlink).await?
            {
                removed += u64::try_from(gone).unwrap_or(0);
            }
            if next == "0" {
                return Ok(removed);
            }
            cursor.clone_from(next);
        }
    }

    /// Members of a cluster take keys of one slot at a time.
    async fn unlink(&mut self, command: &[&[u8]]) -> Result<Reply, Failure> {
        match self.command(command).await {
            Err(Failure::Refused { reason, .. }) if reason.starts_with("CROSSSLOT") => {
                let mut gone = 0;
                for key in &command[1..] {
                    if let Reply::Number(one) = self.command(&[b"UNLINK", key]).await? {
                        gone += one;
                    }
                }
                Ok(Reply::Number(gone))
            }
            told => told,
        }
    }
}

fn connector(config: &Config) -> Result<Option<TlsConnector>, Failure> {
    if config.address.tls { tls::connector(&config.tls).map(Some) } else { Ok(None) }
}

/// A pattern that is matched by this text alone.
fn literally(text: &str) -> String {
    let special = |letter: char| matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-');
    text.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(bytes) => Self::Text(String::from_utf8_lossy(&bytes).into_owned()),
            Value::Error(said) => Self::Text(said),
            Value::Number(number) => Self::Number(number),
            Value::List(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Value::Nothing => Self::Nothing,
        }
    }
}
