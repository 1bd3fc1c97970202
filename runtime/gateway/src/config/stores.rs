//! Stores of limits that gateways share, as far as limits are made of them.

use super::Place;
use std::fmt;

/// A store that limits name. Where it is and how it is used is the matter of whoever opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Store {
    /// As limits name it.
    pub name: String,
    /// What the hashes of keys in it are made with, the same on every gateway that shares it: who does not know it
    /// cannot make the keys of two clients meet. Empty: none.
    pub secret: String,
    /// Gateways that share it, at most: what one may admit by itself is a share of one in so many. `None`: not known.
    pub nodes: Option<u64>,
    /// `stores.<name>` in the file.
    pub place: Place,
}

/// Without the secret.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, nodes, place, .. } = self;
        f.debug_struct("Store").field("name", name).field("nodes", nodes).field("place", place).finish_non_exhaustive()
    }
}
