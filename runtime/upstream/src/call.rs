//! The one call.

use std::{future::Future, time::Instant};

use bytes::Bytes;
use http::{Request, Response};

use crate::{CallError, RequestBody, Tunnel};

/// Something that answers HTTP requests: an upstream over the network, or a service in the process.
///
/// What composes calls (a pipeline, a coordinator) is generic over this trait, so that it runs over
/// either.
pub trait Call {
    /// The answer's body. Reading it is what lets the peer send more; dropping it before its end
    /// cancels the call.
    type Body: http_body::Body<Data = Bytes, Error = CallError> + Send + Unpin;

    /// Sends `request` and answers with its head, as soon as there is one.
    ///
    /// `deadline` bounds all of the call, the end of the body included; `None` is no bound.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call: the peer is told, and nothing is left behind.
    ///
    /// # Errors
    /// See [`Kind`](crate::Kind); [`CallError::not_sent`] says whether the request surely never
    /// reached the application.
    fn call(
        &self,
        request: Request<RequestBody>,
        deadline: Option<Instant>,
    ) -> impl Future<Output = Result<Response<Self::Body>, CallError>> + Send;

    /// The address of the endpoint that sends `body`, where there is one.
    fn endpoint(body: &Self::Body) -> Option<&str>;

    /// Gives what is left of the answer another deadline than the call had; for a call that had one alone.
    fn set_deadline(body: &mut Self::Body, deadline: Option<Instant>) {
        let _ = (body, deadline);
    }

    /// What is left of an exchange that was answered with 101, once; `None` from what knows no upgrades.
    fn take_tunnel(body: &mut Self::Body) -> Option<Tunnel> {
        let _ = body;
        None
    }
}
