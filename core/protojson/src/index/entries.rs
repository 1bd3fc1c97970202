//! Which entries of a map count.

use super::{Index, Level, Source};
use crate::MessageId;
use crate::scalar::{Scalar, with_scalar};
use crate::schema::{Field, Kind};
use crate::take;
use crate::wire::WireError;
use std::ops::Range;

/// What keys are compared by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Number(u64),
    Text(&'a [u8]),
}

impl<'a> Index<'a> {
    /// The places of the entries that no later one replaces, ascending.
    pub(crate) fn last_entries(
        &mut self,
        entry: MessageId,
        key: &Field,
        places: &Range<usize>,
    ) -> Result<Vec<usize>, WireError> {
        let mut keys: Vec<(Key<'a>, usize)> = Vec::with_capacity(places.len());
        for place in places.clone() {
            let level = self.open(entry, Source::Values(place..place + 1))?;
            keys.push((self.key(key, &level)?, place));
            self.close(&level);
        }
        keys.sort_unstable();
        let mut entries: Vec<usize> = Vec::with_capacity(keys.len());
        let mut following = keys.iter().skip(1);
        for (key, place) in &keys {
            if following.next().is_none_or(|(next, _)| next != key) {
                entries.push(*place);
            }
        }
        entries.sort_unstable();
        Ok(entries)
    }

    fn key(&self, key: &Field, level: &Level) -> Result<Key<'a>, WireError> {
        let Some(place) = self.last(level, key.number) else {
            return Ok(if key.kind == Kind::String { Key::Text(&[]) } else { Key::Number(0) });
        };
        let value = self.value(place);
        with_scalar!(key.kind,
            S => Ok(Key::Number(S::fingerprint(S::take(value)?.0))),
            enum _ => Ok(Key::Number(take::varint(value)?.0)),
            _ => Ok(Key::Text(take::len_prefixed(value)?.0)),
        )
    }
}
