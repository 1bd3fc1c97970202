//! The store: a batch becomes calls of the script, each for the server that has its keys.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_limit::ports::{self, Answer, Batch, CounterStore, Deciding, Item, StoreError};
use tokio::sync::Notify;

use crate::address::Kind;
use crate::cluster::{self, Slots};
use crate::config::Config;
use crate::failure::Failure;
use crate::script::Call;
use crate::server::{Connector, Means, Server};
use crate::stats::{Status, count};
use crate::tls;

/// Counters in Redis or Valkey.
///
/// Connections are made when they are needed, by tasks that end with this value. A batch may be given up at any time
/// by dropping its future: what was not sent by then is not sent.
#[derive(Debug)]
pub struct Redis {
    means: Arc<Means>,
    servers: Servers,
}

#[derive(Debug)]
enum Servers {
    One(Server),
    Cluster(Arc<Members>),
}

/// What is known of a cluster.
#[derive(Debug, Default)]
struct Members {
    slots: Mutex<Slots>,
    servers: Mutex<HashMap<String, Arc<Server>>>,
    /// The slots are to be looked up again.
    stale: Notify,
}

impl Redis {
    /// A store at the config's address. Nothing is sent before the first batch.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let tls = config.address.tls.then(|| Connector(tls::connector(&config.tls)));
        let kind = config.address.kind.clone();
        let first = config.address.hosts.first().cloned().unwrap_or_default();
        let means = Arc::new(Means { config, tls, counts: Default::default(), lost: Mutex::new(None) });
        let servers = match kind {
            Kind::Single | Kind::Sentinel(_) => Servers::One(Server::start(first, Arc::clone(&means))),
            Kind::Cluster => {
                let members = Arc::new(Members::default());
                tokio::spawn(look_up(Arc::downgrade(&members), Arc::clone(&means)));
                members.stale.notify_one();
                Servers::Cluster(members)
            }
        };
        Self { means, servers }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let look = |server: &Server| (server.connected(), server.failure());
        let seen: Vec<_> = match &self.servers {
            Servers::One(server) => vec![look(server)],
            Servers::Cluster(members) => members.servers.lock().values().map(|server| look(server)).collect(),
        };
        let lost = self.means.lost.lock().clone();
        let failure = lost.or_else(|| seen.iter().find_map(|(_, failure)| failure.clone()));
        let mut connected: Vec<_> = seen.into_iter().filter_map(|(connected, _)| connected).collect();
        connected.sort_unstable();
        Status { connected, failure: failure.map(|failure| failure.to_string()), stats: self.means.counts.read() }
    }

    async fn all(&self, batch: Batch) -> Result<Vec<Answer>, StoreError> {
        match &self.servers {
            Servers::One(server) => {
                let config = &self.means.config;
                let mut call = Call::new(&config.prefix, config.forgiving);
                for (place, item) in batch.items.into_iter().enumerate() {
                    call.push(&config.prefix, place, item);
                }
                let replies = server.ask(&self.means, Arc::new(vec![call])).await;
                match replies.into_iter().next() {
                    Some(Ok(said)) => Ok(said.answers),
                    Some(Err(failure)) => Err(self.failed(&failure)),
                    None => Err(self.failed(&Failure::Busy)),
                }
            }
            Servers::Cluster(members) => self.of_cluster(members, batch.items).await,
        }
    }

    fn failed(&self, failure: &Failure) -> StoreError {
        let error = StoreError::from(failure);
        count(match error {
            StoreError::Unreachable | StoreError::Declined => &self.means.counts.unreachable,
            StoreError::Unanswered => &self.means.counts.unanswered,
        });
        error
    }

    async fn of_cluster(&self, members: &Arc<Members>, items: Vec<Item>) -> Result<Vec<Answer>, StoreError> {
        let config = &self.means.config;
        let mut answers = vec![None; items.len()];
        let mut calls: HashMap<String, Call> = HashMap::new();
        for (place, item) in items.into_iter().enumerate() {
            let tag = cluster::tag(item.key);
            let prefix = format!("{}{tag}:", config.prefix);
            let call = calls.entry(tag).or_insert_with(|| Call::new(&prefix, config.forgiving));
            call.push(&prefix, place, item);
        }
        // Who is told that a slot has moved was not served, and asks its new member.
        for last in [false, true] {
            let mut moved = HashMap::new();
            for (tag, call, reply) in self.round(members, std::mem::take(&mut calls)).await {
                match reply {
                    Ok(said) => {
                        for (place, answer) in call.places.iter().zip(said.answers) {
                            answers[*place] = Some(answer);
                        }
                    }
                    Err(Failure::Moved { slot, to }) if !last => {
                        members.slots.lock().set(slot, to);
                        moved.insert(tag, call);
                    }
                    Err(failure) => {
                        members.stale.notify_one();
                        return Err(self.failed(&failure));
                    }
                }
            }
            calls = moved;
            if calls.is_empty() {
                break;
            }
            members.stale.notify_one();
        }
        answers.into_iter().collect::<Option<Vec<_>>>().ok_or(StoreError::Unreachable)
    }

    /// Asks all members at once.
    async fn round(
        &self,
        members: &Arc<Members>,
        calls: HashMap<String, Call>,
    ) -> Vec<(String, Call, Result<crate::script::Said, Failure>)> {
        let mut outcomes = Vec::new();
        let mut by_member: HashMap<String, (Vec<String>, Vec<Call>)> = HashMap::new();
        for (tag, call) in calls {
            let slot = cluster::slot(&tag);
            let member = members.slots.lock().member(slot).map(str::to_owned);
            match member {
                Some(member) => {
                    let (tags, calls) = by_member.entry(member).or_default();
                    tags.push(tag);
                    calls.push(call);
                }
                None => outcomes.push((tag, call, Err(Failure::NoMember { slot }))),
            }
        }
        // Nothing is sent if a part cannot be.
        if !outcomes.is_empty() {
            let unknown = outcomes.first().and_then(|(_, _, reply)| reply.clone().err());
            let mut lost = self.means.lost.lock();
            *lost = lost.take().or(unknown);
            return outcomes;
        }
        let mut asked = tokio::task::JoinSet::new();
        for (member, (tags, calls)) in by_member {
            let server = members.server(&member, &self.means);
            let means = Arc::clone(&self.means);
            asked.spawn(async move {
                let calls = Arc::new(calls);
                let replies = server.ask(&means, Arc::clone(&calls)).await;
                let calls = Arc::unwrap_or_clone(calls);
                tags.into_iter().zip(calls).zip(replies).map(|((tag, call), reply)| (tag, call, reply)).collect()
            });
        }
        while let Some(joined) = asked.join_next().await {
            let joined: Vec<_> = joined.unwrap_or_default();
            outcomes.extend(joined);
        }
        outcomes
    }
}

impl CounterStore for Redis {
    fn decide(&self, batch: Batch) -> Deciding<'_> {
        Box::pin(self.all(batch))
    }

    fn servers(&self) -> ports::Servers {
        let Status { connected, failure, stats } = self.status();
        ports::Servers {
            address: self.means.config.address.to_string(),
            connected,
            failure,
            unreachable: stats.unreachable,
            unanswered: stats.unanswered,
            connections: stats.connections,
            losses: stats.eras,
            clock_forward: stats.clock_forward,
            clock_back: stats.clock_back,
        }
    }
}

impl Members {
    fn server(&self, member: &str, means: &Arc<Means>) -> Arc<Server> {
        let mut servers = self.servers.lock();
        let start = || Arc::new(Server::start(member.to_owned(), Arc::clone(means)));
        Arc::clone(servers.entry(member.to_owned()).or_insert_with(start))
    }

    /// Members that serve nothing any more are left.
    fn learn(&self, slots: Slots) {
        self.servers.lock().retain(|member, _| slots.names(member));
        *self.slots.lock() = slots;
    }
}

/// Looks slots up whenever they are stale, from any member that is known.
async fn look_up(members: std::sync::Weak<Members>, means: Arc<Means>) {
    loop {
        let Some(known) = members.upgrade() else { return };
        let wait = async move {
            known.stale.notified().await;
            known
        };
        // Looks from time to time whether anybody is left to look for.
        let Ok(known) = tokio::time::timeout(means.config.patience, wait).await else { continue };
        let mut seeds: Vec<String> = known.servers.lock().keys().cloned().collect();
        seeds.extend(means.config.address.hosts.iter().cloned());
        let tls = match means.tls() {
            Ok(tls) => tls,
            Err(failure) => {
                *means.lost.lock() = Some(failure);
                continue;
            }
        };
        match Slots::load(&seeds, &means.config, tls).await {
            Ok(slots) => {
                known.learn(slots);
                *means.lost.lock() = None;
            }
            Err(failure) => *means.lost.lock() = Some(failure),
        }
    }
}
