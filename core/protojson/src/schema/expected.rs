//! A member's name in the form in which a document that is in order has it next.

/// `"jsonName":`, cut so that sixteen bytes are compared in one step.
#[derive(Debug, Default)]
pub(crate) struct ExpectedKey {
    /// The first sixteen bytes, zero behind a shorter text.
    head: u128,
    /// Ones where `head` counts.
    mask: u128,
    /// What is behind the head.
    rest: Box<[u8]>,
}

impl ExpectedKey {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut head = [0; 16];
        let mut mask = [0; 16];
        for ((head, mask), &byte) in head.iter_mut().zip(&mut mask).zip(text) {
            (*head, *mask) = (byte, 0xff);
        }
        let rest = text.get(16..).unwrap_or_default().into();
        Self { head: u128::from_le_bytes(head), mask: u128::from_le_bytes(mask), rest }
    }

    /// Where the text ends, if it stands at `at`. Misses it in the last sixteen bytes of the input.
    #[inline(always)]
    pub(crate) fn end(&self, json: &[u8], at: usize) -> Option<usize> {
        let next = json.get(at..)?;
        let (head, behind) = next.split_first_chunk::<16>()?;
        if u128::from_le_bytes(*head) & self.mask != self.head {
            return None;
        }
        if self.rest.is_empty() {
            return Some(at + 16 - (self.mask.leading_zeros() / 8) as usize);
        }
        behind.starts_with(&self.rest).then(|| at + 16 + self.rest.len())
    }
}

#[cfg(test)]
mod tests;
