//! Lets the plans of canaries go on.

use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::Gateway;
use tokio::time::{MissedTickBehavior, interval};

/// How often plans look at their canaries: what fails is rolled back within this time.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Lets the plans look and decide, for ever.
pub async fn walk(gateway: Arc<Gateway>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        gateway.walk_canaries();
    }
}
