//! Header values that are put together for each request.

use http::HeaderValue;
use std::fmt;

/// The value of a header: the same for every request, or with placeholders.
///
/// In the config `%CANARY%` is a placeholder, and `%%` is a percent sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Value);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Constant(HeaderValue),
    Parts(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<[u8]>),
    Is(Placeholder),
}

/// What stands for something about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placeholder {
    /// The name of the canary rule that chose the upstream; nothing if none did.
    Canary,
    /// The address of the peer, without its port.
    Peer,
    /// The id of the request.
    RequestId,
    /// The name of the upstream that was chosen.
    Upstream,
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTemplate {
    /// No placeholder has this name.
    Unknown(String),
    /// A `%` that begins no placeholder.
    Percent,
    /// A character that cannot be in a header: a control character, a line's end.
    Character,
}

/// What placeholders stand for, of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'f> {
    pub(crate) canary: Option<&'f str>,
    pub(crate) peer: &'f HeaderValue,
    pub(crate) request_id: &'f HeaderValue,
    pub(crate) upstream: &'f str,
}

impl Placeholder {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("CANARY", Self::Canary), ("PEER", Self::Peer), ("REQUEST_ID", Self::RequestId), ("UPSTREAM", Self::Upstream)];
}

// === impl Template ===

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// See [`BadTemplate`].
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.extend_from_slice(before.as_bytes());
            let (name, after) = after.split_once('%').ok_or(BadTemplate::Percent)?;
            rest = after;
            if name.is_empty() {
                literal.push(b'%');
                continue;
            }
            let known = Placeholder::ALL.iter().find(|(known, _)| *known == name);
            let (_, placeholder) = known.ok_or_else(|| BadTemplate::Unknown(name.to_owned()))?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(Part::Is(*placeholder));
        }
        literal.extend_from_slice(rest.as_bytes());
        let constant = HeaderValue::from_bytes(&literal).map_err(|_| BadTemplate::Character)?;
        if parts.is_empty() {
            return Ok(Self(Value::Constant(constant)));
        }
        let texts = parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        if texts.into_iter().any(|text| HeaderValue::from_bytes(text).is_err()) {
            return Err(BadTemplate::Character);
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self(Value::Parts(parts)))
    }

    /// The value for a request; `None` if a placeholder stands for nothing.
    pub(crate) fn value(&self, facts: &Facts<'_>) -> Option<HeaderValue> {
        let parts = match &self.0 {
            Value::Constant(value) => return Some(value.clone()),
            Value::Parts(parts) => parts,
        };
        let mut value = Vec::new();
        for part in parts {
            value.extend_from_slice(match part {
                Part::Text(text) => text,
                Part::Is(Placeholder::Canary) => facts.canary?.as_bytes(),
                Part::Is(Placeholder::Peer) => facts.peer.as_bytes(),
                Part::Is(Placeholder::RequestId) => facts.request_id.as_bytes(),
                Part::Is(Placeholder::Upstream) => facts.upstream.as_bytes(),
            });
        }
        HeaderValue::from_bytes(&value).ok()
    }
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "there is no `%{name}%`, but")?;
                for (at, (known, _)) in Placeholder::ALL.iter().enumerate() {
                    write!(f, "{} `%{known}%`", if at == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Self::Percent => f.write_str("write `%%` for a percent sign"),
            Self::Character => f.write_str("a header cannot hold control characters"),
        }
    }
}

impl std::error::Error for BadTemplate {}

#[cfg(test)]
mod tests;
