//! Which headers a request has of those that mean something here.

use http::HeaderMap;

/// Found in one pass over the names, where a search for each would cost more than the few that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) request_id: bool,
    pub(crate) traceparent: bool,
    /// `grpc-timeout` or `x-request-timeout`.
    pub(crate) timeout: bool,
    /// `tracestate` or `baggage`.
    pub(crate) trace_context: bool,
    /// `grpc-encoding`.
    pub(crate) grpc_encoding: bool,
    pub(crate) host: bool,
    pub(crate) user_agent: bool,
    pub(crate) transfer_encoding: bool,
}

impl Sent {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut sent = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "x-request-id" => sent.request_id = true,
                "traceparent" => sent.traceparent = true,
                "grpc-timeout" | "x-request-timeout" => sent.timeout = true,
                "tracestate" | "baggage" => sent.trace_context = true,
                "grpc-encoding" => sent.grpc_encoding = true,
                "host" => sent.host = true,
                "user-agent" => sent.user_agent = true,
                "transfer-encoding" => sent.transfer_encoding = true,
                _ => {}
            }
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::Sent;
    use http::{HeaderMap, HeaderName, HeaderValue};

    #[test]
    fn each_header_is_noticed_and_nothing_else() {
        let cases = [
            ("x-request-id", Sent { request_id: true, ..Sent::default() }),
            ("traceparent", Sent { traceparent: true, ..Sent::default() }),
            ("grpc-timeout", Sent { timeout: true, ..Sent::default() }),
            ("x-request-timeout", Sent { timeout: true, ..Sent::default() }),
            ("tracestate", Sent { trace_context: true, ..Sent::default() }),
            ("baggage", Sent { trace_context: true, ..Sent::default() }),
            ("grpc-encoding", Sent { grpc_encoding: true, ..Sent::default() }),
            ("host", Sent { host: true, ..Sent::default() }),
            ("user-agent", Sent { user_agent: true, ..Sent::default() }),
            ("transfer-encoding", Sent { transfer_encoding: true, ..Sent::default() }),
            ("accept", Sent::default()),
        ];
        for (name, want) in cases {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static("1"))]);
            assert_eq!(Sent::of(&headers), want, "{name}");
        }
    }
}
