//! `google.api.HttpRule`, as annotated or as configured.

use http::Method;
use tidegate_protojson::wire::{Reader, WireError, WireType};

/// The number of the extension `google.api.http` of `google.protobuf.MethodOptions`.
const HTTP_EXTENSION: u32 = 72_295_728;

/// `google.protobuf.MethodOptions.idempotency_level`.
const IDEMPOTENCY_LEVEL: u32 = 34;

/// Groups nested in options deeper than this are no options.
const DEPTH: u32 = 100;

/// How requests become calls of one method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRule {
    /// `pkg.Service.Method`; not used in annotations and additional bindings, which stand at their method.
    pub selector: String,
    /// The HTTP method.
    pub method: RuleMethod,
    /// The path template.
    pub template: String,
    /// `*`, a top-level field of the request, or empty for none.
    pub body: String,
    /// A top-level field of the reply, or empty for the whole.
    pub response_body: String,
    /// Further bindings of the same method; they have none of their own.
    pub additional: Vec<HttpRule>,
}

/// The HTTP method of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of HttpRule's fields")]
pub enum RuleMethod {
    #[default]
    Get,
    Put,
    Post,
    Delete,
    Patch,
    /// `custom { kind }`: any other method (case-sensitive), or `*` for every one.
    Custom(String),
}

// === impl HttpRule ===

impl HttpRule {
    /// The rule in the wire bytes of a `google.protobuf.MethodOptions`; `None` if there is none.
    ///
    /// # Errors
    /// The bytes are no such message.
    pub fn from_method_options(options: &[u8]) -> Result<Option<Self>, WireError> {
        let mut rule: Option<Self> = None;
        let mut reader = Reader::new(options);
        while !reader.is_empty() {
            match reader.tag()? {
                // Occurrences merge, as those of any singular message field.
                (HTTP_EXTENSION, WireType::Len) => {
                    rule.get_or_insert_default().merge(reader.len_prefixed()?, true)?;
                }
                (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
            }
        }
        Ok(rule)
    }

    fn merge(&mut self, wire: &[u8], outer: bool) -> Result<(), WireError> {
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            if wire_type != WireType::Len {
                reader.skip(number, wire_type, DEPTH)?;
                continue;
            }
            let value = reader.len_prefixed()?;
            match number {
                1 => self.selector = text(value),
                2 => (self.method, self.template) = (RuleMethod::Get, text(value)),
                3 => (self.method, self.template) = (RuleMethod::Put, text(value)),
                4 => (self.method, self.template) = (RuleMethod::Post, text(value)),
                5 => (self.method, self.template) = (RuleMethod::Delete, text(value)),
                6 => (self.method, self.template) = (RuleMethod::Patch, text(value)),
                7 => self.body = text(value),
                8 => self.merge_custom(value)?,
                // Of a second level only its presence matters: it is refused.
                11 if outer => {
                    let mut additional = Self::default();
                    additional.merge(value, false)?;
                    self.additional.push(additional);
                }
                11 => self.additional.push(Self::default()),
                12 => self.response_body = text(value),
                _ => {}
            }
        }
        Ok(())
    }

    /// `google.api.CustomHttpPattern`
    fn merge_custom(&mut self, wire: &[u8]) -> Result<(), WireError> {
        let (mut kind, mut path) = match std::mem::take(&mut self.method) {
            RuleMethod::Custom(kind) => (kind, std::mem::take(&mut self.template)),
            _ => (String::new(), String::new()),
        };
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            match reader.tag()? {
                (1, WireType::Len) => kind = text(reader.len_prefixed()?),
                (2, WireType::Len) => path = text(reader.len_prefixed()?),
                (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
            }
        }
        (self.method, self.template) = (RuleMethod::Custom(kind), path);
        Ok(())
    }
}

// === impl RuleMethod ===

impl RuleMethod {
    /// The method as text: `GET`, or the custom kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Custom(kind) => kind,
        }
    }

    /// The HTTP method, `None` for every one; `Err` if the custom kind is no method.
    pub(crate) fn to_http(&self) -> Result<Option<Method>, http::method::InvalidMethod> {
        match self {
            Self::Custom(kind) if kind == "*" => Ok(None),
            method => Method::from_bytes(method.as_str().as_bytes()).map(Some),
        }
    }
}

/// `google.protobuf.MethodOptions.idempotency_level` as a number; 0 if it is not set.
pub(crate) fn idempotency_level(options: &[u8]) -> Result<u64, WireError> {
    let mut level = 0;
    let mut reader = Reader::new(options);
    while !reader.is_empty() {
        match reader.tag()? {
            (IDEMPOTENCY_LEVEL, WireType::Varint) => level = reader.varint()?,
            (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
        }
    }
    Ok(level)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
