//! Which fields of a message have been met.

/// A set of slots; a message of at most 64 fields and oneofs needs no memory of its own.
#[derive(Default)]
pub(super) struct Seen {
    first: u64,
    more: Vec<u64>,
}

impl Seen {
    /// Adds the bits of a field that are below 64, see [`Field::seen`](crate::schema::Field::seen);
    /// false if one was there.
    #[inline(always)]
    pub(super) fn insert_bits(&mut self, bits: u64) -> bool {
        let new = self.first & bits == 0;
        self.first |= bits;
        new
    }

    /// Adds a slot; false if it was there.
    #[inline]
    pub(super) fn insert(&mut self, slot: usize) -> bool {
        if slot < 64 {
            let bit = 1 << slot;
            let new = self.first & bit == 0;
            self.first |= bit;
            new
        } else {
            self.insert_far(slot)
        }
    }

    fn insert_far(&mut self, slot: usize) -> bool {
        let (word, bit) = (slot / 64 - 1, 1 << (slot % 64));
        if self.more.len() <= word {
            self.more.resize(word + 1, 0);
        }
        let new = self.more[word] & bit == 0;
        self.more[word] |= bit;
        new
    }

    /// True for a slot that was added.
    #[inline]
    pub(super) fn contains(&self, slot: usize) -> bool {
        if slot < 64 {
            self.first & (1 << slot) != 0
        } else {
            self.more.get(slot / 64 - 1).is_some_and(|word| word & (1 << (slot % 64)) != 0)
        }
    }
}
