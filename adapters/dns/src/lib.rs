//! Endpoints that are found by name.
//!
//! **Owns** what a name means: each of its addresses (A and AAAA) is an endpoint, or each target of the lowest priority of an SRV
//! record (RFC 2782); how long that holds; the resolver of the system with its servers, search domains and
//! `hosts` file.
//!
//! **Does not** decide when to ask, remember answers, know upstreams, or connect to anything but resolvers.
//!
//! **Invariant**: that there is no address is an error, and never an answer without any.
#![forbid(unsafe_code)]

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::{Resolver, ResolverBuilder, TokioResolver};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_traffic::discovery::{Finder, Found, Lost, Next, Place};
use tokio::task::JoinSet;

/// How long a server has to answer, each time that it is asked.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How often a question is asked again.
const ATTEMPTS: usize = 2;

/// What is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The addresses of a name; all endpoints have this port.
    Addresses {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
    /// The targets of a service: `_grpc._tcp.shop.example`. From [`Servers::These`] it is each address of theirs.
    Service(String),
}

/// Who is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Servers {
    /// Whoever the system asks: `/etc/resolv.conf`, and `/etc/hosts` before.
    #[default]
    System,
    /// These, over UDP, and over TCP when an answer is too long.
    These(Vec<SocketAddr>),
}

/// Finds endpoints by name.
pub struct Dns {
    question: Question,
    servers: Servers,
    /// Made anew after a failure: the servers of the system may be others by then.
    resolver: Option<TokioResolver>,
}

impl Dns {
    /// A finder that has not asked anybody yet.
    #[must_use]
    pub fn new(question: Question, servers: Servers) -> Self {
        Self { question, servers, resolver: None }
    }

    async fn ask(&mut self) -> Result<Found, Lost> {
        let resolver = match self.resolver.take() {
            Some(resolver) => resolver,
            None => resolver(&self.servers).map_err(|error| Lost(format!("cannot ask any DNS server: {error}")))?,
        };
        let found = match (&self.question, &self.servers) {
            (Question::Addresses { host, port }, _) => addresses(&resolver, host, *port).await,
            (Question::Service(name), Servers::System) => targets(&resolver, name).await,
            // Whoever connects asks the system, which need not know names that these servers know.
            (Question::Service(name), Servers::These(_)) => {
                let targets = targets(&resolver, name).await;
                match targets {
                    Ok(found) => addresses_of(&resolver, found).await,
                    lost => lost,
                }
            }
        };
        if found.is_ok() {
            self.resolver = Some(resolver);
        }
        found
    }
}

impl Finder for Dns {
    fn next(&mut self) -> Next<'_> {
        Box::pin(self.ask())
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("question", &self.question).field("servers", &self.servers).finish_non_exhaustive()
    }
}

fn resolver(servers: &Servers) -> Result<TokioResolver, NetError> {
    let provider = TokioRuntimeProvider::default();
    let mut builder: ResolverBuilder<_> = match servers {
        Servers::System => Resolver::builder(provider)?,
        Servers::These(addresses) => {
            let servers = addresses.iter().map(|address| {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                connections.iter_mut().for_each(|connection| connection.port = address.port());
                NameServerConfig::new(address.ip(), true, connections)
            });
            Resolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), servers.collect()), provider)
        }
    };
    set(builder.options_mut());
    builder.build()
}

fn set(options: &mut ResolverOpts) {
    options.timeout = TIMEOUT;
    options.attempts = ATTEMPTS;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Who asks knows how long an answer holds.
    options.cache_size = 0;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
}

async fn addresses(resolver: &TokioResolver, host: &str, port: u16) -> Result<Found, Lost> {
    let answer = resolver.lookup_ip(host).await.map_err(|error| lost(host, &error))?;
    let mut places: Vec<_> = answer.iter().map(|ip| Place { host: ip.to_string(), port, weight: 1 }).collect();
    found(host, &mut places, answer.as_lookup().answers())
}

async fn targets(resolver: &TokioResolver, name: &str) -> Result<Found, Lost> {
    let answer = resolver.lookup(name, RecordType::SRV).await.map_err(|error| lost(name, &error))?;
    let targets = answer.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(target) if !target.target.is_root() && target.port != 0 => Some(target),
        _ => None,
    });
    let first = targets.clone().map(|target| target.priority).min();
    let of_first = targets.filter(|target| Some(target.priority) == first);
    let mut places: Vec<_> = of_first
        .map(|target| Place {
            host: target.target.to_utf8().trim_end_matches('.').to_owned(),
            port: target.port,
            // RFC 2782 has 0 take very few, not none.
            weight: u32::from(target.weight).max(1),
        })
        .collect();
    found(name, &mut places, answer.answers())
}

/// The addresses of targets, each with the port and the weight of its target. A target that has none is no endpoint; that
/// there is none at all is an error.
async fn addresses_of(resolver: &TokioResolver, targets: Found) -> Result<Found, Lost> {
    let mut asked = JoinSet::new();
    for target in targets.places {
        let resolver = resolver.clone();
        asked.spawn(async move { (resolver.lookup_ip(&*target.host).await, target) });
    }
    let mut found = Found { places: Vec::new(), ..targets };
    while let Some(answered) = asked.join_next().await {
        let Ok((answer, Place { host, port, weight })) = answered else { continue };
        match answer {
            Ok(answer) => {
                found.places.extend(answer.iter().map(|ip| Place { host: ip.to_string(), port, weight }));
                found.again = found.again.min(Some(ttl(answer.as_lookup().answers())));
            }
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => {
                found.wrong.push(lost(&host, &error).0);
            }
            // Nothing is known of it; an answer without it would take a target out of use that may be well.
            Err(error) => return Err(lost(&host, &error)),
        }
    }
    found.places.sort();
    found.places.dedup_by(|a, b| (&a.host, a.port) == (&b.host, b.port));
    found.wrong.sort();
    if found.places.is_empty() {
        return Err(Lost(found.wrong.join("; ")));
    }
    Ok(found)
}

/// Servers give their answers in another order each time.
fn found(name: &str, places: &mut Vec<Place>, records: &[Record]) -> Result<Found, Lost> {
    places.sort();
    places.dedup();
    if places.is_empty() {
        return Err(Lost(format!("{name} has no records of that kind")));
    }
    Ok(Found { places: std::mem::take(places), wrong: Vec::new(), again: Some(ttl(records)) })
}

/// How long all of them hold.
fn ttl(records: &[Record]) -> Duration {
    Duration::from_secs(records.iter().map(|record| record.ttl).min().unwrap_or(0).into())
}

fn lost(name: &str, error: &NetError) -> Lost {
    Lost(match error {
        error if error.is_nx_domain() => format!("there is no {name} in DNS"),
        error if error.is_no_records_found() => format!("{name} has no records of that kind"),
        NetError::Timeout => format!("no answer for {name} from any DNS server"),
        error => format!("cannot look up {name}: {error}"),
    })
}
