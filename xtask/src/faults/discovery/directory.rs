//! Where endpoints are found: DNS or etcd, both of our own, which can fail.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tidegate_source_rig::etcd::Etcd;

use super::dns::{Dns, Mood, Record};

/// How long answers of DNS hold: longer than the shortest time between two questions.
const TTL_SECONDS: u32 = 2;
const NAME: &str = "items.test";
const SERVICE: &str = "_grpc._tcp.items.test";
/// What keys begin with.
const PREFIX: &str = "/endpoints/items/";

/// How endpoints are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Addresses,
    Services,
    Etcd,
}

/// What a directory suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    ServFail,
    NoAnswer,
    NoRecords,
    Killed,
    Paused,
}

/// A directory, and what is in it: names and addresses of endpoints.
#[derive(Debug)]
pub(super) struct Directory {
    kind: Kind,
    server: Server,
    listed: Vec<(String, String)>,
    /// Of the first endpoint; by their addresses alone all have the same.
    port: Option<u16>,
    /// Counts what was ever listed.
    number: u8,
}

#[derive(Debug)]
enum Server {
    Dns(Dns),
    Etcd(Etcd),
}

impl Kind {
    /// For the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Addresses => "discovery, A",
            Self::Services => "discovery, SRV",
            Self::Etcd => "discovery, etcd",
        }
    }

    /// From a change until it is in force, at most.
    pub(super) fn goal(self) -> Duration {
        match self {
            Self::Addresses | Self::Services => Duration::from_secs(u64::from(TTL_SECONDS) + 1),
            Self::Etcd => Duration::from_secs(1),
        }
    }

    /// Of the server, in turn.
    pub(super) fn failures(self) -> &'static [Failure] {
        match self {
            Self::Addresses | Self::Services => &[Failure::ServFail, Failure::NoAnswer, Failure::NoRecords],
            Self::Etcd => &[Failure::Killed, Failure::Paused],
        }
    }
}

impl Failure {
    /// For the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ServFail => "a change is in force after SERVFAIL",
            Self::NoAnswer => "a change is in force after DNS was silent",
            Self::NoRecords => "a change is in force after DNS had no records",
            Self::Killed => "a change is in force after etcd was killed",
            Self::Paused => "a change is in force after etcd was paused",
        }
    }
}

impl Directory {
    /// One without endpoints.
    pub(super) fn start(kind: Kind) -> Result<Self> {
        let server = match kind {
            Kind::Addresses | Kind::Services => Server::Dns(Dns::start(TTL_SECONDS)?),
            Kind::Etcd => {
                let etcd = Etcd::start().context("etcd is not installed: `cargo xtask servers` does it")?;
                Server::Etcd(etcd)
            }
        };
        Ok(Self { kind, server, listed: Vec::new(), port: None, number: 0 })
    }

    /// Where the next endpoint is to listen: each has an address of its own.
    pub(super) fn next_listen(&mut self) -> Result<String> {
        self.number = self.number.checked_add(1).context("there are 255 addresses")?;
        let port = if self.kind == Kind::Addresses { self.port.unwrap_or(0) } else { 0 };
        Ok(format!("127.0.1.{}:{port}", self.number))
    }

    /// What the config has for `endpoints`.
    pub(super) fn config(&self) -> String {
        match (&self.server, self.port) {
            (Server::Dns(dns), Some(port)) if self.kind == Kind::Addresses => {
                format!("{{ dns: {NAME}:{port}, servers: [{}] }}", dns.address)
            }
            (Server::Dns(dns), _) => format!("{{ srv: {SERVICE}, servers: [{}] }}", dns.address),
            (Server::Etcd(etcd), _) => format!("{{ etcd: etcd://{}{PREFIX} }}", etcd.address()),
        }
    }

    /// Lists these endpoints, by name and address, in place of those before. In etcd those that come do so before
    /// others go.
    pub(super) fn list(&mut self, endpoints: Vec<(String, String)>) -> Result<()> {
        match &self.server {
            Server::Dns(dns) => {
                let of_all = endpoints.iter().map(|(name, address)| records(self.kind, name, address));
                let records = of_all.collect::<Result<Vec<_>>>()?.concat();
                dns.change(|zone| zone.records = records);
            }
            Server::Etcd(etcd) => {
                let key = |name: &str| format!("{PREFIX}{name}");
                for (name, address) in endpoints.iter().filter(|one| !self.listed.contains(one)) {
                    etcd.put(&key(name), address);
                }
                for (name, _) in self.listed.iter().filter(|one| !endpoints.contains(one)) {
                    etcd.delete(&key(name));
                }
            }
        }
        if let Some((_, address)) = endpoints.first() {
            self.port = Some(address.parse::<SocketAddr>()?.port());
        }
        self.listed = endpoints;
        Ok(())
    }

    pub(super) fn fails(&mut self, failure: Failure) -> Result<()> {
        match (&mut self.server, failure) {
            (Server::Dns(dns), Failure::ServFail) => dns.change(|zone| zone.mood = Mood::Fails),
            (Server::Dns(dns), Failure::NoAnswer) => dns.change(|zone| zone.mood = Mood::Silent),
            (Server::Dns(dns), Failure::NoRecords) => dns.change(|zone| zone.mood = Mood::Empty),
            (Server::Etcd(etcd), Failure::Killed) => etcd.kill(),
            (Server::Etcd(etcd), Failure::Paused) => etcd.server().pause(),
            _ => bail!("{:?} does not fail so", self.kind),
        }
        Ok(())
    }

    pub(super) fn recovers(&mut self, failure: Failure) {
        match (&mut self.server, failure) {
            (Server::Dns(dns), _) => dns.change(|zone| zone.mood = Mood::Well),
            (Server::Etcd(etcd), Failure::Paused) => etcd.server().resume(),
            (Server::Etcd(etcd), _) => etcd.run(),
        }
    }
}

/// Of one endpoint.
fn records(kind: Kind, name: &str, address: &str) -> Result<Vec<(String, Record)>> {
    let (host, port) = address.rsplit_once(':').context("an address has a port")?;
    let host = Record::Address(host.parse::<Ipv4Addr>()?);
    if kind == Kind::Addresses {
        return Ok(vec![(NAME.to_owned(), host)]);
    }
    let target = format!("{name}.{NAME}");
    Ok(vec![(SERVICE.to_owned(), Record::Service(port.parse()?, target.clone())), (target, host)])
}
