//! The tries of a call, as its exchange knows them.

use super::Exchange;
use crate::answer::Refusal;
use crate::b3;
use crate::breakers::Go;
use crate::gates::Places;
use crate::metadata::{GRPC_TIMEOUT, TRACEPARENT};
use crate::policies::Plan;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Instant;
use tidegate_telemetry::trace_context::SpanId;
use tidegate_telemetry::{clock, random};

/// Tries before this one: gRFC A6.
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// A try that failed, and after which another one was made.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) span: Option<SpanId>,
    pub(super) started: Option<Instant>,
    pub(super) ended: Instant,
    pub(super) endpoint: Option<Box<str>>,
    /// In a word why it failed.
    pub(super) error: String,
}

impl Exchange {
    /// Waits for a place under the limits of its route and its upstream, and asks the breaker: from here on the
    /// upstream is called, or the one that stands in for it, or it has its answer.
    ///
    /// # Errors
    /// 503 with `Retry-After`, or 504 if the deadline passed meanwhile.
    pub(crate) async fn pass(&mut self, plan: &Plan<'_>) -> Result<Go, Refusal> {
        self.take_places(plan, plan.upstream).await?;
        let rpc = plan.kind.rpc.unwrap_or_default();
        let go = self.calling(plan.breakers, plan.upstream, rpc, &plan.asked).inspect_err(|_| self.places = None)?;
        match go {
            Go::Call(index) if index != plan.upstream => {
                // The place is one of the upstream that is not called.
                self.places = None;
                self.take_places(plan, index).await?;
            }
            Go::Call(_) => {}
            Go::Answer(_) => self.places = None,
        }
        Ok(go)
    }

    async fn take_places(&mut self, plan: &Plan<'_>, upstream: usize) -> Result<(), Refusal> {
        if plan.gates(upstream).next().is_none() {
            return Ok(());
        }
        let places = Box::pin(Places::take(plan.gates(upstream), plan.class(), self.deadline)).await?;
        if let Some(log) = &mut self.log {
            log.queued += places.waited;
        }
        self.places = Some(Box::new(places));
        Ok(())
    }

    /// Whether the deadline is the client's.
    pub(crate) fn asked(&self) -> bool {
        self.asked
    }

    /// The time of its last try passed, which is the route's.
    pub(crate) fn was_late(&mut self) {
        self.asked = false;
    }

    /// A try failed, and another one will be made: what it had is given back.
    pub(crate) fn tried(&mut self, failed: Option<bool>, endpoint: Option<&str>, error: String) {
        self.judge(failed);
        self.leave(false);
        let span = self.trace.attempt;
        if let Some(log) = &mut self.log {
            let endpoint = endpoint.map(Box::from);
            let started = log.upstream_started.take();
            log.tries.push(Attempt { span, started, ended: clock::now(), endpoint, error });
        }
        self.trace.attempt = span.map(|_| SpanId::from_random(random::u64()));
    }

    /// Writes what is another with each try into its headers: what is left of the deadline, the place in the trace, and
    /// how many tries there were.
    pub(crate) fn write_again(&self, made: u32, rpc: bool, headers: &mut HeaderMap) {
        if rpc {
            headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(made));
            if headers.contains_key(GRPC_TIMEOUT)
                && let Some(left) = self.grpc_timeout()
            {
                headers.insert(GRPC_TIMEOUT, left);
            }
        }
        if headers.contains_key(TRACEPARENT) {
            self.write_trace(headers);
            if let Some(form) = self.snapshot.config.metadata.b3.filter(|_| !rpc) {
                b3::emit(headers, form);
            }
        }
    }

    /// Gives its places back. `tells` says that the call tells how long calls take.
    pub(super) fn leave(&mut self, tells: bool) {
        if let Some(places) = self.places.take() {
            places.give_back(tells);
        }
    }

    /// No upstream was called after all: its places are free, and nothing is learned of it.
    pub(crate) fn is_not_called(&mut self) {
        self.leave(false);
        self.calling = false;
    }

    /// The upstream has said all: its places are free, however long the client takes.
    pub(crate) fn upstream_done(&mut self) {
        self.leave(true);
    }
}
