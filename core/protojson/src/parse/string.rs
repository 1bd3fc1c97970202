//! Strings: escapes and UTF-8.

use super::error::{ParseErrorKind, StringFault};
use super::scan::{self, Run, peek};
use super::{Failed, Parser};
use crate::plain::first_stop;

/// The content of a string.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// As it stands in the document.
    Plain(&'a [u8]),
    /// Unescaped, in the parser's scratch space, until the next string.
    Scratch,
}

/// What is wrong at an escape.
enum BadEscape {
    Fault(StringFault),
    End,
}

impl<'a> Parser<'a> {
    /// Reads the string whose quote stands at `at`: its content, which is UTF-8, and where it ends.
    #[inline(always)]
    pub(super) fn string(&mut self, at: usize) -> Result<(Text<'a>, usize), Failed> {
        let start = at + 1;
        if let Some(chunk) = scan::chunk(self.json, start)
            && let Some(len) = scan::short_string(chunk)
        {
            let raw = self.json.get(start..start + len).unwrap_or_default();
            return Ok((Text::Plain(raw), start + len + 1));
        }
        self.long_string(scan::run(self.json, start), start)
    }

    /// As [`string`](Self::string), from behind the quote, with the first `run` of it.
    #[inline(never)]
    pub(super) fn long_string(&mut self, run: Run, start: usize) -> Result<(Text<'a>, usize), Failed> {
        if peek(self.json, run.end) != b'"' {
            let end = self.unescape(run, start)?;
            return Ok((Text::Scratch, end));
        }
        let raw = self.json.get(start..run.end).unwrap_or_default();
        self.check_run(run)?;
        Ok((Text::Plain(raw), run.end + 1))
    }

    /// The bytes of a text that [`string`](Self::string) returned last.
    #[inline]
    pub(super) fn text<'t>(&'t self, text: Text<'t>) -> &'t [u8] {
        match text {
            Text::Plain(raw) => raw,
            Text::Scratch => &self.scratch,
        }
    }

    /// Checks that a stretch of string is UTF-8.
    #[inline]
    fn check_run(&mut self, run: Run) -> Result<(), Failed> {
        match self.json.get(run.high..run.end) {
            None | Some([]) => Ok(()),
            Some(raw) => self.check_utf8(raw, run.high),
        }
    }

    #[inline(never)]
    fn check_utf8(&mut self, raw: &[u8], start: usize) -> Result<(), Failed> {
        match std::str::from_utf8(raw) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.bad_string(StringFault::Utf8, start + error.valid_up_to())),
        }
    }

    /// Reads a string with escapes, from behind its quote, with the first `run` of it, into the scratch
    /// space.
    #[inline(never)]
    fn unescape(&mut self, mut run: Run, mut at: usize) -> Result<usize, Failed> {
        let json = self.json;
        self.scratch.clear();
        loop {
            let raw = json.get(at..run.end).unwrap_or_default();
            self.check_run(run)?;
            self.scratch.extend_from_slice(raw);
            at = run.end;
            match json.get(at) {
                Some(b'"') => return Ok(at + 1),
                Some(b'\\') => {
                    let (character, end) = match escape(json, at + 1) {
                        Ok(found) => found,
                        Err(BadEscape::Fault(fault)) => return Err(self.bad_string(fault, at)),
                        Err(BadEscape::End) => return Err(self.unterminated()),
                    };
                    self.scratch.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    at = end;
                    run = scan::run(json, at);
                }
                Some(&control) => return Err(self.bad_string(StringFault::Control(control), at)),
                None => return Err(self.unterminated()),
            }
        }
    }

    /// Writes a string with escapes, from behind its quote, with the first `run` of it, to the output:
    /// where it ends. `None` if something is wrong with it, or it is near the end of the document:
    /// [`string`](Self::string) then knows better.
    #[inline]
    pub(super) fn unescape_to_output(&mut self, run: Run, start: usize) -> Result<Option<usize>, Failed> {
        let (json, from) = (self.json, self.out.position());
        self.out.bytes(json.get(start..run.end).unwrap_or_default())?;
        let mut at = run.end;
        // Where in the output something stands that may not be UTF-8.
        let mut unchecked = (run.high < run.end).then(|| from + (run.high - start));
        loop {
            let Some(chunk) = scan::chunk(json, at) else { return Ok(None) };
            // All sixteen are written, and those are kept that stand for themselves.
            let plain = first_stop(chunk).unwrap_or(chunk.len());
            if unchecked.is_none() && !chunk.is_ascii() {
                unchecked = Some(self.out.position());
            }
            self.out.chunk(*chunk, plain)?;
            at += plain;
            match (chunk.get(plain), json.get(at + 1)) {
                (None, _) => {}
                (Some(b'"'), _) => break,
                (Some(b'\\'), Some(&letter)) => match short_escape(letter) {
                    Some(byte) => {
                        self.out.chunk([byte], 1)?;
                        at += 2;
                    }
                    None => {
                        let Ok((character, end)) = escape(json, at + 1) else { return Ok(None) };
                        let mut bytes = [0; 4];
                        let len = character.encode_utf8(&mut bytes).len();
                        self.out.chunk(bytes, len)?;
                        at = end;
                    }
                },
                _ => return Ok(None),
            }
        }
        let is_text = unchecked.is_none_or(|from| str::from_utf8(self.out.written(from, self.out.position())).is_ok());
        Ok(is_text.then_some(at + 1))
    }

    #[cold]
    fn bad_string(&mut self, fault: StringFault, at: usize) -> Failed {
        self.fail(at, ParseErrorKind::BadString(fault))
    }

    #[cold]
    fn unterminated(&mut self) -> Failed {
        self.syntax(self.json.len(), "`\"` at the end of a string")
    }
}

/// The byte that a backslash and this letter stand for, if the escape is one of two characters.
#[inline(always)]
fn short_escape(letter: u8) -> Option<u8> {
    match letter {
        b'"' | b'\\' | b'/' => Some(letter),
        b'b' => Some(0x08),
        b'f' => Some(0x0c),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        _ => None,
    }
}

/// Reads an escape from behind its backslash.
#[inline(never)]
fn escape(json: &[u8], at: usize) -> Result<(char, usize), BadEscape> {
    let letter = *json.get(at).ok_or(BadEscape::End)?;
    match short_escape(letter) {
        Some(byte) => Ok((char::from(byte), at + 1)),
        None if letter == b'u' => unicode(json, at + 1),
        None => Err(BadEscape::Fault(StringFault::Escape)),
    }
}

/// Reads the hexadecimal digits of a `\u`, and of a second one for the other half of a pair.
fn unicode(json: &[u8], at: usize) -> Result<(char, usize), BadEscape> {
    let first = hex(json, at)?;
    let lone = BadEscape::Fault(StringFault::Surrogate);
    match first {
        0xd800..0xdc00 => {
            if json.get(at + 4..at + 6) != Some(b"\\u") {
                return Err(if json.len() < at + 6 { BadEscape::End } else { lone });
            }
            let second = hex(json, at + 6)?;
            let (0xdc00..0xe000, code) = (second, 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff)) else {
                return Err(lone);
            };
            char::from_u32(code).map(|character| (character, at + 10)).ok_or(lone)
        }
        // The second half of a pair alone is no character.
        code => char::from_u32(code).map(|character| (character, at + 4)).ok_or(lone),
    }
}

fn hex(json: &[u8], at: usize) -> Result<u32, BadEscape> {
    let mut code = 0;
    for offset in 0..4 {
        let byte = *json.get(at + offset).ok_or(BadEscape::End)?;
        let digit = char::from(byte).to_digit(16).ok_or(BadEscape::Fault(StringFault::Escape))?;
        code = code << 4 | digit;
    }
    Ok(code)
}
