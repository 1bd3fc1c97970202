//! Which member of a cluster serves a slot.
//!
//! Source: the Redis cluster specification, "Key distribution model" and "Hash tags".

use std::collections::{BTreeSet, HashMap};

use tidegate_limit::Key;
use tokio_rustls::TlsConnector;

use crate::config::Config;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::handshake;
use crate::resp::Value;

/// Slots of a cluster.
const SLOTS: u16 = 16384;
/// Hash tags. Keys of one tag stand in one slot, with an era of their own, and can be decided in one call.
const TAGS: u128 = 256;

/// The hash tag of a key, as it stands in the key.
pub(crate) fn tag(key: Key) -> String {
    format!("{{{:02x}}}", key.0 % TAGS)
}

/// The slot of a tag.
pub(crate) fn slot(tag: &str) -> u16 {
    crc(tag.trim_matches(['{', '}']).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

/// Members by slot, as far as known.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Slots {
    members: HashMap<u16, String>,
}

impl Slots {
    /// The member that serves a slot: `host:port`.
    pub(crate) fn member(&self, slot: u16) -> Option<&str> {
        self.members.get(&slot).map(String::as_str)
    }

    /// Whether a member serves anything.
    pub(crate) fn names(&self, member: &str) -> bool {
        self.members.values().any(|name| name == member)
    }

    /// Members that serve anything, each once.
    pub(crate) fn members(&self) -> BTreeSet<&str> {
        self.members.values().map(String::as_str).collect()
    }

    /// A slot has moved. Members are bounded by what servers name: one for each slot.
    pub(crate) fn set(&mut self, slot: u16, member: String) {
        self.members.insert(slot, member);
    }

    /// Asks the first member that answers.
    pub(crate) async fn load(members: &[String], config: &Config, tls: Option<&TlsConnector>) -> Result<Self, Failure> {
        let mut last = Failure::NoMember { slot: 0 };
        for member in members {
            let asked = tokio::time::timeout(config.connect, Self::ask(member, config, tls)).await;
            let no_answer = || Failure::NoAnswer { address: member.clone(), within: config.connect };
            match asked.unwrap_or_else(|_| Err(no_answer())) {
                Ok(slots) if slots.members.is_empty() => {}
                Ok(slots) => return Ok(slots),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn ask(member: &str, config: &Config, tls: Option<&TlsConnector>) -> Result<Self, Failure> {
        let mut connection = Connection::open(member, tls).await?;
        handshake::login(&mut connection, &config.address).await?;
        let reply = connection.command(&[b"CLUSTER", b"SLOTS"]).await?;
        let own = member.rsplit_once(':').map_or(member, |(host, _)| host);
        let strange = || Failure::Strange { address: member.to_owned(), reason: "CLUSTER SLOTS".to_owned() };
        Self::read(&reply, own).ok_or_else(strange)
    }

    /// Lists of first slot, last slot, master, replicas…; a host that is not told is that of who was asked.
    fn read(reply: &Value, own: &str) -> Option<Self> {
        let mut slots = Self::default();
        for range in reply.list()? {
            let [Value::Number(first), Value::Number(last), master, ..] = range.list()? else { return None };
            let [host, Value::Number(port), ..] = master.list()? else { return None };
            let port = port.to_string();
            let address = handshake::join(host, &port).unwrap_or_else(|| format!("{own}:{port}"));
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            for slot in first..=last.min(SLOTS - 1) {
                slots.set(slot, address.clone());
            }
        }
        Some(slots)
    }
}

#[cfg(test)]
mod tests;
