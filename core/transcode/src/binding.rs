//! One rule, resolved in its schema.

mod resolve;

use crate::rule::idempotency_level;
use http::Method;
use std::sync::Arc;
use tidegate_protojson::schema::Method as RpcMethod;
use tidegate_protojson::{FieldId, MessageId};

pub(crate) use resolve::{Context, Relation, has_text_form, relate, resolve};

/// How requests of one method and template become calls of one RPC.
#[derive(Debug)]
pub struct Binding {
    /// What the service was added with.
    pub tag: u32,
    /// `/pkg.Service/Method`: the `:path` of the call.
    pub rpc: Arc<str>,
    /// `pkg.Service.Method`.
    pub selector: Arc<str>,
    /// The `.proto` file that declares the service.
    pub file: Arc<str>,
    /// The path template, as the rule has it.
    pub template: String,
    /// The HTTP method; `None` for every one (`custom { kind: "*" }`).
    pub http_method: Option<Method>,
    /// The request's type.
    pub input: MessageId,
    /// The reply's type.
    pub output: MessageId,
    /// The caller sends a stream.
    pub client_streaming: bool,
    /// The service answers with a stream.
    pub server_streaming: bool,
    /// What the HTTP body is bound to.
    pub body: Body,
    /// The field of the reply that is answered with; `None` for the whole.
    pub response_body: Option<FieldId>,
    /// What the method's options say of repeating a call.
    pub idempotency: Idempotency,
    /// The body is raw bytes: the request, or its body field, is a `google.api.HttpBody`.
    pub(crate) raw_body: bool,
    /// The reply, or its answered field, is a `google.api.HttpBody`.
    pub(crate) raw_reply: bool,
    /// The request's type has, somewhere, fields that must be set. Any of body, query and path may do so.
    pub(crate) required: bool,
    pub(crate) variables: Box<[Variable]>,
}

/// What the HTTP body of a request is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: there is to be no body.
    None,
    /// `*`: the whole request, but what the path binds.
    Whole,
    /// A top-level field of the request.
    Field(FieldId),
}

/// `google.protobuf.MethodOptions.IdempotencyLevel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// Not said: repeating a call may repeat its effect.
    #[default]
    Unknown,
    /// A call has no effect.
    NoSideEffects,
    /// Repeating a call is the same as making it once.
    Idempotent,
}

impl Idempotency {
    /// What a method's options say; of options that cannot be read, nothing.
    #[must_use]
    pub fn of(method: &RpcMethod) -> Self {
        idempotency_level(&method.options).map(Self::of_level).unwrap_or_default()
    }

    pub(crate) fn of_level(level: u64) -> Self {
        match level {
            1 => Self::NoSideEffects,
            2 => Self::Idempotent,
            _ => Self::Unknown,
        }
    }
}

/// A path variable.
#[derive(Debug)]
pub(crate) struct Variable {
    /// As the template has it.
    pub(crate) name: Box<str>,
    /// From the request's type to the field.
    pub(crate) path: Box<[FieldId]>,
    /// Its first segment.
    pub(crate) first: u32,
    /// How many segments it captures; `None` for all that are left (`**`).
    pub(crate) count: Option<u32>,
    /// Its template has several segments, or `**`: `%2F` is not decoded.
    pub(crate) multi: bool,
}

// === impl Binding ===

impl Binding {
    /// The HTTP method as text; `*` for every one.
    #[must_use]
    pub fn method_str(&self) -> &str {
        self.http_method.as_ref().map_or("*", Method::as_str)
    }

    /// The field paths that the path binds, in its order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| &*variable.name)
    }

    /// The HTTP body of a request is passed on as it is (`google.api.HttpBody`), whatever its type.
    #[must_use]
    pub fn takes_http_body(&self) -> bool {
        self.raw_body
    }

    /// The HTTP body of a reply is what the service says (`google.api.HttpBody`), not JSON: see
    /// [`http_body_reply`](Self::http_body_reply).
    #[must_use]
    pub fn replies_with_http_body(&self) -> bool {
        self.raw_reply
    }
}
