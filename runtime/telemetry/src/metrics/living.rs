//! What can say what it does, for as long as it lives.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// Those that somebody else still holds.
#[derive(Debug)]
pub(super) struct Living<T: ?Sized>(Mutex<Vec<Weak<T>>>);

impl<T: ?Sized> Living<T> {
    /// Adds one, in place of those that are the same: that of a config before may live until the last request of that
    /// config ends.
    pub(super) fn replace(&self, new: Weak<T>, is_same: impl Fn(&T) -> bool) {
        let mut known = self.0.lock();
        known.retain(|known| known.upgrade().is_some_and(|known| !is_same(&known)));
        known.push(new);
    }

    /// In the order in which they were added.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl<T: ?Sized> Default for Living<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
