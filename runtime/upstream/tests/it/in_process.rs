use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tidegate_upstream::{Call, Class, InProcess, Kind, RequestBody};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::support::{Broken, data, fed, get, in_ms, next, next_data, post, read};

/// A function as a service.
#[derive(Clone)]
struct Func<F>(F);

impl<F, T, B> tower_service::Service<Request<RequestBody>> for Func<F>
where
    F: Fn(Request<RequestBody>) -> T,
    T: Future<Output = Result<Response<B>, Broken>>,
{
    type Response = Response<B>;
    type Error = Broken;
    type Future = T;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> T {
        (self.0)(request)
    }
}

/// Says so when it is dropped.
struct Dropped(Arc<Notify>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_service_is_called_as_an_upstream_is() {
    let callee = InProcess::new(Func(|request: Request<RequestBody>| async move {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok(Response::new(Full::new(Bytes::from(format!("{path} {} bytes", body.len())))))
    }));
    let response = callee.call(post("/x", Bytes::from("1234")), None).await.unwrap();
    assert_eq!(InProcessEndpoint::of(&callee, response.body()), None);
    assert_eq!(read(response.into_body()).await.unwrap().data, b"/x 4 bytes");
}

/// Names the associated function of a value's type.
trait InProcessEndpoint: Call {
    fn of<'a>(&self, body: &'a Self::Body) -> Option<&'a str> {
        Self::endpoint(body)
    }
}

impl<C: Call> InProcessEndpoint for C {}

#[tokio::test]
async fn bodies_stream_at_the_pace_of_their_reader() {
    let callee = InProcess::new(Func(|request: Request<RequestBody>| async move {
        let (sender, receiver) = mpsc::channel(1);
        let mut body = request.into_body();
        tokio::spawn(async move {
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                sender.send(Ok::<_, Broken>(frame.unwrap())).await.unwrap();
            }
        });
        Ok(Response::new(StreamBody::new(ReceiverStream::new(receiver))))
    }));
    let (hand, body) = fed();
    let mut answer = callee.call(post("/", body), None).await.unwrap().into_body();
    for piece in ["one", "two"] {
        hand.send(data(piece)).unwrap();
        assert_eq!(next_data(&mut answer).await, piece);
    }
    drop(hand);
    assert!(next(&mut answer).await.is_none());
}

#[tokio::test]
async fn the_deadline_drops_a_service_that_hangs() {
    let dropped = Arc::new(Notify::new());
    let guard = Arc::clone(&dropped);
    let callee = InProcess::new(Func(move |_| {
        let guard = Dropped(Arc::clone(&guard));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok(Response::new(Full::new(Bytes::new())))
        }
    }));
    let error = callee.call(get("/"), in_ms(20)).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    dropped.notified().await;
}

#[tokio::test]
async fn the_deadline_ends_a_body_that_hangs() {
    let callee = InProcess::new(Func(|_| async move {
        let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, Broken>>(1);
        sender.send(data("begun")).await.unwrap();
        tokio::spawn(async move { sender.closed().await });
        Ok(Response::new(StreamBody::new(ReceiverStream::new(receiver))))
    }));
    let mut body = callee.call(get("/"), in_ms(200)).await.unwrap().into_body();
    assert_eq!(next_data(&mut body).await, "begun");
    assert!(next(&mut body).await.unwrap().unwrap_err().is_deadline());
    assert!(next(&mut body).await.is_none());
}

#[tokio::test]
async fn dropping_the_call_drops_the_service() {
    let dropped = Arc::new(Notify::new());
    let guard = Arc::clone(&dropped);
    let callee = InProcess::new(Func(move |_| {
        let guard = Dropped(Arc::clone(&guard));
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok(Response::new(Full::new(Bytes::new())))
        }
    }));
    let call = tokio::spawn(async move { callee.call(get("/"), None).await });
    tokio::task::yield_now().await;
    call.abort();
    dropped.notified().await;
}

#[tokio::test]
async fn a_failure_of_the_service_is_an_error_of_the_call() {
    let callee = InProcess::new(Func(|_| async { Err::<Response<Full<Bytes>>, _>(Broken(1)) }));
    let error = callee.call(get("/"), None).await.unwrap_err();
    let Kind::Service(source) = error.kind() else { panic!("{error:?}") };
    assert_eq!((source.downcast_ref(), error.class()), (Some(&Broken(1)), Class::Internal));

    let callee = InProcess::new(Func(|_| async move {
        let frames = tokio_stream::iter([data("partial"), Err(Broken(2))]);
        Ok(Response::new(StreamBody::new(frames)))
    }));
    let mut body = callee.call(get("/"), None).await.unwrap().into_body();
    assert_eq!(next_data(&mut body).await, "partial");
    let error = next(&mut body).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), Kind::Service(_)), "{error:?}");
}

#[tokio::test]
async fn a_request_body_that_fails_is_told_from_a_failing_service() {
    // As tonic does, the service makes an answer of the error it sees.
    let callee = InProcess::new(Func(|request: Request<RequestBody>| async move {
        let told = request.into_body().collect().await.map(drop).unwrap_err().to_string();
        Ok(Response::new(Full::new(Bytes::from(told))))
    }));
    let (hand, body) = fed();
    hand.send(Err(Broken(3))).unwrap();
    let error = callee.call(post("/", body), None).await.unwrap_err();
    let source = error.into_request_body_error().unwrap();
    assert_eq!(source.downcast_ref(), Some(&Broken(3)));
}
