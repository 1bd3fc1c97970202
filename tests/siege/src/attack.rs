//! The table of attacks: what each sends, where it is known from, and how it ended.

mod bodies;
mod floods;
mod headers;
mod resets;
mod slow;
mod stalls;

use crate::frame::{frame, kind};
use crate::h1::H1;
use crate::h2::{ALIVE, H2, Seen};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What is attacked: a gateway, and paths that it serves.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Answers GET with a few bytes.
    pub get: String,
    /// Takes POST with a JSON object.
    pub post: String,
    /// Answers GET with a few hundred KiB.
    pub large: String,
    /// Answers GET with a stream without end.
    pub endless: String,
    /// The same as a native gRPC call with an empty message.
    pub native: String,
}

impl Target {
    /// A gateway before [`crate::upstream`].
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            get: "/small".into(),
            post: "/take".into(),
            large: "/large".into(),
            endless: "/endless".into(),
            native: format!("/{}/Endless", crate::upstream::SERVICE),
        }
    }
}

/// How the attacker's connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Closed, after a GOAWAY with this code.
    GoAway(u32),
    /// Closed without a GOAWAY, or on HTTP/1.1.
    Closed,
    /// It can be used still.
    Open,
}

/// What an attack came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How the connection ended.
    pub end: End,
    /// The statuses of all answers.
    pub statuses: BTreeSet<u16>,
    /// The codes of all streams that the gateway reset.
    pub resets: BTreeSet<u32>,
    /// Bytes that the attacker sent.
    pub sent: u64,
}

/// One attack.
#[derive(Debug)]
pub struct Attack {
    /// What it does, in a few words; unique.
    pub name: &'static str,
    /// Where it is described, or which rule it breaks or stretches.
    pub source: &'static str,
    /// Makes it once, on one connection.
    pub run: fn(&Target) -> io::Result<Outcome>,
}

/// What a flood waits for its end once everything is sent. A gateway that bears it says nothing.
const AFTER_A_FLOOD: Duration = Duration::from_secs(20);
/// What a slow attack waits for the gateway to lose patience.
const FOR_A_TIMEOUT: Duration = Duration::from_secs(30);

/// Every attack of one connection.
#[must_use]
pub fn all() -> Vec<Attack> {
    [resets::ATTACKS, floods::ATTACKS, headers::ATTACKS, stalls::ATTACKS, slow::ATTACKS, bodies::ATTACKS]
        .into_iter()
        .flatten()
        .map(|attack| Attack { ..*attack })
        .collect()
}

/// The attack of this name.
#[must_use]
pub fn named(name: &str) -> Option<Attack> {
    all().into_iter().find(|attack| attack.name == name)
}

impl Outcome {
    /// Of an HTTP/2 connection: waits for its end or for silence, and asks whether it lives.
    fn of_h2(mut connection: H2, patience: Duration) -> Self {
        connection.send(&frame(kind::PING, 0, 0, ALIVE));
        let seen = connection.wait(patience, |seen| seen.alive && seen.goaway.is_none()).clone();
        let end = match (seen.closed, seen.goaway) {
            (_, Some(code)) => End::GoAway(code),
            (true, None) => End::Closed,
            (false, None) => End::Open,
        };
        Self::with_end(end, seen, connection.sent())
    }

    /// Of an HTTP/2 connection that is in no state for a PING: waits for its end.
    fn of_broken_h2(mut connection: H2, patience: Duration) -> Self {
        let seen = connection.wait(patience, |_| false).clone();
        let end = match (seen.closed, seen.goaway) {
            (false, _) => End::Open,
            (true, Some(code)) => End::GoAway(code),
            (true, None) => End::Closed,
        };
        Self::with_end(end, seen, connection.sent())
    }

    fn with_end(end: End, seen: Seen, sent: u64) -> Self {
        // Later answers of a connection may be compressed beyond us.
        let statuses = seen.answers.into_values().filter(|status| *status != 0).collect();
        Self { end, statuses, resets: seen.resets.into_values().collect(), sent }
    }

    /// Of an HTTP/1.1 connection: waits for its end.
    fn of_h1(mut connection: H1, patience: Duration) -> Self {
        let answers = connection.wait(patience, usize::MAX);
        let end = if answers.closed { End::Closed } else { End::Open };
        let statuses = answers.statuses.into_iter().collect();
        Self { end, statuses, resets: BTreeSet::new(), sent: connection.sent() }
    }
}
