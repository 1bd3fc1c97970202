//! The connection and the lease of a gateway, and what hangs on them.

use crate::client::Client;
use crate::config::Config;
use crate::failure::Failure;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tidegate_traffic::ports::BoardError;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a gateway may be silent, in seconds: so long nobody decides after one that leads has died.
const LIFE: i64 = 5;
/// What etcd says of a lease that is over.
const LEASE_IS_OVER: &str = "requested lease not found";

/// The session that is, if there is one, and those before it.
#[derive(Debug)]
pub(super) struct Sessions {
    config: Arc<Config>,
    now: Mutex<Now>,
}

/// A connection with a lease.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) lease: i64,
    endpoint: String,
}

#[derive(Debug, Default)]
struct Now {
    client: Option<Client>,
    /// 0 is none.
    lease: i64,
    /// Whose turn it is, of the endpoints.
    turn: usize,
    /// The tenures of this lease, by plan.
    tenures: HashMap<String, i64>,
    /// The plans where this lease has shown itself.
    present: HashSet<String>,
    /// The last number of what was told.
    number: u64,
}

impl Sessions {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self { config, now: Mutex::default() }
    }

    /// Keeps the lease, or takes a new one; over another member if one fails.
    pub(super) async fn renew(&self) -> Result<(), BoardError> {
        let mut failures = Vec::new();
        for _ in &self.config.endpoints {
            let endpoint = self.endpoint();
            match self.renew_at(&endpoint).await {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    failures.push(format!("etcd at {endpoint}: {failure}"));
                    self.now.lock().lost(&failure);
                }
            }
        }
        Err(BoardError { reason: failures.join("; ") })
    }

    async fn renew_at(&self, endpoint: &str) -> Result<(), Failure> {
        let (client, lease) = {
            let now = self.now.lock();
            (now.client.clone(), now.lease)
        };
        let mut client = match client {
            Some(client) => client,
            None => Client::connect(&self.config, endpoint, ANSWER).await?,
        };
        self.now.lock().client = Some(client.clone());
        if lease != 0 && client.keep_alive(lease).await? > 0 {
            return Ok(());
        }
        let granted = client.grant(LIFE).await?;
        self.now.lock().begin(granted);
        Ok(())
    }

    /// The session.
    pub(super) fn get(&self) -> Result<Session, BoardError> {
        self.current()?.ok_or_else(|| BoardError { reason: format!("etcd at {}: the lease is over", self.endpoint()) })
    }

    /// The session; `None` if its lease is over.
    pub(super) fn current(&self) -> Result<Option<Session>, BoardError> {
        let endpoint = self.endpoint();
        let now = self.now.lock();
        match &now.client {
            _ if now.lease == 0 => Ok(None),
            Some(client) => Ok(Some(Session { client: client.clone(), lease: now.lease, endpoint })),
            None => Err(BoardError { reason: format!("etcd at {endpoint}: the connection was lost") }),
        }
    }

    /// Something went wrong in a session: the next one may go to another member.
    pub(super) fn failed(&self, session: &Session, failure: &Failure) -> BoardError {
        self.now.lock().lost(failure);
        BoardError { reason: format!("etcd at {}: {failure}", session.endpoint) }
    }

    pub(super) fn tenure(&self, plan: &str) -> Option<i64> {
        self.now.lock().tenures.get(plan).copied()
    }

    pub(super) fn set_tenure(&self, session: &Session, plan: &str, tenure: Option<i64>) {
        let mut now = self.now.lock();
        match tenure.filter(|_| now.lease == session.lease) {
            Some(tenure) => now.tenures.insert(plan.to_owned(), tenure),
            None => now.tenures.remove(plan),
        };
    }

    pub(super) fn is_present(&self, plan: &str) -> bool {
        self.now.lock().present.contains(plan)
    }

    pub(super) fn set_present(&self, session: &Session, plan: &str) {
        let mut now = self.now.lock();
        if now.lease == session.lease {
            now.present.insert(plan.to_owned());
        }
    }

    /// Takes no part in a plan any more.
    pub(super) fn forget(&self, plan: &str) {
        let mut now = self.now.lock();
        now.tenures.remove(plan);
        now.present.remove(plan);
    }

    /// Another one every time.
    pub(super) fn next_number(&self) -> u64 {
        let mut now = self.now.lock();
        now.number += 1;
        now.number
    }

    fn endpoint(&self) -> String {
        let (turn, endpoints) = (self.now.lock().turn, &self.config.endpoints);
        endpoints.get(turn % endpoints.len().max(1)).cloned().unwrap_or_default()
    }
}

impl Now {
    /// Nothing of the lease before is left.
    fn begin(&mut self, lease: i64) {
        self.lease = lease;
        self.tenures.clear();
        self.present.clear();
    }

    fn lost(&mut self, failure: &Failure) {
        match failure {
            Failure::Other { reason, .. } if reason == LEASE_IS_OVER => self.begin(0),
            // A login costs etcd some time, and would change nothing.
            Failure::Forbidden { .. } => {}
            _ => {
                self.client = None;
                self.turn = self.turn.wrapping_add(1);
            }
        }
    }
}
