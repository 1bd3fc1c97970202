//! Path templates: `/v1/{name=shelves/*}/books:search`.
//!
//! Source: "Path template syntax" in `google/api/http.proto`.

use crate::percent::{Buffer, decode_bytes};

/// The longest template, in segments. Matching recurses once per segment.
const MAX_SEGMENTS: usize = 64;

/// A parsed template. Variables are flattened into the segments that they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    /// Percent-decoded.
    pub(crate) verb: Option<Box<[u8]>>,
    /// In the order of the path.
    pub(crate) variables: Vec<Variable>,
}

/// One segment. The order is that of specificity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    /// Percent-decoded text.
    Literal(Box<[u8]>),
    /// `*`
    Any,
    /// `**`
    Rest,
}

/// A variable and the segments that it captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// `order.customer_id`
    pub(crate) field_path: String,
    /// Its first segment.
    pub(crate) first: usize,
    /// How many segments its template has.
    pub(crate) count: usize,
}

/// Why text is no path template; `at` is a byte offset into it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no text.
    #[error("the rule has no path")]
    Empty,
    /// It does not begin with `/`.
    #[error("a path template begins with `/`")]
    NoSlash,
    /// Two slashes follow each other, or one ends the template.
    #[error("a segment is empty (offset {at})")]
    EmptySegment {
        /// Where.
        at: usize,
    },
    /// A character that a literal cannot have.
    #[error("`{found}` must be percent-encoded in a literal (offset {at})")]
    BadCharacter {
        /// The character.
        found: char,
        /// Where.
        at: usize,
    },
    /// `%` without two hexadecimal digits.
    #[error("`%` without two hexadecimal digits (offset {at})")]
    BadPercent {
        /// Where.
        at: usize,
    },
    /// A wildcard is only part of a segment.
    #[error("a wildcard or variable must be a segment of its own (offset {at})")]
    PartialSegment {
        /// Where.
        at: usize,
    },
    /// A variable within a variable.
    #[error("a variable cannot contain another (offset {at})")]
    NestedVariable {
        /// Where.
        at: usize,
    },
    /// A variable without its closing brace.
    #[error("the variable is not closed (offset {at})")]
    UnclosedVariable {
        /// Where it begins.
        at: usize,
    },
    /// What stands in braces is no field path.
    #[error("`{found}` is not the path of a field (offset {at})")]
    BadFieldPath {
        /// The text.
        found: String,
        /// Where.
        at: usize,
    },
    /// `**` with segments behind it.
    #[error("`**` must be the last segment (offset {at})")]
    RestNotLast {
        /// Where the segment behind it begins.
        at: usize,
    },
    /// Nothing behind the colon, or another colon.
    #[error("the verb behind `:` must be one literal (offset {at})")]
    BadVerb {
        /// Where.
        at: usize,
    },
    /// More segments than 64.
    #[error("a template has at most {MAX_SEGMENTS} segments")]
    TooLong,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    template: Template,
}

// === impl Template ===

impl Template {
    /// Parses a template, strictly.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        if !text.starts_with('/') {
            return Err(TemplateError::NoSlash);
        }
        let template = Template { segments: Vec::new(), verb: None, variables: Vec::new() };
        let mut parser = Parser { text, at: 1, template };
        parser.top()?;
        Ok(parser.template)
    }
}

// === impl Parser ===

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// `Segments [ Verb ]`, to the end of the text.
    fn top(&mut self) -> Result<(), TemplateError> {
        loop {
            match self.peek() {
                Some(b'{') => self.variable()?,
                Some(b'*') => self.wildcard()?,
                _ => self.last_or_literal()?,
            }
            match self.peek() {
                None => return Ok(()),
                Some(b'/') => self.at += 1,
                Some(b':') => return self.verb(),
                Some(_) => return Err(TemplateError::PartialSegment { at: self.at }),
            }
        }
    }

    /// A literal; in the last segment its last colon begins the verb.
    fn last_or_literal(&mut self) -> Result<(), TemplateError> {
        let rest = &self.text[self.at..];
        let end = rest.find('/').or_else(|| rest.rfind(':')).unwrap_or(rest.len());
        self.literal(end)
    }

    /// The next `len` bytes, as a literal.
    fn literal(&mut self, len: usize) -> Result<(), TemplateError> {
        let start = self.at;
        let bytes = self.decoded(len)?;
        self.push(Segment::Literal(bytes), start)
    }

    /// Percent-decodes the next `len` bytes.
    fn decoded(&mut self, len: usize) -> Result<Box<[u8]>, TemplateError> {
        let start = self.at;
        let raw = &self.text[start..start + len];
        if raw.is_empty() {
            return Err(TemplateError::EmptySegment { at: start });
        }
        for (offset, found) in raw.char_indices() {
            let at = start + offset;
            match found {
                '{' | '}' | '*' => return Err(TemplateError::PartialSegment { at }),
                // RFC 3986: a `pchar`, or (as in an IRI) anything beyond ASCII.
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' | '%' => {}
                '!' | '$' | '&' | '\'' | '(' | ')' | '+' | ',' | ';' | '=' | ':' | '@' => {}
                '\u{a0}'.. => {}
                found => return Err(TemplateError::BadCharacter { found, at }),
            }
        }
        if let Some(offset) = crate::percent::find_malformed(raw.as_bytes()) {
            return Err(TemplateError::BadPercent { at: start + offset });
        }
        self.at += len;
        let mut buffer = Buffer::new();
        let decoded = decode_bytes(raw.as_bytes(), &mut buffer);
        decoded.map(Into::into).map_err(|_| TemplateError::BadPercent { at: start })
    }

    /// `*` or `**`
    fn wildcard(&mut self) -> Result<(), TemplateError> {
        let start = self.at;
        let stars = self.text[start..].bytes().take_while(|&byte| byte == b'*').count();
        self.at += stars;
        match stars {
            1 => self.push(Segment::Any, start),
            2 => self.push(Segment::Rest, start),
            _ => Err(TemplateError::PartialSegment { at: start }),
        }
    }

    /// `{ FieldPath [ = Segments ] }`
    fn variable(&mut self) -> Result<(), TemplateError> {
        let open = self.at;
        let inside = &self.text[open + 1..];
        let close = inside.find('}').ok_or(TemplateError::UnclosedVariable { at: open })?;
        let inside = &inside[..close];
        let name_len = inside.find('=').unwrap_or(inside.len());
        let field_path = &inside[..name_len];
        if let Some(nested) = field_path.find('{') {
            return Err(TemplateError::NestedVariable { at: open + 1 + nested });
        }
        if !field_path.split('.').all(is_identifier) {
            return Err(TemplateError::BadFieldPath { found: field_path.into(), at: open + 1 });
        }
        let first = self.template.segments.len();
        self.at = open + 1 + name_len;
        if self.peek() == Some(b'=') {
            self.at += 1;
            self.inner()?;
        } else {
            self.push(Segment::Any, open)?;
        }
        self.at += 1;
        let count = self.template.segments.len() - first;
        self.template.variables.push(Variable { field_path: field_path.into(), first, count });
        Ok(())
    }

    /// The segments of a variable, up to its closing brace (which is known to be there).
    fn inner(&mut self) -> Result<(), TemplateError> {
        loop {
            match self.peek() {
                Some(b'{') => return Err(TemplateError::NestedVariable { at: self.at }),
                Some(b'*') => self.wildcard()?,
                _ => {
                    let rest = &self.text[self.at..];
                    let end = rest.find(['/', '}', '{']).unwrap_or(rest.len());
                    self.literal(end)?;
                }
            }
            match self.peek() {
                Some(b'}') => return Ok(()),
                Some(b'/') => self.at += 1,
                Some(b'{') => return Err(TemplateError::NestedVariable { at: self.at }),
                _ => return Err(TemplateError::PartialSegment { at: self.at }),
            }
        }
    }

    /// `: LITERAL`, to the end of the text. Requests are split at their last colon, so that a verb
    /// with a colon of its own could never match.
    fn verb(&mut self) -> Result<(), TemplateError> {
        self.at += 1;
        let start = self.at;
        let len = self.text.len() - start;
        if len == 0 || self.text[start..].contains(['/', ':']) {
            return Err(TemplateError::BadVerb { at: start });
        }
        self.template.verb = Some(self.decoded(len)?);
        Ok(())
    }

    fn push(&mut self, segment: Segment, at: usize) -> Result<(), TemplateError> {
        if self.template.segments.last() == Some(&Segment::Rest) {
            return Err(TemplateError::RestNotLast { at });
        }
        if self.template.segments.len() == MAX_SEGMENTS {
            return Err(TemplateError::TooLong);
        }
        self.template.segments.push(segment);
        Ok(())
    }
}

fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
