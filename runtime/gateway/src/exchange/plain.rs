//! Requests of plain routes: their deadline, and how they end.

use super::Exchange;
use super::end::leave_out;
use crate::answer::Refusal;
use crate::deadline::asked_timeout;
use crate::idle::Watch;
use crate::pipeline::{ReplyBody, plain};
use crate::snapshot::RoutedPlain;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Response, StatusCode};
use http_body::Body;
use std::sync::Arc;
use std::time::Duration;
use tidegate_transcode::Code;
use tidegate_upstream::CallError;

impl Exchange {
    /// The route is known: from here on the request counts under its name.
    pub(crate) fn routed_plain(&mut self, routed: &RoutedPlain<'_>) {
        self.series = Arc::clone(routed.metrics);
        if let Some(log) = &mut self.log {
            log.route = Some((&*routed.route.name).into());
            log.upstream = routed.config.upstream().map(Into::into);
        }
    }

    /// The deadline, of which there is none unless the route or the client (`x-request-timeout`) says so.
    ///
    /// # Errors
    /// 400 for a header that cannot be read.
    pub(crate) fn set_plain_deadline(
        &mut self,
        headers: &HeaderMap,
        of_route: Option<Duration>,
    ) -> Result<(), Refusal> {
        // As of a stream: what it may take is not known.
        self.streams = true;
        let asked = if self.sent.timeout { asked_timeout(headers)? } else { None };
        self.limit_time(asked, of_route);
        Ok(())
    }

    /// Hands itself to what a plain route is answered with, which ends it; with what has no body, ends.
    pub(crate) fn end_with_plain<R>(self, served: plain::Served<R>) -> Response<ReplyBody<R>>
    where
        R: Body<Data = Bytes, Error = CallError> + Unpin,
    {
        match served {
            plain::Served::Own(response) => self.end_with_own(response),
            plain::Served::Upstream(response, idle) => self.end_with_upstream(response, idle),
            plain::Served::Tunnel(response, idle) => {
                let (mut head, tunnel) = response.into_parts();
                self.stamp(&mut head.headers);
                Response::from_parts(head, ReplyBody::handover(plain::Handover::new(tunnel, self, idle)))
            }
        }
    }

    /// Ends with an answer that a route has ready.
    fn end_with_own<R>(mut self, response: Response<Bytes>) -> Response<ReplyBody<R>> {
        let (mut head, mut body) = response.into_parts();
        self.stamp(&mut head.headers);
        if self.is_head {
            leave_out(&mut body, &mut head.headers);
        }
        self.sent(body.len());
        self.end_plain(head.status, None);
        Response::from_parts(head, ReplyBody::whole(body))
    }

    fn end_with_upstream<R>(mut self, response: Response<R>, idle: Duration) -> Response<ReplyBody<R>>
    where
        R: Body<Data = Bytes, Error = CallError> + Unpin,
    {
        let (mut head, body) = response.into_parts();
        self.stamp(&mut head.headers);
        let bodiless = self.is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if bodiless || body.is_end_stream() || length == Some(0) {
            self.end_plain(head.status, None);
            return Response::from_parts(head, ReplyBody::nothing());
        }
        let (watch, status) = (Watch::new(idle, self.deadline, self.upload()), head.status);
        Response::from_parts(head, ReplyBody::plain(plain::Pass::new(body, status, length, self, watch)))
    }

    /// Ends a request of a plain route, whose status line said this, and that may have gone wrong since.
    pub(crate) fn end_plain(&mut self, status: StatusCode, why: Option<&Refusal>) {
        match why {
            Some(refusal) => self.end(status, refusal.status.code, refusal.reason),
            None => self.end(status, code_of(status), None),
        }
    }
}

/// The code under which metrics count a reply of plain HTTP: that of an answer of our own with its status.
fn code_of(status: StatusCode) -> Code {
    if status.as_u16() < 400 { Code::Ok } else { Code::of_answer(status) }
}
