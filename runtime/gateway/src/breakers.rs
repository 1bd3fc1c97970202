//! The circuit breakers of routes: which calls are made at all, and how their ends are judged.
//!
//! A route with `breaker` has one for each upstream that its calls may go to, so that a canary that fails does not
//! take the stable side with it. A call is admitted right before it is made, and gives its place back however
//! it ends.

use crate::answer::{Answer, Refusal};
use crate::config::Config;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tidegate_telemetry::metrics::breakers::{self, Figures};
use tidegate_telemetry::{clock, random};
use tidegate_traffic::breaker::{Breaker, Change, Outcome, Permit, Settings, State};
use tidegate_transcode::Code;

/// Changes that are kept to be shown.
const CHANGES_MAX: usize = 20;

/// The breakers of one route.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Vec<(usize, Arc<Guard>)>);

/// The breaker of a route's calls to one upstream: one for all workers, and for all configs that have the route.
#[derive(Debug)]
pub struct Guard {
    name: String,
    route: String,
    upstream: String,
    breaker: Arc<Breaker>,
    /// From when its machine counts time.
    origin: Instant,
    refused: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    changes: VecDeque<Changed>,
    /// How often it came into each state, in the order of [`State::ALL`].
    entered: [u64; State::ALL.len()],
}

/// A change, and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// When.
    pub at: SystemTime,
    /// What.
    pub change: Change,
}

/// A command for a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// No call passes until the next command.
    Open,
    /// Closed with nothing counted; it works by itself from there.
    Close,
    /// Every call passes until the next command.
    Disable,
}

/// A call that was admitted. Dropped, it gives its place back.
#[derive(Debug)]
pub(crate) struct Admitted {
    guard: Arc<Guard>,
    permit: Permit,
    /// By the guard's clock.
    begun: Duration,
}

// === impl Breakers ===

impl Breakers {
    /// Those of a route of this name, whose calls go to `stable` or to an upstream of `others`, by their indices in
    /// the config; none without settings.
    pub(crate) fn compile(
        route: &str,
        settings: Option<Settings>,
        stable: usize,
        others: impl Iterator<Item = usize>,
        config: &Config,
    ) -> Self {
        let Some(settings) = settings else { return Self::default() };
        let mut all: Vec<(usize, Arc<Guard>)> = Vec::new();
        for upstream in [stable].into_iter().chain(others) {
            if !all.iter().any(|(known, _)| *known == upstream) {
                let guard = Guard::new(route, &config.upstreams[upstream].name, settings);
                all.push((upstream, Arc::new(guard)));
            }
        }
        Self(all)
    }

    /// Whether a call may be made to this upstream; nothing is asked where there is no breaker.
    ///
    /// # Errors
    /// 503 with `Retry-After`.
    pub(crate) fn admit(&self, upstream: usize) -> Result<Option<Admitted>, Refusal> {
        match self.0.iter().find(|(known, _)| *known == upstream) {
            Some((_, guard)) => guard.admit().map(Some),
            None => Ok(None),
        }
    }

    /// Its breakers.
    pub(crate) fn guards(&self) -> impl Iterator<Item = &Arc<Guard>> {
        self.0.iter().map(|(_, guard)| guard)
    }

    /// Goes on with the breakers of before that are of the same route and upstream. Each is taken once.
    pub(crate) fn inherit(&mut self, before: &mut Vec<Arc<Guard>>) {
        for (_, guard) in &mut self.0 {
            if let Some(place) = before.iter().position(|before| before.name == guard.name) {
                let known = before.swap_remove(place);
                known.breaker.set(guard.breaker.settings());
                *guard = known;
            }
        }
    }
}

// === impl Guard ===

impl Guard {
    fn new(route: &str, upstream: &str, settings: Settings) -> Self {
        Self {
            name: format!("{route}/{upstream}"),
            route: route.into(),
            upstream: upstream.into(),
            breaker: Breaker::new(settings),
            origin: clock::now(),
            refused: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    /// `route/upstream`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The route: a service or a path, with its host if it has one.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The upstream that is called.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.breaker.state()
    }

    /// The last changes, the newest last.
    #[must_use]
    pub fn changes(&self) -> Vec<Changed> {
        self.told.lock().changes.iter().copied().collect()
    }

    /// Does what somebody wants.
    pub fn command(&self, command: Command) {
        let change = match command {
            Command::Open => self.breaker.force_open(),
            Command::Close => Some(self.breaker.reset()),
            Command::Disable => self.breaker.disable(),
        };
        self.tell(change);
    }

    fn admit(self: &Arc<Self>) -> Result<Admitted, Refusal> {
        let begun = self.now();
        let (admitted, change) = self.breaker.admit(begun, random::u64());
        self.tell(change);
        match admitted {
            Ok(permit) => Ok(Admitted { guard: Arc::clone(self), permit, begun }),
            Err(refused) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(refuse(refused.retry_after))
            }
        }
    }

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }

    fn tell(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        let (route, upstream, from, to) = (&*self.route, &*self.upstream, change.from.word(), change.to.word());
        let why = change.why;
        match (change.to, change.open) {
            (State::Open, Some(open)) => {
                let open_ms = u64::try_from(open.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(route, upstream, from, open_ms, "circuit breaker is open: {why}");
            }
            _ => tracing::info!(route, upstream, from, "circuit breaker is {to}: {why}"),
        }
        let mut told = self.told.lock();
        if let Some(place) = State::ALL.iter().position(|state| *state == change.to) {
            told.entered[place] += 1;
        }
        if told.changes.len() == CHANGES_MAX {
            told.changes.pop_front();
        }
        told.changes.push_back(Changed { at: clock::wall(), change });
    }
}

impl breakers::Breaker for Guard {
    fn labels(&self) -> (&str, &str) {
        (&self.route, &self.upstream)
    }

    fn figures(&self) -> Figures {
        let entered = self.told.lock().entered;
        Figures {
            state: self.state().word(),
            refused: self.refused.load(Ordering::Relaxed),
            entered: State::ALL.iter().map(|state| state.word()).zip(entered).collect(),
        }
    }
}

/// 503: the service fails too often to be called.
fn refuse(retry_after: Option<Duration>) -> Refusal {
    // Without a time the probes decide, which are under way.
    let seconds = retry_after.map_or(1, |after| after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1);
    let message = format!("the service fails too often and is not called for now: try again in {seconds} s");
    let mut refusal = Refusal::new(Answer::BreakerOpen, message);
    refusal.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    refusal
}

// === impl Admitted ===

impl Admitted {
    /// The call ended. Without a verdict its place is given back, and nothing is counted.
    /// Unless it is `timed`, it is not slow.
    pub(crate) fn end(self, failed: Option<bool>, timed: bool) {
        let Some(failed) = failed else { return };
        let Self { guard, permit, begun } = self;
        let now = guard.now();
        let took = if timed { now.saturating_sub(begun) } else { Duration::ZERO };
        let change = permit.end(Outcome { failed, took }, now, random::u64());
        guard.tell(change);
    }
}

/// Whether a request that was sent on failed by the fault of its upstream; `None` if that cannot be told: the
/// client left, or it is at fault itself. `asked` says that the client set the deadline: one that sets it to
/// nothing could open the breaker for all others, so its deadline makes the call slow but not failed.
pub(crate) fn verdict(status: StatusCode, code: Code, reason: Option<&str>, asked: bool) -> Option<bool> {
    let is = |answer: Answer| reason == Some(answer.reason());
    if code == Code::DeadlineExceeded && asked {
        return Some(false);
    }
    if reason.is_some() {
        let upstreams = [Answer::BadReply, Answer::Unavailable, Answer::Deadline];
        return upstreams.into_iter().any(is).then_some(true);
    }
    // A call of a method that there is not is the caller's fault, whatever the number says.
    let failed = match code {
        Code::Unimplemented => false,
        code => is_failure(status, code),
    };
    Some(failed)
}

/// Whether an answer says that the service failed, by its status, or by its code where the status says that all is well. A
/// status from 400 on says itself whose fault it is, also if no code is like it.
pub(crate) fn is_failure(status: StatusCode, code: Code) -> bool {
    status.is_server_error() || status.as_u16() < 400 && code.http_status().is_server_error()
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use crate::answer::Answer;
    use http::StatusCode;
    use tidegate_transcode::Code;

    #[test]
    fn what_is_not_the_upstreams_fault_is_not_held_against_it() {
        let own = |answer: Answer, asked| verdict(answer.http_status(), answer.code(), Some(answer.reason()), asked);
        let faults = [Answer::BadReply, Answer::Unavailable, Answer::Deadline];
        assert_eq!(faults.map(|answer| own(answer, false)), [Some(true); 3]);
        assert_eq!(own(Answer::Deadline, true), Some(false), "a deadline that the client set");
        let others =
            [Answer::ClientGone, Answer::ClientStalled, Answer::Stopping, Answer::Overloaded, Answer::BadRequest];
        assert_eq!(others.map(|answer| own(answer, false)), [None; 5]);
    }

    /// Upstreams judge their endpoints by the same.
    #[test]
    fn endpoints_are_judged_by_the_same_failures() {
        use http::{HeaderMap, HeaderValue};
        use tidegate_upstream::verdict::is_failure;

        for number in 0..=20_u32 {
            let code = Code::from_u32(number);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(number));
            let ours = verdict(StatusCode::OK, code, None, false);
            assert_eq!(Some(is_failure(StatusCode::OK, &trailers)), ours, "gRPC status {number}");
        }
        for number in 200..=599 {
            let status = StatusCode::from_u16(number).expect("a status");
            let code = if number < 400 { Code::Ok } else { Code::of_answer(status) };
            let ours = verdict(status, code, None, false);
            assert_eq!(Some(is_failure(status, &HeaderMap::new())), ours, "HTTP status {number}");
        }
    }

    #[test]
    fn what_the_upstream_says_is_judged_by_its_code_or_status() {
        let rpc = |code| verdict(StatusCode::OK, code, None, false);
        let failures = [Code::Unknown, Code::Internal, Code::Unavailable, Code::DataLoss, Code::DeadlineExceeded];
        assert_eq!(failures.map(rpc), [Some(true); 5]);
        let answers = [Code::Ok, Code::NotFound, Code::ResourceExhausted, Code::Unimplemented, Code::Aborted];
        assert_eq!(answers.map(rpc), [Some(false); 5]);
        assert_eq!(verdict(StatusCode::BAD_GATEWAY, Code::Unavailable, None, false), Some(true));
        assert_eq!(verdict(StatusCode::NOT_FOUND, Code::NotFound, None, false), Some(false));
    }
}
