//! The circuit breakers of routes: which calls are made at all, what is answered in place of those that are not,
//! and how the ends of the others are judged.
//!
//! A route with `breaker` has one for each upstream that its calls may go to, so that a canary that fails does not
//! take the stable side with it, and of those one for each value of its key, if it has one. A call is admitted right
//! before it is made, and gives its place back however it ends.

mod compile;
mod endpoints;
mod fallback;
mod guard;
mod key;
mod verdict;

use crate::answer::Refusal;
use crate::exchange::Exchange;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use tidegate_protojson::Schema;
use tidegate_upstream::RequestBody;

pub(crate) use compile::{Of, nearest, no_field};
pub(crate) use endpoints::ByEndpoint;
pub(crate) use fallback::Canned;
use fallback::Fallback;
pub(crate) use guard::{Admitted, Instead};
pub use guard::{Changed, Command, CommandError, Guard, KeyState};
use key::Key;
pub(crate) use verdict::{is_failure, verdict};

/// The breakers of one route.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    /// By the index of the upstream in the config; without one it is for all that have none of their own.
    guards: Vec<(Option<usize>, Arc<Guard>)>,
    key: Key,
    fallback: Fallback,
}

/// What the breakers of a route want to know of a request.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The value of the key, if it has one.
    key: Option<Box<str>>,
}

/// What becomes of a call.
#[derive(Debug)]
pub(crate) enum Go {
    /// It is made, to the upstream with this index in the config.
    Call(usize),
    /// It is not, and answered with this.
    Answer(Arc<Canned>),
}

/// What a breaker says of a call.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) go: Go,
    /// That a breaker let it pass.
    pub(crate) admitted: Option<Admitted>,
    /// What answers in place of the upstream that was chosen.
    pub(crate) instead: Option<Instead>,
    /// What is asked for the endpoint that it goes to.
    pub(crate) gate: Option<Arc<ByEndpoint>>,
}

// === impl Breakers ===

impl Breakers {
    /// What the headers of a request say; nothing is looked at where nothing needs it.
    pub(crate) fn asked(&self, headers: &HeaderMap) -> Asked {
        Asked { key: self.key.in_headers(headers) }
    }

    /// What the message of a call says, which is of this schema; `rpc` is `/pkg.Service/Method`, `encoding` what
    /// `grpc-encoding` says of a native call.
    pub(crate) fn look_into(
        &self,
        asked: &mut Asked,
        rpc: &str,
        schema: &Schema,
        body: &RequestBody,
        encoding: Option<&str>,
    ) {
        if let Key::Field(fields) = &self.key {
            asked.key = fields.in_message(rpc, schema, body, encoding);
        }
    }

    /// Whether a call may be made to this upstream, or what becomes of it. `rpc` is empty of a plain request.
    ///
    /// # Errors
    /// It is refused: by default 503 with `Retry-After`.
    pub(crate) fn admit(&self, upstream: usize, rpc: &str, asked: &Asked) -> Result<Passed, Refusal> {
        let called = |upstream, admitted, instead| Passed { go: Go::Call(upstream), admitted, instead, gate: None };
        let Some(guard) = self.guard(upstream) else { return Ok(called(upstream, None, None)) };
        if matches!(self.key, Key::Endpoint) {
            return Ok(Passed { gate: Some(ByEndpoint::new(guard)), ..called(upstream, None, None) });
        }
        let key = asked.key.as_deref();
        let retry_after = match guard.admit(key) {
            Ok(admitted) => return Ok(called(upstream, Some(admitted), None)),
            Err(retry_after) => retry_after,
        };
        if let Some(canned) = self.answer(guard, rpc) {
            return Ok(Passed { go: Go::Answer(canned), admitted: None, instead: Some(Instead::Answer), gate: None });
        }
        let refused = |retry_after| guard::refuse(self.fallback.status(), retry_after);
        let Fallback::Upstream(other) = self.fallback else { return Err(refused(retry_after)) };
        let Some(others) = self.guard(other) else { return Err(refused(retry_after)) };
        let admitted = others.admit(key).map_err(refused)?;
        guard.answered(Instead::Upstream);
        Ok(called(other, Some(admitted), Some(Instead::Upstream)))
    }

    /// What becomes of a call that may go to no endpoint.
    ///
    /// # Errors
    /// It is refused: by default 503 with `Retry-After`.
    fn kept_away(&self, gate: &ByEndpoint, rpc: &str) -> Result<Arc<Canned>, Refusal> {
        let refused = || guard::refuse(self.fallback.status(), gate.retry_after());
        self.answer(gate.guard(), rpc).ok_or_else(refused)
    }

    /// The answer that is always the same, if there is one for this call.
    fn answer(&self, guard: &Guard, rpc: &str) -> Option<Arc<Canned>> {
        let canned = self.fallback.answer_for(rpc)?;
        guard.answered(Instead::Answer);
        Some(Arc::clone(canned))
    }

    fn guard(&self, upstream: usize) -> Option<&Arc<Guard>> {
        let of = |wanted: Option<usize>| self.guards.iter().find(|(known, _)| *known == wanted);
        of(Some(upstream)).or_else(|| of(None)).map(|(_, guard)| guard)
    }

    /// Its breakers.
    pub(crate) fn guards(&self) -> impl Iterator<Item = &Arc<Guard>> {
        self.guards.iter().map(|(_, guard)| guard)
    }

    /// Goes on with the breakers of before that judge the same calls. Each is taken once.
    pub(crate) fn inherit(&mut self, before: &mut Vec<Arc<Guard>>) {
        for (_, guard) in &mut self.guards {
            if let Some(place) = before.iter().position(|before| guard.is_like(before)) {
                let known = before.swap_remove(place);
                known.set(guard.settings());
                *guard = known;
            }
        }
    }
}

impl Exchange {
    /// From here on the upstream with this index in the config is called, if the route's breakers let it pass.
    ///
    /// # Errors
    /// 503 with `Retry-After`, if the breaker has no other answer.
    pub(crate) fn calling(
        &mut self,
        breakers: &Breakers,
        upstream: usize,
        rpc: &str,
        asked: &Asked,
    ) -> Result<Go, Refusal> {
        let Passed { go, admitted, instead, gate } = breakers.admit(upstream, rpc, asked)?;
        self.passed(admitted, instead, gate);
        match &go {
            Go::Call(upstream) => self.begins_call(*upstream),
            Go::Answer(canned) => self.is_answered(Arc::clone(canned)),
        }
        Ok(go)
    }

    /// A call could go to no endpoint, by their breakers: it is answered in place of them.
    ///
    /// # Errors
    /// 503 with `Retry-After`, if the breaker has no other answer.
    pub(crate) fn kept_away(&mut self, breakers: &Breakers, rpc: &str) -> Result<Arc<Canned>, Refusal> {
        let canned = match self.take_gate() {
            Some(gate) => breakers.kept_away(&gate, rpc)?,
            None => return Err(guard::refuse(StatusCode::SERVICE_UNAVAILABLE, None)),
        };
        self.passed(None, Some(Instead::Answer), None);
        self.is_answered(Arc::clone(&canned));
        Ok(canned)
    }
}
