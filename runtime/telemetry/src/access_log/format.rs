//! The two formats: how a field becomes bytes.
//!
//! Nothing that a client sends can break out of its field or of its line: both formats quote and
//! escape as JSON does, control characters included (C1 and the Unicode line separators too, which
//! terminals and log shippers act on), and bytes that are no UTF-8 become U+FFFD.

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object for each line.
    Json,
    /// `key=value` pairs, quoted where they must be.
    Text,
}

/// A line being written.
pub(super) struct Line<'a> {
    /// `None` is a value alone, within a template.
    format: Option<Format>,
    out: &'a mut Vec<u8>,
    first: bool,
}

// === impl Line ===

impl<'a> Line<'a> {
    pub(super) fn begin(format: Format, out: &'a mut Vec<u8>) -> Self {
        if format == Format::Json {
            out.push(b'{');
        }
        Self { format: Some(format), out, first: true }
    }

    /// For one value, without its key and without quotes.
    pub(super) fn value(out: &'a mut Vec<u8>) -> Self {
        Self { format: None, out, first: true }
    }

    pub(super) fn end(self) {
        if self.format == Some(Format::Json) {
            self.out.push(b'}');
        }
        self.out.push(b'\n');
    }

    /// A value that is known to need no escaping and, as text, no quotes.
    pub(super) fn plain(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.key(key);
        match self.format {
            Some(Format::Json) => {
                self.out.push(b'"');
                write(self.out);
                self.out.push(b'"');
            }
            Some(Format::Text) | None => write(self.out),
        }
    }

    /// A value that may be anything; at most `max` bytes of it are written.
    pub(super) fn string(&mut self, key: &str, value: &[u8], max: usize) {
        self.key(key);
        let cut = value.len() > max;
        let value = &value[..value.len().min(max)];
        if self.format == Some(Format::Text) && !cut && is_bare(value) {
            self.out.extend_from_slice(value);
            return;
        }
        let quotes: &[u8] = if self.format.is_some() { b"\"" } else { b"" };
        self.out.extend_from_slice(quotes);
        push_escaped(value, self.out);
        if cut {
            self.out.extend_from_slice("…".as_bytes());
        }
        self.out.extend_from_slice(quotes);
    }

    pub(super) fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A number of thousandths, with three decimals.
    pub(super) fn thousandths(&mut self, key: &str, value: u64) {
        self.number(key, value / 1_000);
        self.out.push(b'.');
        push_number(value % 1_000, 3, self.out);
    }

    fn key(&mut self, key: &str) {
        match self.format {
            None => {}
            Some(Format::Json) => {
                self.out.extend_from_slice(if self.first { b"\"" } else { b",\"" });
                self.out.extend_from_slice(key.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            Some(Format::Text) => {
                if !self.first {
                    self.out.push(b' ');
                }
                self.out.extend_from_slice(key.as_bytes());
                self.out.push(b'=');
            }
        }
        self.first = false;
    }
}

/// Appends a number with at least `width` digits.
pub(super) fn push_number(value: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits);
}

/// Whether a value can stand in text without quotes: visible ASCII that no reader of `key=value`
/// takes for syntax. An empty value cannot.
fn is_bare(value: &[u8]) -> bool {
    let visible = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    !value.is_empty() && value.iter().all(visible)
}

/// Appends the inside of a JSON string.
fn push_escaped(value: &[u8], out: &mut Vec<u8>) {
    // Almost every value is plain ASCII, and a test of all its bytes at once is vectorised.
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') & (*byte != b'"') & (*byte != b'\\');
    if value.iter().fold(true, |all, byte| all & plain(byte)) {
        out.extend_from_slice(value);
        return;
    }
    for chunk in value.utf8_chunks() {
        push_escaped_str(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn push_escaped_str(value: &str, out: &mut Vec<u8>) {
    let mut copied = 0;
    for (at, escaped) in value.char_indices().filter(|(_, char)| must_escape(*char)) {
        out.extend_from_slice(&value.as_bytes()[copied..at]);
        copied = at + escaped.len_utf8();
        match escaped {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            // All of them lie in the basic plane, so one escape of four digits is enough.
            other => {
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    let digit = char::from_digit((u32::from(other) >> shift) & 0xf, 16);
                    out.push(digit.map_or(b'0', |digit| digit as u8));
                }
            }
        }
    }
    out.extend_from_slice(&value.as_bytes()[copied..]);
}

fn must_escape(char: char) -> bool {
    matches!(char, '"' | '\\' | '\u{2028}' | '\u{2029}') || char.is_control()
}
