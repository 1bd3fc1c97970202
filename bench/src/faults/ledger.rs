//! What became of every request.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tokio::sync::Notify;

/// What is kept of failures that must not happen: enough to see why.
const SHOWN: usize = 20;

/// The requests that wait to be sent, and what became of those that were.
#[derive(Debug)]
pub struct Ledger {
    epoch: Instant,
    /// When that was, in microseconds since the Unix epoch.
    epoch_us: u64,
    /// How an answer may end, and how often one did.
    ends: Vec<(String, Cell<u64>)>,
    queue: RefCell<VecDeque<u64>>,
    filled: Notify,
    closed: Cell<bool>,
    /// When, how long, the status, which end, and the request's number.
    samples: RefCell<Vec<(u64, u64, u16, Option<usize>, u64)>>,
    /// Sent, and not answered.
    unanswered: Tally,
    /// The numbers of those.
    lost: RefCell<Vec<u64>>,
    /// 503 whose body is no `google.rpc.Status` with `UNAVAILABLE`, and other answers that are wrong.
    wrong: Tally,
    /// Answered by GOAWAY or `REFUSED_STREAM`: surely not processed, and free to be sent elsewhere.
    turned_away: Cell<u64>,
    streams_complete: Cell<u64>,
    streams_with_status: Cell<u64>,
    /// Neither.
    streams_cut: Tally,
}

/// How many, and what the first of them were.
#[derive(Debug, Default)]
pub(super) struct Tally {
    count: Cell<u64>,
    first: RefCell<Vec<String>>,
}

impl Tally {
    pub(super) fn add(&self, what: String) {
        self.count.set(self.count.get() + 1);
        if self.first.borrow().len() < SHOWN {
            self.first.borrow_mut().push(what);
        }
    }

    fn to_json(&self) -> Value {
        json!({ "count": self.count.get(), "first": *self.first.borrow() })
    }
}

impl Default for Ledger {
    fn default() -> Self {
        let (epoch, epoch_us) = epoch();
        Self {
            epoch,
            epoch_us,
            ends: Vec::new(),
            queue: RefCell::default(),
            filled: Notify::new(),
            closed: Cell::new(false),
            samples: RefCell::default(),
            unanswered: Tally::default(),
            lost: RefCell::default(),
            wrong: Tally::default(),
            turned_away: Cell::new(0),
            streams_complete: Cell::new(0),
            streams_with_status: Cell::new(0),
            streams_cut: Tally::default(),
        }
    }
}

impl Ledger {
    /// A ledger for answers that end in one of these ways; without any, as they like.
    #[must_use]
    pub fn expecting(ends: &[String]) -> Self {
        Self { ends: ends.iter().map(|end| (end.clone(), Cell::new(0))).collect(), ..Self::default() }
    }

    /// Lets a request wait for a connection.
    pub(super) fn push(&self, number: u64) {
        self.queue.borrow_mut().push_back(number);
        self.filled.notify_one();
    }

    /// A request that could not be sent goes back to the front.
    pub(super) fn put_back(&self, number: u64) {
        self.queue.borrow_mut().push_front(number);
        self.filled.notify_one();
    }

    /// The next request, as soon as there is one; `None` at the end. The connection that has waited
    /// longest gets it.
    pub(super) async fn next(&self) -> Option<u64> {
        loop {
            if let Some(number) = self.queue.borrow_mut().pop_front() {
                return Some(number);
            }
            if self.closed.get() {
                return None;
            }
            self.filled.notified().await;
        }
    }

    /// No more requests will come.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.filled.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// The request with this number, that was sent at this moment, was answered now.
    pub(super) fn answered(&self, number: u64, sent: Instant, status: u16, body: &[u8]) {
        let end = self.ends.iter().position(|(end, _)| body.ends_with(end.as_bytes()));
        if let Some(end) = end {
            increment(&self.ends[end].1);
        }
        if !well_formed(status, body) || (status == 200 && end.is_none() && !self.ends.is_empty()) {
            self.wrong.add(format!("{status}: {}", String::from_utf8_lossy(&body[..body.len().min(200)])));
        }
        let at = self.epoch_us + micros(sent.duration_since(self.epoch));
        self.samples.borrow_mut().push((at, micros(sent.elapsed()), status, end, number));
    }

    pub(super) fn unanswered(&self, number: u64, why: &dyn std::fmt::Display) {
        self.unanswered.add(format!("request {number}: {why:#}"));
        self.lost.borrow_mut().push(number);
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.set(self.turned_away.get() + 1);
    }

    /// A stream ended: in order, with these as its last bytes, or not.
    pub(super) fn stream_ended(&self, ended: Result<(), String>, last: &[u8]) {
        let last = String::from_utf8_lossy(last);
        let line = last.trim_end().rsplit('\n').next().unwrap_or_default();
        match ended {
            Ok(()) if line.starts_with(r#"{"error":{"code":14,"#) => increment(&self.streams_with_status),
            Ok(()) if line.starts_with(r#"{"code":14,"#) => increment(&self.streams_with_status),
            Ok(()) if line.starts_with(r#"{"id":"#) => increment(&self.streams_complete),
            Ok(()) => self.streams_cut.add(format!("its last line is {line}")),
            Err(why) => self.streams_cut.add(why),
        }
    }

    /// Everything, for the process that asked.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "samples": *self.samples.borrow(),
            "lost": *self.lost.borrow(),
            "not_sent": self.queue.borrow().len(),
            "ends": self.ends.iter().map(|(_, seen)| seen.get()).collect::<Vec<_>>(),
            "turned_away": self.turned_away.get(),
            "unanswered": self.unanswered.to_json(),
            "wrong": self.wrong.to_json(),
            "streams_complete": self.streams_complete.get(),
            "streams_with_status": self.streams_with_status.get(),
            "streams_cut": self.streams_cut.to_json(),
        })
    }
}

/// A moment on both clocks. Whoever compares what several processes saw needs the two read at once, which they are not
/// if others are served in between: the closest of some tries counts.
fn epoch() -> (Instant, u64) {
    let read = || {
        let before = Instant::now();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (before.elapsed(), before, micros(wall))
    };
    let (_, instant, wall) = (0..64).map(|_| read()).min().unwrap_or_else(read);
    (instant, wall)
}

fn well_formed(status: u16, body: &[u8]) -> bool {
    match status {
        200 => body.starts_with(br#"{"id":"#),
        503 => body.starts_with(br#"{"code":14,"message":""#) && body.ends_with(b"}"),
        _ => false,
    }
}

fn increment(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_ends_otherwise_is_wrong_and_the_others_are_counted() {
        let ledger = Ledger::expecting(&[r#""a"}"#.to_owned(), r#""b"}"#.to_owned()]);
        for body in [r#"{"id":"a"}"#, r#"{"id":"b"}"#, r#"{"id":"b"}"#, r#"{"id":"c"}"#] {
            ledger.answered(7, ledger.epoch, 200, body.as_bytes());
        }
        let found = ledger.to_json();
        assert_eq!((&found["ends"], &found["wrong"]["count"]), (&json!([1, 2]), &json!(1)));
    }

    #[test]
    fn answers_and_ends_are_told_apart() {
        let ledger = Ledger::default();
        for (status, body) in [
            (200, &br#"{"id":"r-1"}"#[..]),
            (503, br#"{"code":14,"message":"no"}"#),
            (503, b""),
            (200, br#"{"code":14,"message":"no"}"#),
            (404, br#"{"code":5,"message":"no"}"#),
        ] {
            ledger.answered(7, ledger.epoch, status, body);
        }
        ledger.stream_ended(Ok(()), b"{\"id\":\"item\"}\n{\"id\":\"item\"}\n");
        ledger.stream_ended(Ok(()), b"{\"id\":\"item\"}\n{\"error\":{\"code\":14,\"message\":\"stop\"}}\n");
        ledger.stream_ended(Ok(()), b"{\"id\":\"item\"}\n{\"i");
        ledger.stream_ended(Ok(()), b"");
        ledger.stream_ended(Err("reset".to_owned()), b"{\"id\":\"item\"}\n");
        let found = ledger.to_json();
        let counts = ["wrong", "streams_cut"].map(|name| found[name]["count"].as_u64());
        assert_eq!(counts, [Some(3), Some(3)]);
        let counts = ["streams_complete", "streams_with_status"].map(|name| found[name].as_u64());
        assert_eq!(counts, [Some(1), Some(1)]);
    }
}
