//! Looking after a connection: is its peer still there, is it still needed.
//!
//! All in ticks of one timer for the whole pool, so that a connection has no timer of its own and
//! the path of a request reads no clock.

#[cfg(test)]
mod tests;

use std::{
    task::{Context, Waker},
    time::Duration,
};

use h2::{Ping, PingPong};

use crate::Config;

/// The longest tick: with long timeouts nothing is gained by looking less often.
const TICK_MAX: Duration = Duration::from_secs(5);

/// The shortest tick: shorter timeouts than this are not kept exactly.
const TICK_MIN: Duration = Duration::from_millis(10);

/// How often connections are looked at, and how many looks make each timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(crate) every: Duration,
    ping_after: Option<u32>,
    dead_after: u32,
    idle_after: Option<u32>,
}

/// What is known of a connection.
#[derive(Default)]
pub(crate) struct Probe {
    ping: Option<PingPong>,
    /// Ticks since anything was heard while requests were in flight.
    silent: u32,
    /// Ticks since a PING was sent that is not answered.
    unanswered: Option<u32>,
    /// Ticks without a request.
    idle: u32,
}

/// What a tick found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing to do.
    Fine,
    /// Unused for long enough to be closed.
    Idle,
    /// The peer does not answer.
    Dead,
}

// === impl Ticks ===

impl Ticks {
    pub(crate) fn new(config: &Config) -> Self {
        let keepalive = config.keepalive.map(|keepalive| keepalive.interval.min(keepalive.timeout));
        let shortest = [keepalive, config.idle_timeout].into_iter().flatten().min();
        // Two looks within the shortest, so that none is late by more than half.
        let every = shortest.map_or(TICK_MAX, |shortest| shortest / 2).clamp(TICK_MIN, TICK_MAX);
        let count =
            |timeout: Duration| u32::try_from(timeout.as_nanos().div_ceil(every.as_nanos())).unwrap_or(u32::MAX);
        Self {
            every,
            ping_after: config.keepalive.map(|keepalive| count(keepalive.interval)),
            dead_after: config.keepalive.map_or(u32::MAX, |keepalive| count(keepalive.timeout)),
            idle_after: config.idle_timeout.map(count),
        }
    }
}

// === impl Probe ===

impl Probe {
    pub(crate) fn new(ping: Option<PingPong>) -> Self {
        Self { ping, ..Self::default() }
    }

    /// `heard`: something arrived since the last tick; `busy`: requests are in flight.
    pub(crate) fn tick(&mut self, ticks: Ticks, heard: bool, busy: bool) -> Health {
        if heard || !busy {
            self.silent = 0;
            self.collect_pong();
        }
        if heard || busy {
            self.idle = 0;
        }
        if heard {
            return Health::Fine;
        }
        if !busy {
            self.idle += 1;
            let idle = ticks.idle_after.is_some_and(|after| self.idle >= after);
            return if idle { Health::Idle } else { Health::Fine };
        }
        self.silent += 1;
        if let Some(unanswered) = &mut self.unanswered {
            *unanswered += 1;
            return if *unanswered >= ticks.dead_after { Health::Dead } else { Health::Fine };
        }
        if ticks.ping_after.is_some_and(|after| self.silent >= after) {
            self.send_ping();
        }
        Health::Fine
    }

    fn send_ping(&mut self) {
        let sent = self.ping.as_mut().is_some_and(|ping| ping.send_ping(Ping::opaque()).is_ok());
        self.unanswered = sent.then_some(0);
    }

    /// Takes the answer to a PING, which must be done before another may be sent.
    fn collect_pong(&mut self) {
        if let Some(ping) = &mut self.ping {
            // Not there yet is as good: the next PING is then refused, and tried again a tick later.
            let _ = ping.poll_pong(&mut Context::from_waker(Waker::noop()));
        }
        self.unanswered = None;
    }
}
