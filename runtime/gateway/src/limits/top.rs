//! The keys that a limit refuses most, in bounded memory.
//!
//! Space-saving (Metwally, Agrawal, El Abbadi: *Efficient Computation of Frequent and Top-k Elements in Data Streams*,
//! 2005): a key that is not known takes the place of the least, and its count. A count is at most too high by what it
//! says of itself; whoever has more than one part in [`PLACES`] of all refusals is there.

use parking_lot::Mutex;
use tidegate_limit::Key;

/// Keys that are kept of a limit.
const PLACES: usize = 32;
/// Bytes of a key's text.
const TEXT: usize = 128;

/// The keys that were refused most.
#[derive(Debug, Default)]
pub(super) struct Top(Mutex<Vec<Place>>);

#[derive(Debug)]
struct Place {
    key: Key,
    refused: Refused,
}

/// How often a key was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The values of the key, as a config would write them.
    pub key: String,
    /// How often, at most.
    pub times: u64,
    /// Of those, how many may have been of other keys.
    pub unsure: u64,
}

impl Top {
    /// One more refusal of `key`; `text` is asked for if it was not known.
    pub(super) fn add(&self, key: Key, text: impl FnOnce() -> String) {
        let mut places = self.0.lock();
        if let Some(known) = places.iter_mut().find(|place| place.key == key) {
            known.refused.times += 1;
            return;
        }
        let least = match places.len() < PLACES {
            true => None,
            false => places.iter_mut().min_by_key(|place| place.refused.times),
        };
        let before = least.as_ref().map_or(0, |place| place.refused.times);
        let refused = Refused { key: shortened(text()), times: before + 1, unsure: before };
        match least {
            Some(place) => *place = Place { key, refused },
            None => places.push(Place { key, refused }),
        }
    }

    /// The most refused first.
    pub(super) fn list(&self) -> Vec<Refused> {
        let mut all: Vec<Refused> = self.0.lock().iter().map(|place| place.refused.clone()).collect();
        all.sort_by(|one, other| other.times.cmp(&one.times).then_with(|| one.key.cmp(&other.key)));
        all
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
