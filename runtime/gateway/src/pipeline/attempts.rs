//! Call: what a call has to pass is asked, it is made, and made again where that is safe.
//!
//! ```text
//! limits of route and upstream (wait) ─► breaker ─► the call ─► its reply begins
//!   ▲                                                   │ fails, and may be made again
//!   └──────── pause ◄── budget of retries ◄─────────────┘
//! ```
//! Each try is a call for the breaker, and has places of its own: nothing is held during a pause.

use super::{BodyOf, refuse_call};
use crate::answer::{Answer, Refusal};
use crate::breakers::{Canned, Go, verdict};
use crate::exchange::Exchange;
use crate::policies::Plan;
use crate::retries::Ended;
use crate::upstreams::Upstreams;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_telemetry::{clock, random};
use tidegate_traffic::retry::{Failed, Failure, Pushback, Settings, Stop, Verdict};
use tidegate_transcode::{Code, Status};
use tidegate_upstream::{Call, CallError, Kept, Kind, RequestBody, Resent, Retry, Tried};

const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// What a call came to.
pub(super) enum Called<B> {
    /// Its reply has begun.
    Reply(Response<B>),
    /// A breaker kept it away, and this is the answer.
    Canned(Arc<Canned>),
}

/// What a try ended with, before its reply began.
enum Outcome<B> {
    /// A reply, good or bad.
    Reply(Response<B>),
    Failed(CallError),
    /// The time of the try passed.
    Late(CallError, Duration),
}

/// Makes a call. Its reply has begun, or it has failed for good.
pub(super) async fn call<U: Upstreams>(
    upstreams: &U,
    mut request: Request<RequestBody>,
    plan: &Plan<'_>,
    exchange: &mut Exchange,
) -> Result<Called<BodyOf<U>>, Refusal> {
    exchange.write_spent(request.headers_mut());
    if let Some(settings) = plan.retry(request.body()) {
        // In a box: most calls have none, and the future of each would have room for it.
        return Box::pin(tries(upstreams, request, settings, plan, exchange)).await;
    }
    let index = match exchange.pass(plan).await? {
        Go::Call(index) => index,
        Go::Answer(canned) => return Ok(Called::Canned(canned)),
    };
    let upstream = upstreams.get(plan.snapshot, index);
    let request = with_hints(request, Tried::new(), exchange.asked(), exchange);
    let outcome = match upstream.call(request, exchange.deadline()).await {
        Ok(reply) => Outcome::Reply(reply),
        Err(error) => Outcome::Failed(error),
    };
    exchange.came_back();
    if outcome.is_kept_away() {
        return kept_away(plan, exchange);
    }
    outcome.end::<U::Call>(exchange, 1).map(Called::Reply)
}

/// Makes a call as often as is needed, and may be.
async fn tries<U: Upstreams>(
    upstreams: &U,
    request: Request<RequestBody>,
    settings: &Settings,
    plan: &Plan<'_>,
    exchange: &mut Exchange,
) -> Result<Called<BodyOf<U>>, Refusal> {
    let (retries, rpc) = (plan.retries(), plan.kind.rpc.is_some());
    let (mut head, body) = request.into_parts();
    let kept = Kept::new(&head);
    let mut tried = Tried::new();
    let mut made = 0;
    retries.first();
    loop {
        made += 1;
        let go = exchange.pass(plan).await;
        if made > 1 && !matches!(go, Ok(Go::Call(_))) {
            retries.ended(Ended::Refused);
        }
        let upstream = match go? {
            Go::Call(index) => upstreams.get(plan.snapshot, index),
            Go::Answer(canned) => return Ok(Called::Canned(canned)),
        };
        let request = Request::from_parts(head, body.share().unwrap_or_else(RequestBody::empty));
        let outcome = once(&*upstream, request, &tried, settings.per_try_timeout, exchange).await;
        exchange.came_back();
        if outcome.is_kept_away() {
            if made > 1 {
                retries.ended(Ended::Refused);
            }
            return kept_away(plan, exchange);
        }
        let after = match outcome.next(settings, plan, made, exchange) {
            Ok(after) => after,
            Err(ended) => {
                if let Some(ended) = ended {
                    retries.ended(ended);
                }
                return outcome.end::<U::Call>(exchange, made).map(Called::Reply);
            }
        };
        let endpoint = outcome.endpoint::<U::Call>();
        if let Some(endpoint) = endpoint {
            tried.add(endpoint);
        }
        exchange.tried(outcome.verdict(rpc), endpoint, outcome.word(rpc));
        // Its stream is reset, and its connection free, before the pause.
        drop((outcome, upstream));
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        head = kept.head();
        exchange.write_again(made, rpc, &mut head.headers);
    }
}

/// The breakers of all endpoints kept a call away.
fn kept_away<B>(plan: &Plan<'_>, exchange: &mut Exchange) -> Result<Called<B>, Refusal> {
    exchange.is_not_called();
    exchange.kept_away(plan.breakers, plan.kind.rpc.unwrap_or_default()).map(Called::Canned)
}

/// One try, in the time that it has.
async fn once<C: Call>(
    upstream: &C,
    request: Request<RequestBody>,
    tried: &Tried,
    per_try: Option<Duration>,
    exchange: &Exchange,
) -> Outcome<C::Body> {
    let deadline = exchange.deadline();
    let own = per_try.and_then(|limit| Some((clock::now().checked_add(limit)?, limit)));
    let own = own.filter(|(at, _)| deadline.is_none_or(|deadline| *at < deadline));
    let asked = exchange.asked() && own.is_none();
    let until: Option<Instant> = own.map(|(at, _)| at).or(deadline);
    match (upstream.call(with_hints(request, tried.clone(), asked, exchange), until).await, own) {
        (Ok(mut reply), Some(_)) => {
            // The rest of it has the time that the call has.
            C::set_deadline(reply.body_mut(), deadline);
            Outcome::Reply(reply)
        }
        (Ok(reply), None) => Outcome::Reply(reply),
        (Err(error), Some((_, limit))) if error.is_deadline() => Outcome::Late(error, limit),
        (Err(error), _) => Outcome::Failed(error),
    }
}

/// What the choice of an endpoint, and its judgement, have to know.
fn with_hints(
    mut request: Request<RequestBody>,
    tried: Tried,
    asked: bool,
    exchange: &Exchange,
) -> Request<RequestBody> {
    if !tried.is_empty() {
        request.extensions_mut().insert(tried);
    }
    exchange.hint(request.extensions_mut(), asked);
    request
}

impl<B> Outcome<B> {
    /// The pause before the next try; else what is counted, if it is a call that failed once.
    fn next(
        &self,
        settings: &Settings,
        plan: &Plan<'_>,
        made: u32,
        exchange: &Exchange,
    ) -> Result<Duration, Option<Ended>> {
        let again = made > 1;
        let rpc = plan.kind.rpc.is_some();
        let Some((failure, pushback)) = self.failure(rpc) else { return Err(again.then_some(Ended::Success)) };
        let left = exchange.deadline().map(|deadline| deadline.saturating_duration_since(clock::now()));
        let failed = Failed { made, failure, idempotent: plan.kind.idempotent, pushback, left };
        Err(Some(match settings.decide(&failed, random::u64()) {
            Verdict::Again { after } if plan.retries().again() => return Ok(after),
            Verdict::Again { .. } => Ended::Budget,
            Verdict::Stop(Stop::Exhausted) => Ended::Exhausted,
            Verdict::Stop(Stop::Deadline) => Ended::Deadline,
            Verdict::Stop(Stop::Pushback) => Ended::Pushback,
            Verdict::Stop(Stop::Final) if !again => return Err(None),
            Verdict::Stop(Stop::Final) if self.verdict(rpc) == Some(true) => Ended::Failed,
            Verdict::Stop(Stop::Final) => Ended::Success,
        }))
    }

    /// How it failed, and what the service says about it; `None` of what did not.
    fn failure(&self, rpc: bool) -> Option<(Failure, Pushback)> {
        let failure = match self {
            Self::Reply(reply) => {
                let failure = match Status::code_in(reply.headers()) {
                    Some(Code::Ok) if rpc => return None,
                    Some(code) if rpc => Failure::Code(code as u8),
                    _ if reply.status().is_success() => return None,
                    _ => Failure::Status(reply.status()),
                };
                return Some((failure, pushback(reply.headers())));
            }
            Self::Late(..) => Failure::Timeout,
            Self::Failed(error) => match (error.kind(), error.retry()) {
                // All endpoints were tried, or all places are taken: they are a moment later.
                (Kind::Down(_) | Kind::Overloaded, _) | (_, Retry::Never) => Failure::Final,
                (_, Retry::Safe) => Failure::NotSent,
                (_, Retry::IfIdempotent) => Failure::Reset,
            },
        };
        Some((failure, Pushback::None))
    }

    /// Whether no endpoint was asked, by their breakers.
    fn is_kept_away(&self) -> bool {
        matches!(self, Self::Failed(error) if matches!(error.kind(), Kind::KeptAway))
    }

    /// Whether it is held against the service.
    fn verdict(&self, rpc: bool) -> Option<bool> {
        match self {
            Self::Reply(reply) => {
                let code = Status::code_in(reply.headers()).filter(|_| rpc).unwrap_or_else(|| code_of(reply.status()));
                verdict(reply.status(), code, None, false)
            }
            Self::Failed(error) if error.class() == tidegate_upstream::Class::Cancelled => None,
            Self::Failed(_) | Self::Late(..) => Some(true),
        }
    }

    /// In a word why it failed, for its span.
    fn word(&self, rpc: bool) -> String {
        match self {
            Self::Reply(reply) => match Status::code_in(reply.headers()).filter(|_| rpc) {
                Some(code) => code.name().to_owned(),
                None => reply.status().as_str().to_owned(),
            },
            Self::Failed(error) => error.reason().to_owned(),
            Self::Late(..) => "per_try_timeout".to_owned(),
        }
    }

    fn endpoint<C: Call<Body = B>>(&self) -> Option<&str> {
        match self {
            Self::Reply(reply) => C::endpoint(reply.body()),
            Self::Failed(error) | Self::Late(error, _) => error.endpoint(),
        }
    }

    /// The call has this outcome, after so many tries.
    fn end<C: Call<Body = B>>(self, exchange: &mut Exchange, made: u32) -> Result<Response<B>, Refusal> {
        exchange.called(self.endpoint::<C>());
        match self {
            Self::Reply(reply) => {
                exchange.begun(reply.status(), reply.headers());
                if let Some(Resent(times)) = reply.extensions().get() {
                    exchange.resent(*times);
                }
                Ok(reply)
            }
            Self::Failed(error) => Err(refuse_call(error)),
            Self::Late(_, limit) => {
                exchange.was_late();
                let tries = if made == 1 { String::new() } else { format!(", in any of {made} tries") };
                let message = format!("the upstream did not answer within {limit:?}{tries}");
                Err(Refusal::new(Answer::Deadline, message))
            }
        }
    }
}

fn pushback(headers: &HeaderMap) -> Pushback {
    let bytes = |name| headers.get(name).map(HeaderValue::as_bytes);
    Pushback::of(bytes(PUSHBACK), bytes(RETRY_AFTER))
}

/// The code of a reply that has none.
fn code_of(status: StatusCode) -> Code {
    if status.as_u16() < 400 { Code::Ok } else { Code::of_answer(status) }
}
