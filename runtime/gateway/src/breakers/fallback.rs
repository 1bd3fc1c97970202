//! What is answered in place of calls that a breaker keeps away.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;

/// What is answered in place of a call.
#[derive(Debug)]
pub(super) enum Fallback {
    Refuse(StatusCode),
    /// To calls of methods, by `/pkg.Service/Method`.
    Methods(HashMap<Box<str>, Arc<Canned>>),
    /// To plain requests.
    Plain(Arc<Canned>),
    /// The answer of the upstream with this index in the config.
    Upstream(usize),
}

/// An answer that is always the same.
#[derive(Debug)]
pub(crate) struct Canned {
    pub(crate) status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// A message of the method's reply, or the body of a plain answer.
    pub(crate) bytes: Bytes,
}

impl Default for Fallback {
    fn default() -> Self {
        Self::Refuse(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl Fallback {
    pub(super) fn answer_for(&self, rpc: &str) -> Option<&Arc<Canned>> {
        match self {
            Self::Methods(methods) => methods.get(rpc),
            Self::Plain(canned) => Some(canned),
            Self::Refuse(_) | Self::Upstream(_) => None,
        }
    }

    /// Of a refusal.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Refuse(status) => *status,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Canned {
    pub(super) fn new(status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>, bytes: Bytes) -> Self {
        Self { status, headers, bytes }
    }

    /// Adds the headers that the config gives it.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }

    /// As a plain answer.
    pub(crate) fn plain(&self) -> Response<Bytes> {
        let mut response = Response::new(self.bytes.clone());
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
