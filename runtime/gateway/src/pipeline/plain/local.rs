//! Routes that are answered here.

use super::Served;
use crate::answer::{Answer, Refusal};
use crate::config::template::Facts;
use crate::config::{HeaderEdits, Redirect, Respond};
use crate::exchange::Exchange;
use crate::peer::Peer;
use crate::pipeline::open::asked_host;
use crate::snapshot::RoutedPlain;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderValue, Response, StatusCode, request};

/// Tells the client where to go: relative to where it is, unless the route names a scheme or a host.
pub(super) fn redirect<R>(
    redirect: &Redirect,
    head: &request::Parts,
    routed: &RoutedPlain<'_>,
    peer: &Peer,
    exchange: &Exchange,
) -> Result<Served<R>, Refusal> {
    let mut location = String::new();
    if redirect.scheme.is_some() || redirect.host.is_some() {
        let asked = asked_host(head.headers.get(HOST).cloned(), &head.uri);
        let host = match (&redirect.host, &asked) {
            (Some(host), _) => Some(&**host),
            (None, Some(asked)) => asked.to_str().ok(),
            (None, None) => None,
        };
        let host = host.ok_or_else(|| Refusal::new(Answer::BadRequest, "the request has no header `host`"))?;
        if let Some(scheme) = &redirect.scheme {
            location.push_str(scheme);
            location.push(':');
        }
        location.push_str("//");
        location.push_str(host);
    }
    match &redirect.rewrite {
        Some(rewrite) => location.push_str(&rewrite.apply(&routed.path, routed.matched())),
        None => location.push_str(&routed.path),
    }
    if let Some(query) = head.uri.query().filter(|_| !redirect.drop_query) {
        location.push('?');
        location.push_str(query);
    }
    let location = HeaderValue::try_from(location);
    let location = location.map_err(|_| Refusal::new(Answer::BadRequest, "the path cannot be in a header"))?;
    let mut response = begin(redirect.status, Bytes::new());
    response.headers_mut().insert(LOCATION, location);
    Ok(end(response, &redirect.response_headers, peer, exchange))
}

/// Answers as the route says.
pub(super) fn respond<R>(respond: &Respond, peer: &Peer, exchange: &Exchange) -> Served<R> {
    let mut response = begin(respond.status, respond.body.clone());
    if let Some(content_type) = &respond.content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    }
    end(response, &respond.response_headers, peer, exchange)
}

fn begin(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn end<R>(mut response: Response<Bytes>, edits: &HeaderEdits, peer: &Peer, exchange: &Exchange) -> Served<R> {
    let (peer, request_id) = (peer.forwarded_for(), exchange.request_id());
    let facts = Facts { canary: exchange.canary_rule(), peer, request_id, upstream: "" };
    edits.apply(response.headers_mut(), &facts);
    Served::Own(response)
}
