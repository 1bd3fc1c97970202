//! W3C Trace Context, level 2: the `traceparent` header.
//!
//! Source: <https://www.w3.org/TR/trace-context-2/>, section 3.2. Parsing is strict: what the
//! recommendation calls invalid is refused, and the caller starts a new trace.

#[cfg(test)]
mod tests;

use std::fmt;

/// The length of a version 00 `traceparent`.
pub const TRACEPARENT_LEN: usize = 55;

/// Each byte as two lower-case hex digits.
static HEX_PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 0x0f]];
        byte += 1;
    }
    pairs
};

/// The flag that says the caller recorded this trace.
const SAMPLED: u8 = 0x01;
/// The flag (level 2) that says the trace id's right half is random.
const RANDOM: u8 = 0x02;

/// A trace id: 16 bytes, not all zero. Displays as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A span id: 8 bytes, not all zero. Displays as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// Where a request stands in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, the same on every hop.
    pub trace_id: TraceId,
    /// The span of whoever sends this context.
    pub span_id: SpanId,
    /// Whether the sender recorded its span.
    pub sampled: bool,
    /// Whether the trace id is known to be random (level 2).
    pub random: bool,
}

/// Why a `traceparent` was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Shorter than a version 00 value, or longer where the version does not allow it.
    Length,
    /// A dash is missing, or a digit is not lower-case hex.
    Syntax,
    /// Version `ff`, which the recommendation forbids.
    Version,
    /// The trace id is all zero.
    ZeroTraceId,
    /// The parent id is all zero.
    ZeroSpanId,
}

// === impl TraceId, SpanId ===

impl TraceId {
    /// The bytes in the order in which they are written.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The 32 lower-case hex digits.
    #[must_use]
    pub fn to_hex(self) -> [u8; 32] {
        let mut out = [0; 32];
        write_hex(&self.0, &mut out);
        out
    }
}

impl SpanId {
    /// A span id from random bits; the one value that is no id becomes 1.
    #[must_use]
    pub fn from_random(bits: u64) -> Self {
        Self(bits.max(1).to_be_bytes())
    }

    /// The bytes in the order in which they are written.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// The 16 lower-case hex digits.
    #[must_use]
    pub fn to_hex(self) -> [u8; 16] {
        let mut out = [0; 16];
        write_hex(&self.0, &mut out);
        out
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl TraceContext ===

impl TraceContext {
    /// A new trace from random bits, not sampled.
    #[must_use]
    pub fn generate(trace: u128, span: u64) -> Self {
        Self {
            trace_id: TraceId(trace.max(1).to_be_bytes()),
            span_id: SpanId::from_random(span),
            sampled: false,
            random: true,
        }
    }

    /// The context to send onwards: the same trace, a span of our own.
    #[must_use]
    pub fn child(self, span: u64) -> Self {
        Self { span_id: SpanId::from_random(span), ..self }
    }

    /// Reads the value of a `traceparent` header.
    ///
    /// A version above 00 is read by the rules of 00 and may carry more after a further dash
    /// (section 4.3); unknown flags are dropped.
    ///
    /// # Errors
    /// What the recommendation calls invalid; the caller then starts a new trace and drops
    /// `tracestate`.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let (head, rest) = value.split_first_chunk::<TRACEPARENT_LEN>().ok_or(ParseError::Length)?;
        if head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
            return Err(ParseError::Syntax);
        }
        let [version] = read_hex(&head[..2])?;
        match (version, rest) {
            (0xff, _) => return Err(ParseError::Version),
            (_, []) => {}
            (0, _) => return Err(ParseError::Length),
            (_, [b'-', ..]) => {}
            (_, _) => return Err(ParseError::Syntax),
        }
        let trace_id: [u8; 16] = read_hex(&head[3..35])?;
        let span_id: [u8; 8] = read_hex(&head[36..52])?;
        let [flags] = read_hex(&head[53..])?;
        if trace_id == [0; 16] {
            return Err(ParseError::ZeroTraceId);
        }
        if span_id == [0; 8] {
            return Err(ParseError::ZeroSpanId);
        }
        Ok(Self {
            trace_id: TraceId(trace_id),
            span_id: SpanId(span_id),
            sampled: flags & SAMPLED != 0,
            random: flags & RANDOM != 0,
        })
    }

    /// The value of the `traceparent` header, version 00, in ASCII.
    #[must_use]
    pub fn to_traceparent(self) -> [u8; TRACEPARENT_LEN] {
        let mut out = [b'-'; TRACEPARENT_LEN];
        let flags = (u8::from(self.sampled) * SAMPLED) | (u8::from(self.random) * RANDOM);
        write_hex(&[0], &mut out[..2]);
        write_hex(&self.trace_id.0, &mut out[3..35]);
        write_hex(&self.span_id.0, &mut out[36..52]);
        write_hex(&[flags], &mut out[53..]);
        out
    }
}

// === impl ParseError ===

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "traceparent has the wrong length",
            Self::Syntax => "traceparent is not dash-separated lower-case hex",
            Self::Version => "traceparent has the forbidden version ff",
            Self::ZeroTraceId => "traceparent has an all-zero trace id",
            Self::ZeroSpanId => "traceparent has an all-zero parent id",
        })
    }
}

impl std::error::Error for ParseError {}

/// Writes each byte as two lower-case hex digits; `out` is twice as long as `bytes`.
pub(crate) fn write_hex(bytes: &[u8], out: &mut [u8]) {
    debug_assert_eq!(out.len(), bytes.len() * 2);
    for (byte, pair) in bytes.iter().zip(out.as_chunks_mut::<2>().0) {
        *pair = HEX_PAIRS[usize::from(*byte)];
    }
}

fn read_hex<const N: usize>(digits: &[u8]) -> Result<[u8; N], ParseError> {
    debug_assert_eq!(digits.len(), N * 2);
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Ok(out)
}

fn nibble(digit: u8) -> Result<u8, ParseError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseError::Syntax),
    }
}
