//! What can go wrong with a server, in the words of the one on call.

use std::time::Duration;

use tidegate_limit::ports::StoreError;

/// Why a server could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("no connection to {address}: {reason}")]
    Unreachable {
        /// `host:port`
        address: String,
        /// What the system or TLS said.
        reason: String,
    },
    /// Certificates or keys that cannot be used.
    #[error("TLS cannot be used: {0}")]
    Certificates(String),
    /// The server wants another user or password.
    #[error("{address} refuses the login: {reason}")]
    Login {
        /// `host:port`
        address: String,
        /// The server's words.
        reason: String,
    },
    /// A command is not allowed to the user.
    #[error("{address} does not allow it: {reason} (needed: +info +evalsha +eval +mget +set +del +time, and the keys)")]
    NotAllowed {
        /// `host:port`
        address: String,
        /// The server's words.
        reason: String,
    },
    /// It drops keys when its memory is full.
    #[error(
        "{address} drops keys when its memory is full (maxmemory-policy {policy}): limits would be forgotten; set it to \
         noeviction, or allow it for this store"
    )]
    Evicts {
        /// `host:port`
        address: String,
        /// The policy's name.
        policy: String,
    },
    /// A version without what the script needs.
    #[error("{address} is Redis {version}: 6.2 or later is needed")]
    Old {
        /// `host:port`
        address: String,
        /// What it says of itself.
        version: String,
    },
    /// A member of a cluster, addressed as a single server.
    #[error("{address} is part of a cluster: write redis-cluster://")]
    InCluster {
        /// `host:port`
        address: String,
    },
    /// A replica, which takes no writes.
    #[error("{address} is a replica: it takes no writes")]
    Replica {
        /// `host:port`
        address: String,
    },
    /// Its memory is full.
    #[error("{address} is out of memory (maxmemory): it takes no writes")]
    Full {
        /// `host:port`
        address: String,
    },
    /// It refused for now, or for another reason, before anything was written.
    #[error("{address} refuses: {reason}")]
    Refused {
        /// `host:port`
        address: String,
        /// The server's words.
        reason: String,
    },
    /// The slot has moved to another member.
    #[error("slot {slot} is at {to} now")]
    Moved {
        /// The number of the slot.
        slot: u16,
        /// `host:port`
        to: String,
    },
    /// No sentinel knows the master.
    #[error("no sentinel tells where the master `{master}` is: {reason}")]
    NoMaster {
        /// The master's name.
        master: String,
        /// What the last sentinel said.
        reason: String,
    },
    /// No member of a cluster serves a slot.
    #[error("no member of the cluster serves slot {slot}")]
    NoMember {
        /// The number of the slot.
        slot: u16,
    },
    /// The caller did not wait until it could be sent.
    #[error("an earlier question is still without an answer: nothing was sent")]
    Busy,
    /// The connection broke while an answer was awaited.
    #[error("the connection to {address} broke before the answer: {reason}")]
    Broken {
        /// `host:port`
        address: String,
        /// What the system said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {address} within {}ms", within.as_millis())]
    NoAnswer {
        /// `host:port`
        address: String,
        /// How long was waited.
        within: Duration,
    },
    /// An answer that is not what the script or the protocol says.
    #[error("the answer of {address} is not understood: {reason}")]
    Strange {
        /// `host:port`
        address: String,
        /// What was wrong.
        reason: String,
    },
}

impl Failure {
    /// Of an error that a server answered with: scripts stop at their first write, so nothing was taken.
    pub(crate) fn of_reply(address: &str, said: &str) -> Self {
        let address = address.to_owned();
        let reason = said.to_owned();
        // Servers before 7 put the reason of an error in a script behind words of their own.
        let has = |word: &str| said.contains(word);
        if let Some(moved) = said.strip_prefix("MOVED ") {
            let mut words = moved.split(' ');
            if let (Some(Ok(slot)), Some(to)) = (words.next().map(str::parse), words.next()) {
                return Self::Moved { slot, to: to.to_owned() };
            }
        }
        if has("NOAUTH") || has("WRONGPASS") || has("invalid password") || has("ERR AUTH") {
            Self::Login { address, reason }
        } else if has("NOPERM") {
            Self::NotAllowed { address, reason }
        } else if has("READONLY") {
            Self::Replica { address }
        } else if has("OOM command") {
            Self::Full { address }
        } else if REFUSALS.iter().any(|word| has(word)) {
            Self::Refused { address, reason }
        } else {
            Self::Strange { address, reason }
        }
    }

    /// Whether it may have been taken.
    pub(crate) const fn is_unsure(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::NoAnswer { .. } | Self::Strange { .. })
    }

    /// Whether the connection is of no use any more.
    pub(crate) const fn ends_connection(&self) -> bool {
        !matches!(self, Self::Full { .. } | Self::Refused { .. } | Self::Moved { .. } | Self::NotAllowed { .. })
    }
}

impl From<&Failure> for StoreError {
    fn from(failure: &Failure) -> Self {
        if failure.is_unsure() { Self::Unanswered } else { Self::Unreachable }
    }
}

/// What servers say before they do anything.
const REFUSALS: [&str; 11] = [
    "LOADING",
    "BUSY",
    "MISCONF",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "ASK ",
    "CROSSSLOT",
    "NOSCRIPT",
    "max number of clients",
];
