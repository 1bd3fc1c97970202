//! What is kept of a request for sending it again.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts};

/// A head, its headers as text: almost none is sent again, and one block of bytes is cheaper to make than a map, or than a
/// share in each value.
#[derive(Debug)]
pub struct Kept {
    method: Method,
    uri: Uri,
    version: Version,
    fields: Vec<Field>,
    /// Names and values, without anything between them.
    text: Vec<u8>,
}

/// A header in the text, behind those before it.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: usize,
    value: usize,
    sensitive: bool,
}

/// Most heads have no more, so that their text need not grow.
const TEXT_BYTES: usize = 512;

impl Kept {
    /// Keeps all but the extensions.
    #[must_use]
    pub fn new(head: &Parts) -> Self {
        let mut fields = Vec::with_capacity(head.headers.len());
        let mut text = Vec::with_capacity(TEXT_BYTES);
        for (name, value) in &head.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(value.as_bytes());
            fields.push(Field { name: name.as_str().len(), value: value.len(), sensitive: value.is_sensitive() });
        }
        Self { method: head.method.clone(), uri: head.uri.clone(), version: head.version, fields, text }
    }

    /// The head once more.
    #[must_use]
    pub fn head(&self) -> Parts {
        let mut headers = HeaderMap::with_capacity(self.fields.len());
        let mut rest = &*self.text;
        for field in &self.fields {
            let (name, after) = rest.split_at(field.name);
            let (value, after) = after.split_at(field.value);
            rest = after;
            // Both were a header's before.
            if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                value.set_sensitive(field.sensitive);
                headers.append(name, value);
            }
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
