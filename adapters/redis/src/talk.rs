//! What is under way on a connection: questions that were sent, in the order in which they will be answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::config::{Clock, Config};
use crate::failure::Failure;
use crate::handshake::Greeted;
use crate::resp::Value;
use crate::script::{self, Call, Said};
use crate::stats::{Counts, count};

/// Jobs under way at one time: the server decides one while the next is on its way to it. More would only wait there,
/// where they can no longer be taken back.
const UNDER_WAY: usize = 2;

/// The answer to each call of a job.
pub(crate) type Replies = Vec<Result<Said, Failure>>;

/// Calls that were sent together.
pub(crate) struct Flight {
    calls: Arc<Vec<Call>>,
    reply: oneshot::Sender<Replies>,
    /// By the node's clock.
    pub(crate) asked: Duration,
    pub(crate) replies: Vec<Option<Result<Said, Failure>>>,
    /// Calls whose replies are to come, in their order.
    open: VecDeque<usize>,
    /// Calls that go again with the script's text, for the server did not know it.
    again: VecDeque<usize>,
    with_text: bool,
}

/// A connection, and what is under way on it.
pub(crate) struct Talk {
    server: Greeted,
    clock: Clock,
    /// How long an answer may take.
    patience: Duration,
    pub(crate) flights: VecDeque<Flight>,
    /// Nothing more is sent: it ends when all of it is answered.
    pub(crate) spoilt: bool,
}

impl Flight {
    /// Nothing is sent yet.
    pub(crate) fn new(calls: Arc<Vec<Call>>, reply: oneshot::Sender<Replies>, asked: Duration) -> Self {
        let all = calls.len();
        let replies = (0..all).map(|_| None).collect();
        let (open, again) = ((0..all).collect(), VecDeque::new());
        Self { calls, reply, asked, replies, open, again, with_text: false }
    }

    /// Tells what was answered, and of the rest why it was not.
    pub(crate) fn end(self, rest: &Failure) {
        let replies = self.replies.into_iter().map(|reply| reply.unwrap_or_else(|| Err(rest.clone())));
        // Whoever asked may have given up.
        drop(self.reply.send(replies.collect()));
    }

    /// A reply to the next of its calls.
    fn take(&mut self, value: &Value, address: &str) {
        let Some(place) = self.open.pop_front() else { return };
        let reply = match value {
            Value::Error(said) if said.starts_with("NOSCRIPT") && !self.with_text => {
                self.again.push_back(place);
                return;
            }
            Value::Error(said) => Err(Failure::of_reply(address, said)),
            value => self.calls[place]
                .read(value)
                .map_err(|reason| Failure::Strange { address: address.to_owned(), reason: reason.to_owned() }),
        };
        self.replies[place] = Some(reply);
    }
}

impl Talk {
    /// Nothing is under way yet.
    pub(crate) fn new(server: Greeted, config: &Config) -> Self {
        let (clock, patience) = (Arc::clone(&config.clock), config.patience);
        Self { server, clock, patience, flights: VecDeque::new(), spoilt: false }
    }

    /// Whether another job may be sent.
    pub(crate) fn has_room(&self) -> bool {
        !self.spoilt && self.flights.len() < UNDER_WAY
    }

    /// Whether the connection is to be left.
    pub(crate) fn is_over(&self) -> bool {
        self.spoilt && self.flights.is_empty()
    }

    /// How long an answer to what was asked then may still take.
    fn left(&self, asked: Duration) -> Duration {
        (asked + self.patience).saturating_sub((self.clock)())
    }

    /// Sends a job's calls.
    pub(crate) async fn send(&mut self, flight: Flight, counts: &Counts) -> Result<(), Failure> {
        let left = self.left(flight.asked);
        self.flights.push_back(flight);
        let Some(flight) = self.flights.back() else { return Ok(()) };
        let Greeted { connection, run, .. } = &mut self.server;
        let sending = connection.send(|out| {
            for (index, place) in flight.open.iter().enumerate() {
                count(&counts.calls);
                // One text is enough: the others follow it on the same connection.
                let text = (flight.with_text && index == 0).then_some(script::TEXT);
                if text.is_some() {
                    count(&counts.texts);
                }
                flight.calls[*place].write(out, run, text);
            }
        });
        match timeout(left, sending).await {
            Ok(sent) => sent,
            Err(_) => Err(self.late()),
        }
    }

    /// The next reply. May be dropped: nothing of it is lost.
    pub(crate) async fn next(&mut self) -> Option<Result<Value, Failure>> {
        let Some(flight) = self.flights.front() else {
            self.server.connection.ended().await;
            return None;
        };
        let left = self.left(flight.asked);
        match timeout(left, self.server.connection.reply()).await {
            Ok(reply) => Some(reply),
            Err(_) => Some(Err(self.late())),
        }
    }

    /// A reply came. What is answered by it as a whole comes back.
    pub(crate) async fn replied(&mut self, value: &Value, counts: &Counts) -> Result<Option<Flight>, Failure> {
        let Some(mut flight) = self.flights.pop_front() else { return Ok(None) };
        flight.take(value, self.server.connection.address());
        if !flight.open.is_empty() {
            self.flights.push_front(flight);
            return Ok(None);
        }
        if flight.again.is_empty() {
            return Ok(Some(flight));
        }
        // Behind what was sent meanwhile.
        flight.with_text = true;
        flight.open = std::mem::take(&mut flight.again);
        self.send(flight, counts).await.map(|()| None)
    }

    fn late(&self) -> Failure {
        let address = self.server.connection.address().to_owned();
        Failure::NoAnswer { address, within: self.patience }
    }
}
