//! What of an answer is a failure of the service.

use crate::protocol::{Protocol, code_in};
use http::{HeaderMap, response};

/// How a call went, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The service did what it is for, whatever it said.
    Well,
    /// The service failed.
    Failed,
    /// It counts neither way: the caller is at fault, or nobody can tell.
    Nothing,
    /// The end of the answer will tell. Said of the trailers it is [`Nothing`](Self::Nothing).
    Later,
}

/// Says what is a failure of a service: what opens its breaker. `E` is the error of the client below.
///
/// [`Protocol`] is one: of HTTP 5xx fails; of gRPC `UNKNOWN`, `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE` and
/// `DATA_LOSS`, wherever the status stands; so does a call without an answer. A closure that sees the head of an answer
/// is one as well, for answers that it can judge by that:
///
/// ```
/// # use tidegate_client::{BreakerLayer, Judged, Protocol, breaker::Settings};
/// let breaker = BreakerLayer::new(Protocol::Http, Settings::default())
///     .classify(|head: &http::response::Parts| match head.status.as_u16() {
///         429 | 500.. => Judged::Failed,
///         _ => Judged::Well,
///     });
/// ```
pub trait Classify<E> {
    /// By the head of the answer.
    fn head(&self, head: &response::Parts) -> Judged;

    /// By what stands behind its body; `None` if it ended without trailers. Asked if [`head`](Self::head) said
    /// [`Judged::Later`].
    fn trailers(&self, trailers: Option<&HeaderMap>) -> Judged {
        let _ = trailers;
        Judged::Nothing
    }

    /// By the error in place of an answer.
    fn error(&self, error: &E) -> Judged {
        let _ = error;
        Judged::Failed
    }
}

impl<E, F: Fn(&response::Parts) -> Judged> Classify<E> for F {
    fn head(&self, head: &response::Parts) -> Judged {
        self(head)
    }
}

impl<E> Classify<E> for Protocol {
    fn head(&self, head: &response::Parts) -> Judged {
        match self {
            Self::Http => by_status(head),
            Self::Grpc if head.status.as_u16() != 200 => by_status(head),
            Self::Grpc => code_in(&head.headers).map_or(Judged::Later, by_code),
        }
    }

    fn trailers(&self, trailers: Option<&HeaderMap>) -> Judged {
        // gRPC without a status is a call that broke off.
        trailers.and_then(code_in).map_or(Judged::Failed, by_code)
    }
}

/// Judges by the beginning of answers, for services that answer with long streams: what began, went well.
pub fn by_beginning(protocol: Protocol) -> impl Fn(&response::Parts) -> Judged + Clone {
    move |head| match Classify::<()>::head(&protocol, head) {
        Judged::Later => Judged::Well,
        judged => judged,
    }
}

fn by_status(head: &response::Parts) -> Judged {
    if head.status.is_server_error() { Judged::Failed } else { Judged::Well }
}

/// By a number of gRPC: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS, and what is none.
fn by_code(code: u8) -> Judged {
    match code {
        2 | 4 | 13 | 14 | 15 | 17.. => Judged::Failed,
        _ => Judged::Well,
    }
}
