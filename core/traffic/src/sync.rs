//! The lock and the atomics that breakers, budgets and the counts of endpoints share among threads; loom's, where loom explores the orders of threads.

#[cfg(not(all(test, tidegate_loom)))]
pub(crate) use parking_lot::Mutex;
#[cfg(not(all(test, tidegate_loom)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

pub(crate) use std::sync::atomic::Ordering;

#[cfg(all(test, tidegate_loom))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

/// loom's, as parking_lot's is asked for.
#[cfg(all(test, tidegate_loom))]
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

#[cfg(all(test, tidegate_loom))]
impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().expect("no thread panics inside")
    }
}
