//! The atomics that the table is made of; loom's, where loom explores the orders of threads.

#[cfg(not(all(test, tidegate_loom)))]
pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::atomic::Ordering;

#[cfg(all(test, tidegate_loom))]
pub(crate) use loom::sync::atomic::AtomicU64;

/// A word of 128 bits: who owns a slot, and the owner's state, change together or not at all.
#[cfg(not(all(test, tidegate_loom)))]
#[derive(Debug)]
pub(crate) struct Word128(portable_atomic::AtomicU128);

#[cfg(not(all(test, tidegate_loom)))]
impl Word128 {
    pub(crate) const fn new(value: u128) -> Self {
        Self(portable_atomic::AtomicU128::new(value))
    }

    /// Sequentially consistent: the table's protocol is of the kind "write mine, then read yours".
    #[inline]
    pub(crate) fn load(&self) -> u128 {
        self.0.load(Ordering::SeqCst)
    }

    /// Whether the word was `old` and is now `new`.
    #[inline]
    pub(crate) fn swap_if(&self, old: u128, new: u128) -> bool {
        self.0.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// loom has no 128-bit atomic. A lock around each access is as strong as the real one, and no stronger than
/// sequential consistency.
#[cfg(all(test, tidegate_loom))]
#[derive(Debug)]
pub(crate) struct Word128(loom::sync::Mutex<u128>);

#[cfg(all(test, tidegate_loom))]
impl Word128 {
    pub(crate) fn new(value: u128) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn load(&self) -> u128 {
        *self.0.lock().expect("no thread panics inside")
    }

    pub(crate) fn swap_if(&self, old: u128, new: u128) -> bool {
        let mut value = self.0.lock().expect("no thread panics inside");
        let same = *value == old;
        if same {
            *value = new;
        }
        same
    }
}
