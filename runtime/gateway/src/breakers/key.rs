//! What a call is judged together with: the value of a header, or of a field of its message.

use http::{HeaderMap, HeaderName};
use std::borrow::Cow;
use std::collections::HashMap;
use tidegate_protojson::{FieldPath, Schema};
use tidegate_traffic::header_value;
use tidegate_transcode::frame::{Bounds, FRAME_HEADER_LEN, decompress};
use tidegate_upstream::RequestBody;

/// A compressed message is looked into up to this size.
const LOOK: Bounds = Bounds { max_bytes: 1 << 20, max_ratio: 200 };

/// Where the key of a route's calls is.
#[derive(Debug, Default)]
pub(super) enum Key {
    /// Calls have none.
    #[default]
    None,
    Header(HeaderName),
    Field(Fields),
    /// Where the call goes.
    Endpoint,
}

/// The field in the messages of a service.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) HashMap<Box<str>, FieldPath>);

impl Key {
    pub(super) fn in_headers(&self, headers: &HeaderMap) -> Option<Box<str>> {
        let Self::Header(name) = self else { return None };
        Some(String::from_utf8_lossy(&header_value(headers, name)?).into())
    }
}

impl Fields {
    /// The value in the one message of a call; `None` if there is none, or if it is not at hand as a whole.
    pub(super) fn in_message(
        &self,
        rpc: &str,
        schema: &Schema,
        body: &RequestBody,
        encoding: Option<&str>,
    ) -> Option<Box<str>> {
        let path = self.0.get(rpc)?;
        let frame = body.whole()?;
        let payload = frame.get(FRAME_HEADER_LEN..)?;
        let message: Cow<'_, [u8]> = match frame.first() {
            Some(0) => payload.into(),
            // It is the service's to say what is wrong with a message.
            _ => decompress(encoding?, frame.slice(FRAME_HEADER_LEN..), LOOK).ok()?.to_vec().into(),
        };
        path.read(schema, &message).ok()?.map(Into::into)
    }
}
