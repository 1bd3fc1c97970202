//! A stream of changes, and whether the other side is alive.

use crate::failure::{Failure, reason};
use crate::messages::{Event, WatchKind, WatchProgress, WatchRequest, WatchResponse};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tonic::{Status, Streaming};

/// How often etcd is asked for a sign of life. HTTP/2's own pings will not do: etcd ends connections that
/// send them more often than every 5 s.
const ASK: Duration = Duration::from_secs(2);
/// Questions without an answer, after which the connection counts as dead: found after 4 to 6 s.
const UNANSWERED: u32 = 2;

/// A stream of changes.
#[derive(Debug)]
pub(crate) struct Watching {
    ask: mpsc::Sender<WatchRequest>,
    answers: Streaming<WatchResponse>,
    tick: Interval,
    unanswered: u32,
    /// Questions so far. The first one is asked at once.
    questions: u64,
}

/// What the stream says.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// Changes, all of one or more whole revisions.
    Changes { events: Vec<Event>, revision: i64 },
    /// What was asked for is not there any more: all has to be read again.
    Compacted,
    /// A sign of life of a watch that has stood for a while.
    Alive,
}

// === impl Watching ===

impl Watching {
    pub(crate) fn new(ask: mpsc::Sender<WatchRequest>, answers: Streaming<WatchResponse>) -> Self {
        let mut tick = interval(ASK);
        // After a pause of our own the other side gets its full time to answer.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ask, answers, tick, unanswered: 0, questions: 0 }
    }

    /// Waits until etcd says that it watches.
    pub(crate) async fn created(&mut self) -> Result<(), Failure> {
        let answer = read(self.answers.message().await)?;
        if answer.created { Ok(()) } else { Err(Failure::Cancelled("it was never begun".into())) }
    }

    /// Waits for the next change.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Heard, Failure> {
        loop {
            tokio::select! {
                // What came counts before the silence.
                biased;
                answer = self.answers.message() => {
                    self.unanswered = 0;
                    match heard(answer)? {
                        Heard::Alive if self.questions < 2 => {}
                        heard => return Ok(heard),
                    }
                }
                _ = self.tick.tick() => {
                    if self.unanswered >= UNANSWERED {
                        return Err(Failure::Silent(ASK * UNANSWERED));
                    }
                    self.unanswered += 1;
                    self.questions += 1;
                    // If there is no room, earlier questions have not left yet: the silence will tell.
                    let _ = self.ask.try_send(WatchRequest { kind: Some(WatchKind::Progress(WatchProgress {})) });
                }
            }
        }
    }
}

/// What an answer means. Signs of life mean nothing else: in some versions of etcd they overtake changes.
fn heard(answer: Result<Option<WatchResponse>, Status>) -> Result<Heard, Failure> {
    let answer = match answer {
        Ok(Some(WatchResponse { compact_revision: 1.., .. })) => return Ok(Heard::Compacted),
        other => read(other)?,
    };
    let revision = answer.header.unwrap_or_default().revision;
    Ok(if answer.events.is_empty() { Heard::Alive } else { Heard::Changes { events: answer.events, revision } })
}

/// An answer that does not end the stream.
fn read(answer: Result<Option<WatchResponse>, Status>) -> Result<WatchResponse, Failure> {
    match answer {
        Ok(Some(answer)) if answer.canceled => Err(Failure::Cancelled(reason(&answer.cancel_reason))),
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(Failure::Ended),
        Err(status) => Err(Failure::of_watch(&status)),
    }
}
