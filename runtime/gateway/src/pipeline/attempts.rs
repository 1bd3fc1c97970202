//! Call: what a call has to pass is asked, it is made, and made again where that is safe.
//!
//! ```text
//! limits of route and upstream (wait) ─► breaker ─► the call ─► its reply begins
//!   ▲                                                   │ fails, and may be made again
//!   └──────── pause ◄── budget of retries ◄─────────────┘
//! ```
//! Each try is a call for the breaker, and has places of its own: nothing is held during a pause.

use super::refuse_call;
use crate::answer::{Answer, Refusal};
use crate::breakers::verdict;
use crate::exchange::Exchange;
use crate::exchange::attempts::Try;
use crate::policies::Plan;
use crate::retries::Ended;
use http::header::{HeaderName, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use std::time::Duration;
use tidegate_telemetry::{clock, random};
use tidegate_traffic::retry::{Failed, Failure, Pushback, Settings, Stop, Verdict};
use tidegate_transcode::{Code, Status};
use tidegate_upstream::{Call, CallError, ClientDeadline, Kept, Kind, RequestBody, Resent, Retry, Tried};

const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// What a try ended with, before its reply began.
enum Outcome<B> {
    /// A reply, good or bad.
    Reply(Response<B>),
    Failed(CallError),
    /// The time of the try passed.
    Late(Duration),
}

/// Makes a call. Its reply has begun, or it has failed for good.
pub(super) async fn call<C: Call>(
    upstream: &C,
    request: Request<RequestBody>,
    plan: &Plan<'_>,
    exchange: &mut Exchange,
) -> Result<Response<C::Body>, Refusal> {
    let in_memory = request.body().is_in_memory().then(|| request.body().size_hint().lower());
    match plan.retry(in_memory.and_then(|bytes| usize::try_from(bytes).ok())) {
        // In a box: most calls have none, and the future of each would have room for it.
        Some(settings) => Box::pin(again_and_again(upstream, request, settings, plan, exchange)).await,
        None => {
            exchange.pass(plan).await?;
            match upstream.call(hinted(request, exchange), exchange.deadline()).await {
                Ok(reply) => Ok(begun::<C>(reply, exchange)),
                Err(error) => Err(failed(error, exchange)),
            }
        }
    }
}

async fn again_and_again<C: Call>(
    upstream: &C,
    request: Request<RequestBody>,
    settings: &Settings,
    plan: &Plan<'_>,
    exchange: &mut Exchange,
) -> Result<Response<C::Body>, Refusal> {
    let (head, body) = request.into_parts();
    let kept = Kept::new(&head);
    let mut next = Some(Request::from_parts(head, body.share()));
    let mut tried = Tried::new();
    let mut made = 0;
    let retries = &plan.shield.retries;
    retries.first();
    loop {
        made += 1;
        let request = next.take().unwrap_or_else(|| Request::from_parts(kept.head(), body.share()));
        if let Err(refusal) = exchange.pass(plan).await {
            if made > 1 {
                retries.ended(Ended::Refused);
            }
            return Err(refusal);
        }
        let outcome = once(upstream, request, settings.per_try_timeout, exchange).await;
        let (failure, pushback) = outcome.failure(plan.kind.rpc);
        let left = exchange.deadline().map(|deadline| deadline.saturating_duration_since(clock::now()));
        let failed = Failed { made, failure, idempotent: plan.kind.idempotent, pushback, left };
        let verdict = match failure {
            Some(_) => settings.decide(&failed.of(failure), random::u64()),
            None => Verdict::Stop(Stop::Final),
        };
    }
}
