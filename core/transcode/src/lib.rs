//! The mapping between HTTP/JSON and gRPC that `google.api.http` describes.
//!
//! **Owns** http rules and their path templates ([`HttpRule`], [`Router`]), the binding of path, query
//! and body to request messages ([`Match::write_request`]) and of reply messages to bodies
//! ([`Binding::write_reply`]), gRPC framing ([`frame`]), gRPC status in trailers and as JSON
//! ([`Status`]), and how streams are written ([`stream`]) and read ([`upload`]).
//!
//! **Does not** do I/O, own a connection, know routes, hosts or upstreams, or read `.proto` text
//! (that is a port: [`ports::SchemaCompiler`]). The JSON codec itself is `tidegate-protojson`.
//!
//! **Invariant**: what two rules bind to the same request is refused when they are loaded, and
//! whatever a caller sends, the answer is one well-formed message or a [`Refusal`] that names the
//! place; time is linear in the request and in the number of templates.
//!
//! Follows `google/api/http.proto`; where it is silent, the choice stands at the item that makes it.
//!
//! ```text
//! GET /v1/things/7?view=FULL
//!   Router::find ───────────► Match { binding, captures }
//!   Match::write_request ───► 00 00000007 │ message          one gRPC frame, upstream
//!   frame::Deframer ────────► message                        from upstream
//!   Binding::write_reply ───► {"id":"7",…}                   (stream::StreamWriter around several)
//! ```

#![forbid(unsafe_code)]

mod binding;
pub mod frame;
mod options;
mod percent;
pub mod ports;
mod problem;
mod refusal;
mod reply;
mod request;
mod router;
mod rule;
mod status;
pub mod stream;
mod template;

pub use binding::{Binding, Body, Idempotency};
pub use options::{Repeated, Strictness, TranscodeOptions};
pub use problem::{RulePlace, RuleProblem, RuleProblemKind};
pub use refusal::Refusal;
pub use reply::HttpBodyReply;
pub use request::upload;
pub use router::{Captures, Detached, Match, Miss, Router, RouterBuilder};
pub use rule::{HttpRule, RuleMethod};
pub use status::{Code, Detail, OWN_ANSWERS, Row, Status, TABLE};
pub use template::TemplateError;
