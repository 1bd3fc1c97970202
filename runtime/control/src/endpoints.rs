//! What the endpoints of the upstreams need while a gateway runs: health checks, and whoever finds those that come and go.

use std::fmt;
use std::sync::{Arc, Weak};
use tidegate_gateway::Gateway;
use tidegate_traffic::discovery::Finder;
use tidegate_upstream::{Discovery, Fleet, checks, discovery};

/// Makes finders: the program knows which there are.
pub trait Finders: fmt::Debug + Send + Sync {
    /// Who finds these endpoints.
    ///
    /// # Errors
    /// Why nobody can: one sentence, lower case, no full stop.
    fn open(&self, what: &Discovery) -> Result<Box<dyn Finder>, String>;
}

/// Looks after the endpoints of all configs that come into force, for ever. What it does for an upstream ends when no
/// request has a config with it any more.
pub async fn tend(gateway: Arc<Gateway>, finders: Arc<dyn Finders>) {
    let mut changes = gateway.changes();
    let mut tended: Vec<Weak<Fleet>> = Vec::new();
    loop {
        tended.retain(|fleet| fleet.strong_count() > 0);
        for fleet in gateway.fleets() {
            if tended.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(&fleet))) {
                continue;
            }
            let known = Arc::downgrade(&fleet);
            tokio::spawn(checks::run(known.clone()));
            if let Some(what) = fleet.discovery() {
                match finders.open(what) {
                    Ok(finder) => drop(tokio::spawn(discovery::run(known.clone(), finder))),
                    Err(why) => fleet.lost(&why),
                }
            }
            tended.push(known);
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
