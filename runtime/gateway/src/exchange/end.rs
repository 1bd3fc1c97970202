//! How a request ends: in one of several forms, exactly once.

use super::Exchange;
use super::log::LogFields;
use super::spans::{self, End};
use crate::answer::{Answer, Refusal, limit_behind};
use crate::breakers;
use crate::local;
use crate::pipeline::native::{self, Pass};
use crate::pipeline::stream::Source;
use crate::pipeline::{LARGE_BYTES, ReplyBody};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body;
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::limits::Limit;
use tidegate_transcode::{Code, Status};
use tidegate_upstream::CallError;

impl Exchange {
    /// Ends with a reply that is complete.
    ///
    /// A large one ends when the client has taken the last piece of it.
    pub(crate) fn end_whole<R>(mut self, response: Response<Bytes>) -> Response<ReplyBody<R>> {
        let (mut head, mut body) = response.into_parts();
        self.stamp(&mut head.headers);
        if self.is_head {
            leave_out(&mut body, &mut head.headers);
        }
        self.sent(body.len());
        if body.len() > LARGE_BYTES {
            return Response::from_parts(head, ReplyBody::large(body, self));
        }
        self.end(head.status, Code::Ok, None);
        Response::from_parts(head, ReplyBody::whole(body))
    }

    /// Ends when the last piece of a large reply was taken.
    pub(crate) fn end_large(&mut self) {
        self.end(StatusCode::OK, Code::Ok, None);
    }

    /// Hands itself to the stream, which ends it. Of a stream that only its head is asked for the call is
    /// cancelled.
    pub(crate) fn end_with_stream<R>(mut self, response: Response<Source<R>>) -> Response<ReplyBody<R>> {
        let (mut head, source) = response.into_parts();
        self.stamp(&mut head.headers);
        if self.is_head {
            self.end(head.status, Code::Ok, None);
            return Response::from_parts(head, ReplyBody::whole(Bytes::new()));
        }
        Response::from_parts(head, ReplyBody::stream(source, self))
    }

    /// Hands itself to the reply of a native call, which ends it; to a reply that is a status and
    /// nothing else, ends.
    pub(crate) fn end_with_rpc<R>(mut self, response: Response<R>) -> Response<ReplyBody<R>>
    where
        R: Body<Data = Bytes, Error = CallError> + Unpin,
    {
        let (mut head, body) = response.into_parts();
        self.stamp(&mut head.headers);
        let in_head = Status::code_in(&head.headers);
        if let Some(code) = in_head.filter(|_| body.is_end_stream()) {
            self.end(StatusCode::OK, code, None);
            return Response::from_parts(head, ReplyBody::nothing());
        }
        let watch = self.streams.then(|| self.watch());
        Response::from_parts(head, ReplyBody::native(Pass::new(body, in_head, self, watch)))
    }

    /// Hands itself to the reply of a call that the gateway answers by itself.
    pub(crate) fn end_with_local<R>(self, source: local::Source) -> Response<ReplyBody<R>> {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        self.stamp(&mut headers);
        let mut response = Response::new(ReplyBody::local(local::Reply::new(source, self)));
        *response.headers_mut() = headers;
        response
    }

    /// Ends a native call with a status.
    pub(crate) fn end_rpc_refused<R>(mut self, refusal: Refusal) -> Response<ReplyBody<R>> {
        self.end(StatusCode::OK, refusal.status.code, refusal.reason);
        let mut response = Response::new(ReplyBody::nothing());
        *response.headers_mut() = native::answer(refusal);
        self.stamp(response.headers_mut());
        response
    }

    /// Ends with a `google.rpc.Status` as body.
    pub(crate) fn end_refused<R>(mut self, refusal: Refusal) -> Response<ReplyBody<R>> {
        let mut body = Vec::with_capacity(128);
        let schema = self.snapshot.status_schema(self.route);
        refusal.status.to_json(schema, &mut body);
        let (mut body, mut headers) = (Bytes::from(body), refusal.headers);
        if self.is_head {
            leave_out(&mut body, &mut headers);
        }
        self.sent(body.len());
        let mut response = Response::new(ReplyBody::whole(body));
        *response.status_mut() = refusal.http_status;
        *response.headers_mut() = headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.stamp(response.headers_mut());
        self.end(refusal.http_status, refusal.status.code, refusal.reason);
        response
    }

    /// Ends with the last piece of a stream. The status line went out long ago: it was 200.
    pub(crate) fn end_stream(&mut self, code: Code, reason: Option<&'static str>) {
        self.end(StatusCode::OK, code, reason);
    }

    /// Ends because the client takes nothing of its answer.
    pub(crate) fn end_stalled(&mut self) {
        let stalled = Answer::ClientStalled;
        self.end(stalled.http_status(), stalled.code(), Some(stalled.reason()));
    }

    pub(super) fn end(&mut self, status: StatusCode, code: Code, reason: Option<&'static str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(reason) = reason {
            self.count_limit(reason);
        }
        if code == Code::Unimplemented && reason.is_none() {
            self.doubt_schema();
        }
        let verdict = breakers::verdict(status, code, reason, self.asked);
        self.leave(verdict == Some(false) || reason == Some(Answer::Deadline.reason()));
        self.judge(verdict);
        let took = clock::now().saturating_duration_since(self.started);
        self.gateway.telemetry().metrics.in_flight().end();
        self.series.observe(status.as_u16(), code as u8, took);
        if let Some(canary) = self.canary.as_ref().filter(|_| self.calling && self.instead.is_none()) {
            let failed = breakers::is_failure(status, code);
            // A stream is as long as it likes: what counts is when it began.
            canary.count(failed, self.answered.filter(|_| self.streams).unwrap_or(took));
        }
        let Some(log) = &self.log else { return };
        if let Some(access_log) = &self.snapshot.sinks.access_log {
            access_log.write(&log.record(self, status, code, reason, took));
        }
        self.trace_out(log, End { status, code, reason, took });
    }

    /// Hands out the spans of a request that is kept, or that ends in an error.
    fn trace_out(&self, log: &LogFields, end: End) {
        let Some(tracer) = &self.snapshot.sinks.tracer else { return };
        let context = self.trace.context;
        let kept = context.sampled || (tracer.sampler().errors && end.is_error());
        if !kept {
            return;
        }
        let (of, at) = ((context.trace_id, context.span_id), log.began + end.took);
        self.series.exemplify(end.status.as_u16(), end.code as u8, end.took, of, at);
        tracer.offer(spans::of(self, log, end));
    }
}

impl Exchange {
    fn count_limit(&self, reason: &str) {
        let timeout = (self.capped && reason == Answer::Deadline.reason()).then_some(Limit::RequestTimeout);
        if let Some(limit) = timeout.or_else(|| limit_behind(reason)) {
            self.gateway.telemetry().metrics.limits().reached(limit);
        }
    }

    /// The upstream does not have what its schema says that it has.
    fn doubt_schema(&self) {
        if let Some(route) = self.route {
            self.snapshot.hints.give(self.snapshot.schema_owner(route));
        }
    }
}

impl Drop for Exchange {
    /// Whoever drops it before its end has left: a client that closed its connection or its stream. Or we
    /// have, with a client that did not even take the end.
    fn drop(&mut self) {
        if !self.ended {
            let why = if self.must_end() { Answer::Stopping } else { Answer::ClientGone };
            self.end(why.http_status(), why.code(), Some(why.reason()));
        }
    }
}

/// The body of an answer to HEAD: nothing, but its length is told (RFC 9110, section 9.3.2).
pub(super) fn leave_out(body: &mut Bytes, headers: &mut HeaderMap) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *body = Bytes::new();
}
