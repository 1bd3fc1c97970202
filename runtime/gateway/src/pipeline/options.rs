//! OPTIONS where no rule is for it: which methods there are.

use crate::snapshot::Snapshot;
use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::{Method, Response, StatusCode, request};
use tidegate_transcode::Miss;

/// 204 with `Allow`, for `OPTIONS *` and for OPTIONS of a path that has rules for other methods only.
/// `None` is any other request: it goes the way of all.
pub(super) fn answer(snapshot: &Snapshot, head: &request::Parts) -> Option<Response<Bytes>> {
    if head.method != Method::OPTIONS {
        return None;
    }
    let allow = if head.uri.path() == "*" {
        snapshot.allow(&head.uri, &head.headers)
    } else {
        match snapshot.find(&head.method, &head.uri, &head.headers) {
            Err(Miss::MethodNotAllowed { allow }) => allow,
            Ok(_) | Err(Miss::NotFound | Miss::BadPath(_)) => return None,
        }
    };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::try_from(allow).ok()?);
    Some(response)
}
