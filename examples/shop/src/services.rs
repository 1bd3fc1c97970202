//! The services: requests checked, work handed to the store, faults turned into statuses.

mod customers;
mod faults;
mod health;
mod inventory;
mod links;
mod orders;
mod payments;
mod shipping;

use std::{sync::Arc, time::SystemTime};

pub(crate) use self::{
    customers::Customers, faults::Faults, health::Health, inventory::Inventory, links::ShortLinks, orders::Orders,
    payments::Payments, shipping::Shipping,
};
use crate::store::Store;

/// Tells wall time; a parameter so that tests can print the same times twice.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What every service has.
#[derive(Clone)]
pub(crate) struct Context {
    /// The state.
    pub(crate) store: Store,
    /// The time.
    pub(crate) clock: Clock,
}

// === impl Context ===

impl Context {
    /// Microseconds since 1970; 0 on a clock before that.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX / 2))
    }
}
