//! A read-only map from names to small numbers: one probe for a name that is there.

/// Open addressing over the names' hashes; at most half full, so that a miss ends soon.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    /// `(hash, value + 1)`; a value of 0 marks an empty slot.
    slots: Box<[(u32, u32)]>,
    names: Box<[(Box<str>, u32)]>,
}

impl NameTable {
    /// Builds the table; of two equal names the first wins.
    pub(crate) fn new<'n>(entries: impl IntoIterator<Item = (&'n str, u32)>) -> Self {
        let mut names: Vec<(Box<str>, u32)> = Vec::new();
        let entries: Vec<(&str, u32)> = entries.into_iter().collect();
        let capacity = (entries.len() * 2).next_power_of_two().max(2);
        let mut table = Self { slots: vec![(0, 0); capacity].into(), names: Box::default() };
        for (name, value) in entries {
            let hash = hash(name.as_bytes());
            let mut slot = hash as usize & (capacity - 1);
            let taken = loop {
                let (other, index) = table.slots[slot];
                if index == 0 {
                    break false;
                }
                if other == hash && *names[index as usize - 1].0 == *name {
                    break true;
                }
                slot = (slot + 1) & (capacity - 1);
            };
            if !taken {
                names.push((name.into(), value));
                table.slots[slot] = (hash, u32::try_from(names.len()).unwrap_or(u32::MAX));
            }
        }
        table.names = names.into();
        table
    }

    /// The number of `name`, if it is in the table.
    #[inline]
    pub(crate) fn get(&self, name: &[u8]) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let hash = hash(name);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let (other, index) = self.slots[slot & mask];
            if index == 0 {
                return None;
            }
            if other == hash {
                let (known, value) = &self.names[index as usize - 1];
                if known.as_bytes() == name {
                    return Some(*value);
                }
            }
            slot += 1;
        }
    }

    /// All names, in the order in which they were given.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| &**name)
    }
}

/// Eight bytes a step, the last step over bytes that were seen before. The names come from the
/// schema, so that no caller can choose collisions in the table; a chosen miss costs one comparison
/// of hashes.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u32 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| (state ^ word).wrapping_mul(MULTIPLIER).rotate_left(29);
    let mut state = name.len() as u64;
    if let Some(last) = name.last_chunk::<8>() {
        let mut rest = name;
        while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
            state = mix(state, u64::from_le_bytes(*chunk));
            rest = behind;
        }
        state = mix(state, u64::from_le_bytes(*last));
    } else if let Some((first, last)) = name.first_chunk::<4>().zip(name.last_chunk::<4>()) {
        state = mix(state, u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
    } else if let (Some(first), Some(last)) = (name.first(), name.last()) {
        let middle = name.get(name.len() / 2).copied().unwrap_or(0);
        state = mix(state, u64::from(*first) << 16 | u64::from(middle) << 8 | u64::from(*last));
    }
    (state.wrapping_mul(MULTIPLIER) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::NameTable;

    #[test]
    fn finds_every_name_and_nothing_else() {
        let names: Vec<String> = (0..500).map(|n| format!("field_{n}")).collect();
        let table = NameTable::new(names.iter().map(String::as_str).zip(0..));
        for (name, want) in names.iter().zip(0..) {
            assert_eq!(table.get(name.as_bytes()), Some(want));
        }
        assert_eq!(table.get(b"field_500"), None);
        assert_eq!(NameTable::default().get(b"x"), None);
    }

    #[test]
    fn the_first_of_two_equal_names_wins() {
        let table = NameTable::new([("a", 1), ("a", 2)]);
        assert_eq!(table.get(b"a"), Some(1));
        assert_eq!(table.iter().collect::<Vec<_>>(), ["a"]);
    }
}
