//! What an h2 connection may keep waiting, and for how long.
//!
//! One timer for the connection, which looks at regular intervals: a stream costs none, and a timeout
//! is at most one interval late.

use super::traffic::Traffic;
use crate::config::Limits;
use crate::server::connection::jittered;
use h2::{Ping, PingPong};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::limits::Limit;
use tokio::time::Sleep;

/// The longest interval: looking more often than this costs too much with many idle connections.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// The shortest: shorter timeouts are not kept exactly.
const LOOK_MIN: Duration = Duration::from_millis(5);

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may finish what it has: GOAWAY.
    Retire(Limit),
    /// It is closed at once.
    Close(Limit),
}

pub(super) struct Watch {
    traffic: Rc<Traffic>,
    limits: Arc<Limits>,
    ping: Option<PingPong>,
    alarm: Pin<Box<Sleep>>,
    every: Duration,
    /// The end of its life; `None` once that was said.
    retire_at: Option<Instant>,
    /// Since when no stream has been under way.
    idle_since: Instant,
    heard_at: Instant,
    /// When a PING was sent that is not answered.
    asked_at: Option<Instant>,
}

impl Watch {
    pub(super) fn new(traffic: Rc<Traffic>, limits: Arc<Limits>, ping: Option<PingPong>) -> Self {
        let now = clock::now();
        let every = interval(&limits);
        Self {
            traffic,
            ping,
            alarm: Box::pin(tokio::time::sleep_until((now + every).into())),
            every,
            retire_at: now.checked_add(jittered(limits.max_age)),
            limits,
            idle_since: now,
            heard_at: now,
            asked_at: None,
        }
    }

    /// Ready when something must be done. To be polled after the connection.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Verdict> {
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let now = clock::now();
            self.alarm.as_mut().reset((now + self.every).into());
            if let Some(verdict) = self.look(now) {
                return Poll::Ready(verdict);
            }
        }
    }

    fn look(&mut self, now: Instant) -> Option<Verdict> {
        let overdue =
            |since: Option<Instant>, after| since.is_some_and(|since| now.saturating_duration_since(since) >= after);
        if overdue(self.traffic.incomplete_since(), self.limits.headers.timeout) {
            return Some(Verdict::Close(Limit::HeaderTimeout));
        }
        if overdue(self.traffic.blocked_since(), self.limits.write_timeout) {
            return Some(Verdict::Close(Limit::WriteTimeout));
        }
        if self.retire_at.is_some_and(|at| at <= now) {
            self.retire_at = None;
            return Some(Verdict::Retire(Limit::MaxAge));
        }
        if self.traffic.streams() > 0 {
            self.idle_since = now;
        } else if overdue(Some(self.idle_since), self.limits.idle_timeout) {
            self.idle_since = now;
            return Some(Verdict::Retire(Limit::IdleTimeout));
        }
        self.is_dead(now).then_some(Verdict::Close(Limit::H2PingTimeout))
    }

    /// Asks a silent client for a sign of life; whether it has given none for too long.
    fn is_dead(&mut self, now: Instant) -> bool {
        if self.traffic.take_heard() {
            self.heard_at = now;
            self.asked_at = None;
            if let Some(ping) = &mut self.ping {
                // The answer must be taken before another may be sent; if there is none yet, the next is
                // tried again.
                let _ = ping.poll_pong(&mut Context::from_waker(Waker::noop()));
            }
            return false;
        }
        match self.asked_at {
            Some(asked_at) => now.saturating_duration_since(asked_at) >= self.limits.h2.ping_timeout,
            None => {
                let silent = now.saturating_duration_since(self.heard_at) >= self.limits.h2.ping_interval;
                let ping = self.ping.as_mut().filter(|_| silent);
                if ping.is_some_and(|ping| ping.send_ping(Ping::opaque()).is_ok()) {
                    self.asked_at = Some(now);
                }
                false
            }
        }
    }
}

/// Four looks within the shortest timeout.
fn interval(limits: &Limits) -> Duration {
    let h2 = &limits.h2;
    let timeouts = [limits.headers.timeout, limits.write_timeout, limits.idle_timeout, limits.max_age];
    let shortest = timeouts.into_iter().chain([h2.ping_interval, h2.ping_timeout]).min();
    (shortest.unwrap_or(LOOK_MAX) / 4).clamp(LOOK_MIN, LOOK_MAX)
}
