//! Further versions of the shop's services, for canaries: the same state, told apart by a header.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use http::{HeaderName, HeaderValue, Request, Response};
use tonic::{Status, body::Body};
use tower_service::Service;

use crate::server::Routes;

/// The header of every answer of a version but the first.
pub const VERSION_HEADER: &str = "x-shop-version";

/// Of the version that fails, one call in so many does.
const FAILS_EVERY: u64 = 5;

/// A version of the shop's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The next one. It says so in [`VERSION_HEADER`].
    Next,
    /// One that should not have been released: every fifth call fails.
    Broken,
}

/// The services in another version.
#[derive(Clone, Debug)]
pub struct Versioned {
    routes: Routes,
    version: Version,
    calls: Arc<AtomicU64>,
}

// === impl Version ===

impl Version {
    /// What [`VERSION_HEADER`] says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "v2",
            Self::Broken => "v3",
        }
    }
}

// === impl Versioned ===

impl Versioned {
    pub(crate) fn new(routes: Routes, version: Version) -> Self {
        Self { routes, version, calls: Arc::default() }
    }
}

impl Service<Request<Body>> for Versioned {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let fails = self.version == Version::Broken && call.is_multiple_of(FAILS_EVERY);
        let (served, version) = (self.routes.call(request), self.version.name());
        Box::pin(async move {
            let mut response =
                if fails { Status::internal("this version is broken").into_http() } else { served.await? };
            let header = HeaderName::from_static(VERSION_HEADER);
            response.headers_mut().insert(header, HeaderValue::from_static(version));
            Ok(response)
        })
    }
}
