//! The configs that were, that is, and that shall be in force.
//!
//! ```text
//! source ─┐
//! admin  ─┼─► Keeper: parse ─► check ─► compile ─► bind ─► swap ─► remember      a bad one changes nothing
//! SIGHUP ─┘                                              (one generation)
//! ```
//!
//! The [`Keeper`] does one thing after the other; a [`Handle`] asks it to, and knows how things stand.

mod follow;
mod handle;
mod keeper;
mod loader;
mod outlets;
mod pause;
mod state;

pub use follow::Following;
pub use handle::{Checked, Handle, Refused};
pub use keeper::{Given, Keeper};
pub use loader::{Candidate, Fixed, Loader, StoreCheck, Variables};
pub use outlets::Outlets;
pub use state::{Saved, StateFolder};

use crate::diagnostics::Report;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;
use tidegate_source::Document;

/// So many generations are kept for rolling back, the one in force included.
pub const KEPT: usize = 20;

/// A config that is or was in force.
#[derive(Clone, Debug)]
pub struct Generation {
    /// As metrics and logs count: schemas that upstreams tell count too, so numbers are left out.
    pub number: u64,
    /// Where it is from: the name of the source, `admin API`, `generation 3`, `saved`.
    pub origin: String,
    /// When it came into force.
    pub at: SystemTime,
    /// Its text.
    pub document: Arc<Document>,
}

/// An attempt that came to nothing.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When.
    pub at: SystemTime,
    /// Where it was from.
    pub origin: String,
    /// What the source calls it.
    pub revision: String,
    /// What is wrong.
    pub report: Report,
}

/// How things stand, shared by the keeper and whoever shows it.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The newest last.
    generations: Mutex<VecDeque<Generation>>,
    /// Since the last config that came into force.
    refused: Mutex<Option<Attempt>>,
    /// Why the source cannot be read, if it cannot.
    trouble: Mutex<Option<String>>,
}

impl Standing {
    fn accepted(&self, generation: Generation) {
        let mut generations = self.generations.lock();
        generations.push_back(generation);
        while generations.len() > KEPT {
            generations.pop_front();
        }
        *self.refused.lock() = None;
    }

    fn current(&self) -> Option<Generation> {
        self.generations.lock().back().cloned()
    }
}
