//! What was taken and is not needed goes back.

use std::time::Duration;

use crate::front::entry::Entry;
use crate::front::{By, Front, Outcome, Terms};
use crate::key::Key;

impl Front {
    /// Gives back what an answer took, because another limit refused the request. It goes back to the lease, or to the
    /// store with the next batch. While the store is down, and where there is no room, it is lost: never is more given
    /// back than was taken.
    pub fn give_back(&mut self, now: Duration, key: Key, terms: &Terms, outcome: &Outcome) {
        let now = self.tick(now);
        let receipt = outcome.decision.receipt;
        if receipt.cost == 0 || self.down.is_some() {
            return;
        }
        let place = (key, terms.class);
        match outcome.by {
            By::Lease => {
                // Without its entry the lease is dead.
                if let Some(entry) = self.entries.get_mut(&place) {
                    entry.back_to_lease(now, receipt, &mut self.stats);
                }
            }
            By::Store => {
                if !self.entries.contains_key(&place) && self.entries.len() >= self.config.keys {
                    return;
                }
                let entry = self.entries.entry(place).or_insert_with(|| Entry::new(*terms, self.born));
                entry.back_to_store(receipt);
                if !entry.queued && (entry.under_way == 0 || !self.config.combine) {
                    entry.queued = true;
                    self.ready.push_back(place);
                }
            }
            By::Refusal | By::Failure | By::Terms | By::Service { .. } => {}
        }
    }

    /// Whether something is to be sent that nobody waits for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests;
