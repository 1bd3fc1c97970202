//! Values that nobody wants: they must be well-formed all the same.

use super::error::Segment;
use super::scan::{peek, token};
use super::{Parser, Step, number};

impl Parser<'_> {
    /// Reads the value at `at` and drops it.
    pub(super) fn skip(&mut self, at: usize) -> Step {
        self.skip_value(at, false)
    }

    /// Reads the value at `at` and drops it; with `note`, remembers where its objects have their `@type`.
    pub(super) fn skip_value(&mut self, at: usize, note: bool) -> Step {
        match peek(self.json, at) {
            b'"' => self.string(at).map(|(_, end)| end),
            b'{' => self.skip_members(at, note),
            b'[' => self.skip_elements(at, note),
            b'-' | b'0'..=b'9' => match number::number(self.json, at) {
                Ok(number) => Ok(number.end),
                Err(error) => Err(self.syntax(error.at, error.expected)),
            },
            _ => {
                let words = [&b"null"[..], b"true", b"false"];
                let end = words.iter().find_map(|word| self.word(at, word));
                end.ok_or_else(|| self.syntax(at, "a value"))
            }
        }
    }

    fn skip_members(&mut self, open: usize, note: bool) -> Step {
        let (mut at, mut byte) = token(self.json, open + 1);
        self.enter(open)?;
        while byte == b'"' {
            let key = at;
            let (text, end) = self.string(key)?;
            let is_type = note && self.text(text) == b"@type";
            let value = self.colon(end)?;
            let (value, _) = token(self.json, value);
            if is_type {
                self.late_types.note(open, value);
            }
            let Ok(end) = self.skip_value(value, note) else {
                return Err(self.unwind_field(key));
            };
            (at, byte) = token(self.json, end);
            if byte == b'}' {
                break;
            }
            if byte != b',' {
                return Err(self.syntax(at, "`,` or `}`"));
            }
            (at, byte) = token(self.json, at + 1);
            if byte != b'"' {
                return Err(self.syntax(at, "a member's name"));
            }
        }
        if byte != b'}' {
            return Err(self.syntax(at, "a member's name or `}`"));
        }
        self.leave();
        Ok(at + 1)
    }

    fn skip_elements(&mut self, open: usize, note: bool) -> Step {
        let (mut at, mut byte) = token(self.json, open + 1);
        self.enter(open)?;
        let mut index = 0;
        while byte != b']' {
            let Ok(end) = self.skip_value(at, note) else {
                return Err(self.unwind(at, Segment::Index(index)));
            };
            index += 1;
            (at, byte) = token(self.json, end);
            if byte == b',' {
                (at, _) = token(self.json, at + 1);
            } else if byte != b']' {
                return Err(self.syntax(at, "`,` or `]`"));
            }
        }
        self.leave();
        Ok(at + 1)
    }
}
