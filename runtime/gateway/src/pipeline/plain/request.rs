//! The request as it goes on.

use crate::answer::Refusal;
use crate::b3;
use crate::body_limits::Limited;
use crate::config::template::Facts;
use crate::config::{Forward, Upgrade, limits};
use crate::exchange::Exchange;
use crate::headers::plain::{strip_request, write_upgrade};
use crate::idle::Upload;
use crate::peer::Peer;
use crate::pipeline::admit::too_large;
use crate::pipeline::open::{self, asked_host};
use crate::snapshot::RoutedPlain;
use crate::trust;
use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Version, request};
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tidegate_upstream::{Protocol, RequestBody};

/// A body that says that it is not longer is awaited before the call is made: what is in memory can be
/// sent again if a connection turns out to be closing.
const WHOLE_BYTES: u64 = 16 * 1024;

/// What the body may be.
///
/// # Errors
/// 413: it says that it is longer.
pub(super) fn limits<B: Body>(routed: &RoutedPlain<'_>, peer: &Peer, body: &B) -> Result<limits::Body, Refusal> {
    let limits = peer.limits().body;
    let max_bytes = routed.config.max_body.unwrap_or(limits.max_bytes);
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(too_large(max_bytes));
    }
    Ok(limits::Body { max_bytes, ..limits })
}

/// The body: in memory if it is known to be short, or not longer than what is `kept` for another try; else as it comes.
pub(super) async fn body<B>(
    body: B,
    limits: limits::Body,
    upgrade: Option<Upgrade>,
    kept: Option<usize>,
    exchange: &mut Exchange,
) -> Result<RequestBody, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if body.is_end_stream() || upgrade.is_some() {
        return Ok(RequestBody::empty());
    }
    let whole = kept.map_or(WHOLE_BYTES, |bytes| WHOLE_BYTES.max(bytes as u64));
    if body.size_hint().exact().is_some_and(|length| length <= whole) {
        let whole = open::read_in_time(body, limits, exchange).await?;
        exchange.received(whole.len());
        return Ok(whole.into());
    }
    let upload = exchange.upload_begins();
    Ok(RequestBody::stream(Streamed { body: Limited::new(body, limits), upload }))
}

/// The head: the path in the form that was matched, or as the route rewrites it; the headers but for those
/// of this hop.
#[expect(clippy::too_many_arguments, reason = "all that is known of a request comes together here")]
pub(super) fn head(
    mut head: request::Parts,
    routed: &RoutedPlain<'_>,
    forward: &Forward,
    protocol: Protocol,
    upgrade: Option<Upgrade>,
    facts: &Facts<'_>,
    exchange: &Exchange,
    peer: &Peer,
) -> request::Parts {
    let host = asked_host(head.headers.get(HOST).cloned(), &head.uri);
    let path = path_and_query(&head.uri, routed, forward);
    let headers = &mut head.headers;
    let version = match protocol {
        Protocol::H1 => Version::HTTP_11,
        Protocol::H2 => Version::HTTP_2,
    };
    strip_request(headers, version);
    exchange.write_ids(headers);
    if let Some(form) = exchange.snapshot().config.metadata.b3 {
        b3::emit(headers, form);
    }
    trust::add_origin(headers, host.clone(), peer);
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    if let Some(upgrade) = upgrade {
        write_upgrade(headers, upgrade.name());
    }
    forward.request_headers.apply(headers, facts);
    let mut uri = http::uri::Parts::default();
    if protocol == Protocol::H2
        && let Some(host) = headers.remove(HOST)
        && let Ok(authority) = Authority::try_from(host.as_bytes())
    {
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(authority);
    }
    uri.path_and_query = Some(path);
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    head.version = version;
    head.extensions.clear();
    head
}

/// Without a copy if the path came as it goes.
fn path_and_query(uri: &Uri, routed: &RoutedPlain<'_>, forward: &Forward) -> PathAndQuery {
    let rewritten = forward.rewrite.as_ref().map(|rewrite| rewrite.apply(&routed.path, routed.matched()));
    let path: &str = rewritten.as_deref().unwrap_or(&routed.path);
    match uri.path_and_query() {
        Some(as_it_came) if as_it_came.path() == path => as_it_came.clone(),
        _ => {
            let text = match uri.query() {
                Some(query) => format!("{path}?{query}"),
                None => path.to_owned(),
            };
            PathAndQuery::try_from(text).unwrap_or(PathAndQuery::from_static("/"))
        }
    }
}

/// A request's body as it comes, trailers included.
struct Streamed<B> {
    body: Limited<B>,
    upload: Upload,
}

impl<B> Body for Streamed<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.upload.received(frame.data_ref().map_or(0, Bytes::len));
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.upload.over();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
