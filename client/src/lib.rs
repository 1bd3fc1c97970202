//! What keeps a service up when those that it calls are not: breaker, retries, bulkhead and deadline as tower layers,
//! for tonic, axum, and whatever else is a `tower::Service` of `http` requests.
//!
//! **Owns** the layers, what of an answer is a failure ([`Classify`]), and how a call that is not made is answered
//! ([`Protocol`], [`Refused`]).
//!
//! **Does not** decide: when a breaker opens, whether a call is made again, who waits and who is refused is decided by
//! the same cores as in the gateway (`tidegate-traffic`, `tidegate-limit`). It opens no connections, and knows neither configs nor metrics.
//!
//! **Invariant**: a call gives back what it took, however it ends: its answer was read to the end or dropped, its
//! future was dropped, or somebody panicked.
//!
//! What is put around a client, from the outside in, and why in this order:
//!
//! | layer | |
//! |---|---|
//! | [`DeadlineLayer`] | the whole call, retries and waiting included, ends in time |
//! | [`RetryLayer`] | a try that failed is made again; each asks the layers below anew |
//! | [`BulkheadLayer`] | so many are in flight, a few wait, the rest is refused before it costs anything |
//! | [`BreakerLayer`] | nobody is called who keeps failing |
//!
//! A server has [`DeadlineLayer`], [`LimitLayer`] and [`BulkheadLayer`], in this order. What the deadline of a request leaves is known to
//! the calls that its handler makes: see [`Deadline::current`].
//!
//! ```
//! use std::time::Duration;
//! use tidegate_client::{BreakerLayer, DeadlineLayer, Protocol, breaker::Settings};
//! use tower::ServiceBuilder;
//!
//! # async fn ask(channel: tonic::transport::Channel) -> Result<(), tonic::Status> {
//! use tidegate_shop::generated::shop::v1::{FailRequest, faults_client::FaultsClient};
//!
//! let breaker = BreakerLayer::new(Protocol::Grpc, Settings::default());
//! let guarded = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Protocol::Grpc).timeout(Duration::from_secs(2)))
//!     .layer(breaker.clone())
//!     .service(channel);
//! let mut faults = FaultsClient::new(guarded);
//! faults.fail(FailRequest::default()).await?;
//! println!("the breaker is {}", breaker.state().word());
//! # Ok(())
//! # }
//! ```
//!
//! A call that a layer refuses is answered, not an error: the layers fit where errors are not allowed (axum) and a tonic
//! client gets a [status](https://grpc.io/docs/guides/status-codes/) that means what it says. [`Refused::of`] tells such
//! an answer from one of the service.
#![forbid(unsafe_code)]

mod body;
mod breaker_layer;
mod bulkhead_layer;
mod classify;
mod clock;
mod deadline;
mod deadline_layer;
mod limit_layer;
mod limiter;
mod protocol;
mod random;
mod ready;
mod replay;
mod retry_layer;

pub use body::{Body, BoxError};
pub use breaker_layer::{BreakerLayer, BreakerService};
pub use bulkhead_layer::{BulkheadLayer, BulkheadService};
pub use classify::{Classify, Judged, by_beginning};
pub use deadline::Deadline;
pub use deadline_layer::{DeadlineLayer, DeadlineService};
pub use limit_layer::{LimitBody, LimitLayer, LimitService};
pub use limiter::{Asking, LimitFigures, LimitRefusal, Limiter, LimiterBuilder, LimiterError, Named, Trust, Verdict};
pub use protocol::{Cause, Protocol, Refused};
pub use replay::Replay;
pub use retry_layer::{RetryLayer, RetryService};

pub use tidegate_traffic::Share;
/// When a breaker opens and closes.
pub mod breaker {
    pub use tidegate_traffic::breaker::{Change, Settings, SettingsError, State, Why, Window};
}
/// How many calls are in flight, and who waits.
pub mod bulkhead {
    pub use tidegate_traffic::bulkhead::{Figures, Limit, Settings, SettingsError, Why};
    pub use tidegate_traffic::gradient;
    pub use tidegate_traffic::priority::{Class, Shares};
}
/// How many requests of whom.
pub mod limit {
    pub use tidegate_limit::ports::SharedLimits;
    pub use tidegate_limit::rules::{
        Absent, Class, Condition, Cost, Facts, FailurePolicy, KeyPart, Limit, Matcher, Override, PEER, Percent, Quota,
        Source,
    };
    pub use tidegate_limit::{Algorithm, Rate, spent};
}
/// When a call that failed is made again.
pub mod retry {
    pub use tidegate_traffic::budget::Budget;
    pub use tidegate_traffic::retry::{Conditions, Failure, Settings, SettingsError};
}
