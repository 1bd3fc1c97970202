//! Which fields a line has, and in which form.

use super::format::{Format, Line};
use super::record::Record;

/// The form of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// These fields, in this order.
    Fields(Format, Vec<Field>),
    /// A text with fields in it.
    Template(Template),
}

/// A text with fields in it: `%status%`, and `%%` for the sign itself.
///
/// A value is escaped as in a JSON string, so that it cannot end a quoted text or a line; one that is not known
/// is `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// What a line can say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named and told by the field of `Record` that it shows")]
pub enum Field {
    Ts,
    Level,
    Msg,
    RequestId,
    TraceId,
    SpanId,
    Peer,
    Host,
    Method,
    Path,
    Protocol,
    Route,
    Rpc,
    Upstream,
    Canary,
    Fallback,
    Endpoint,
    Status,
    GrpcStatus,
    DurationMs,
    UpstreamMs,
    Attempts,
    QueuedMs,
    BytesIn,
    BytesOut,
    Reason,
    Limit,
    UserAgent,
}

/// The fields and their names, in the order in which a line has them by default.
const NAMED: [(Field, &str); 28] = [
    (Field::Ts, "ts"),
    (Field::Level, "level"),
    (Field::Msg, "msg"),
    (Field::RequestId, "request_id"),
    (Field::TraceId, "trace_id"),
    (Field::SpanId, "span_id"),
    (Field::Peer, "peer"),
    (Field::Host, "host"),
    (Field::Method, "method"),
    (Field::Path, "path"),
    (Field::Protocol, "protocol"),
    (Field::Route, "route"),
    (Field::Rpc, "rpc"),
    (Field::Upstream, "upstream"),
    (Field::Canary, "canary"),
    (Field::Fallback, "fallback"),
    (Field::Endpoint, "endpoint"),
    (Field::Status, "status"),
    (Field::GrpcStatus, "grpc_status"),
    (Field::DurationMs, "duration_ms"),
    (Field::UpstreamMs, "upstream_ms"),
    (Field::Attempts, "attempts"),
    (Field::QueuedMs, "queued_ms"),
    (Field::BytesIn, "bytes_in"),
    (Field::BytesOut, "bytes_out"),
    (Field::Reason, "reason"),
    (Field::Limit, "limit"),
    (Field::UserAgent, "user_agent"),
];

// === impl Field ===

impl Field {
    /// All of them, in the order in which a line has them by default.
    pub const ALL: [Self; NAMED.len()] = {
        let mut all = [Self::Ts; NAMED.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = NAMED[at].0;
            at += 1;
        }
        all
    };

    /// The name in a line, and in the config.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMED[self as usize].1
    }

    /// The field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMED.iter().find(|(_, known)| *known == name).map(|(field, _)| *field)
    }
}

// === impl Template ===

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The name of a field that there is not; `None` for a `%` that begins none, or a control character.
    pub fn parse(text: &str) -> Result<Self, Option<String>> {
        if text.chars().any(char::is_control) {
            return Err(None);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let (name, after) = after.split_once('%').ok_or(None)?;
            let mut literal = before.to_owned();
            if name.is_empty() {
                literal.push('%');
            }
            parts.push(Part::Text(literal));
            if !name.is_empty() {
                let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let field = Field::named(name).ok_or_else(|| is_name.then(|| name.to_owned()))?;
                parts.push(Part::Field(field));
            }
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }
}

// === impl Layout ===

impl Layout {
    /// Appends the line of `record`, its end included.
    pub(super) fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Fields(format, fields) => {
                let mut line = Line::begin(*format, out);
                fields.iter().for_each(|field| record.write(*field, &mut line));
                line.end();
            }
            Self::Template(template) => {
                for part in &template.0 {
                    match part {
                        Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                        Part::Field(field) => {
                            let before = out.len();
                            record.write(*field, &mut Line::value(out));
                            if out.len() == before {
                                out.push(b'-');
                            }
                        }
                    }
                }
                out.push(b'\n');
            }
        }
    }
}

impl From<Format> for Layout {
    /// All fields.
    fn from(format: Format) -> Self {
        Self::Fields(format, Field::ALL.to_vec())
    }
}
