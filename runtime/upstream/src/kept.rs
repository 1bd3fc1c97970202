//! What is kept of a request for sending it again.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts};

/// A head, without the index of a header map: almost none is sent again, and this is cheaper to make.
#[derive(Debug)]
pub struct Kept {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Kept {
    /// Keeps all but the extensions.
    #[must_use]
    pub fn new(head: &Parts) -> Self {
        let mut headers = Vec::with_capacity(head.headers.len());
        headers.extend(head.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self { method: head.method.clone(), uri: head.uri.clone(), version: head.version, headers }
    }

    /// The head once more.
    #[must_use]
    pub fn head(&self) -> Parts {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        let (mut head, ()) = Request::new(()).into_parts();
        head.method.clone_from(&self.method);
        head.uri.clone_from(&self.uri);
        head.version = self.version;
        head.headers = headers;
        head
    }
}

#[cfg(test)]
mod tests;
