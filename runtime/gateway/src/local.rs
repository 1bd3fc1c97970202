//! gRPC services that the gateway answers by itself, where they are switched on and no route has them:
//! `grpc.health.v1.Health` and `grpc.reflection` (`v1` and `v1alpha`).

mod catalog;
mod health;
mod reflection;

use crate::answer::{Answer, Refusal};
use crate::config::Config;
use crate::exchange::Exchange;
use crate::idle::Watch;
use crate::pipeline::{native, stopping};
use bytes::Bytes;
use http::header::HeaderMap;
use http::{Uri, request};
use http_body::{Body, Frame};
use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll};
use tidegate_protojson::Schema;
use tidegate_telemetry::metrics::{Metrics, requests};
use tidegate_transcode::frame::{Deframer, FRAME_HEADER_LEN, write_header};
use tidegate_transcode::{Code, Status};
use tidegate_upstream::RequestBody;

pub(crate) use catalog::Catalog;

/// The longest message that these services take: a name, mostly.
const MESSAGE_BYTES: usize = 64 * 1024;

/// The methods that are switched on.
#[derive(Debug, Default)]
pub(crate) struct Methods(Vec<Method>);

/// A method, made once.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) path: Arc<str>,
    pub(crate) metrics: Arc<requests::Route>,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Check,
    Watch,
    Reflect,
}

/// The reply of one call.
#[derive(Debug)]
pub(crate) struct Reply {
    source: Source,
    exchange: Exchange,
    /// Of a talk, which the client has to keep up.
    watch: Option<Watch>,
    ended: bool,
}

#[derive(Debug)]
pub(crate) enum Source {
    /// One message.
    Once(Option<Vec<u8>>),
    Health(health::Watcher),
    Reflection(Box<reflection::Talk>),
}

// === impl Methods ===

impl Methods {
    pub(crate) fn compile(config: &Config, metrics: &Metrics) -> Self {
        let mut methods = Vec::new();
        if config.grpc.health {
            methods.push(("/grpc.health.v1.Health/Check", Action::Check));
            methods.push(("/grpc.health.v1.Health/Watch", Action::Watch));
        }
        if config.grpc.reflection {
            methods.push(("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Action::Reflect));
            methods.push(("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Action::Reflect));
        }
        let made =
            |(path, action): (&str, Action)| Method { path: path.into(), metrics: metrics.route(path, "POST"), action };
        Self(methods.into_iter().map(made).collect())
    }

    pub(crate) fn find(&self, uri: &Uri) -> Option<&Method> {
        self.0.iter().find(|method| *method.path == *uri.path())
    }
}

/// What a client may learn of the services of some routes, and of ours.
pub(crate) fn catalog<'s>(config: &Config, routes: impl Iterator<Item = (&'s str, &'s Arc<Schema>)>) -> Catalog {
    let own = config.grpc.health.then(|| Schema::compile(&[&health::descriptor_set()]));
    let own = own.and_then(Result::ok).map(|schema| (health::NAME, Arc::new(schema)));
    Catalog::compile(routes.map(|(service, schema)| (service, Arc::clone(schema))).chain(own))
}

/// Serves a call of one of the methods.
pub(crate) async fn serve<B>(
    method: &Method,
    head: &request::Parts,
    body: B,
    exchange: &mut Exchange,
) -> Result<Source, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    exchange.routed_local(method);
    let snapshot = Arc::clone(exchange.snapshot());
    match method.action {
        Action::Check => {
            exchange.set_local_deadline(&head.headers, false)?;
            let message = message(body, exchange).await?;
            health::check(exchange.gateway(), &message).map(|reply| Source::Once(Some(reply)))
        }
        Action::Watch => {
            exchange.set_local_deadline(&head.headers, true)?;
            let message = message(body, exchange).await?;
            health::Watcher::new(exchange.shared_gateway(), &message).map(Source::Health)
        }
        Action::Reflect => {
            exchange.set_local_deadline(&head.headers, true)?;
            let catalogs = snapshot.catalogs(&head.uri, &head.headers);
            let upload = exchange.upload_begins();
            let talk = reflection::Talk::new(RequestBody::stream(body), upload, catalogs);
            Ok(Source::Reflection(Box::new(talk)))
        }
    }
}

/// The one message of a request.
async fn message<B>(mut body: B, exchange: &mut Exchange) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (read, ended) = native::read_in_time(&mut body, exchange).await?;
    if !ended {
        return Err(Refusal::new(Answer::BodyTooLarge, format!("a message of more than {MESSAGE_BYTES} bytes")));
    }
    exchange.received(read.len());
    let mut deframer = Deframer::new(MESSAGE_BYTES);
    deframer.push(read);
    next_message(&mut deframer)
        .and_then(|message| message.ok_or_else(|| Status::new(Code::Internal, "the request has no message")))
        .map_err(|status| Refusal::with_status(Answer::BadRequest, status))
}

/// The next message that is whole.
fn next_message(deframer: &mut Deframer) -> Result<Option<Bytes>, Status> {
    let frame = deframer.next().map_err(|error| Status::new(Code::Internal, format!("the request: {error}")))?;
    match frame {
        Some(frame) if frame.compressed => {
            Err(Status::new(Code::Unimplemented, "this service takes no compressed messages"))
        }
        frame => Ok(frame.map(|frame| frame.payload)),
    }
}

impl Source {
    /// This message and nothing else.
    pub(crate) fn once(message: &[u8]) -> Self {
        Self::Once(Some(message.to_vec()))
    }
}

// === impl Reply ===

impl Reply {
    pub(crate) fn new(source: Source, exchange: Exchange) -> Self {
        // Who watches the health of a service may hear nothing for days; who asks is to ask.
        let watch = matches!(source, Source::Reflection(_)).then(|| exchange.watch());
        Self { source, exchange, watch, ended: false }
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.exchange.must_end() {
            return self.end(Some(stopping()));
        }
        let next = match &mut self.source {
            Source::Once(message) => Poll::Ready(message.take().map(Ok)),
            Source::Health(watcher) => watcher.poll_next(context).map(|message| Some(Ok(message))),
            Source::Reflection(talk) => talk.poll_next(context),
        };
        match next {
            Poll::Ready(Some(Ok(message))) => {
                if let Some(watch) = &mut self.watch {
                    watch.moved();
                }
                match framed(&message) {
                    Ok(frame) => {
                        self.exchange.sent(frame.len());
                        Poll::Ready(Some(Frame::data(frame)))
                    }
                    Err(status) => self.end(Some(Refusal::with_status(Answer::Internal, status))),
                }
            }
            Poll::Ready(Some(Err(status))) => self.end(Some(Refusal::with_status(Answer::BadRequest, status))),
            Poll::Ready(None) => self.end(None),
            Poll::Pending => match self.watch.as_mut().map(|watch| watch.poll_over(context)) {
                Some(Poll::Ready(over)) => self.end(Some(native::refuse_over(over))),
                _ => Poll::Pending,
            },
        }
    }

    /// The client takes nothing: the call ends for that.
    pub(crate) fn abandon(&mut self) {
        self.exchange.end_stalled();
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn end(&mut self, refusal: Option<Refusal>) -> Poll<Option<Frame<Bytes>>> {
        let mut trailers = HeaderMap::new();
        let (status, reason) = match refusal {
            Some(refusal) => (refusal.status, refusal.reason),
            None => (Status::new(Code::Ok, ""), None),
        };
        status.write_trailers(&mut trailers);
        self.ended = true;
        self.exchange.end_stream(status.code, reason);
        Poll::Ready(Some(Frame::trailers(trailers)))
    }
}

/// A message with gRPC's five bytes before it.
fn framed(message: &[u8]) -> Result<Bytes, Status> {
    let mut frame = Vec::with_capacity(FRAME_HEADER_LEN + message.len());
    let mut header = [0; FRAME_HEADER_LEN];
    write_header(&mut header, message.len()).map_err(|error| Status::new(Code::Internal, error.to_string()))?;
    frame.extend_from_slice(&header);
    frame.extend_from_slice(message);
    Ok(frame.into())
}
