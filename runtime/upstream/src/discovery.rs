//! Endpoints that come and go: asking whoever knows them, at the right times.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tidegate_telemetry::random;
use tidegate_traffic::discovery::{ENDPOINTS_MAX, Finder, Found};
use tokio::time::{sleep, timeout};

use crate::{Endpoint, Fleet};

/// The shortest time from one question to the next, whatever the answer says and however badly calls go.
const AGAIN_MIN: Duration = Duration::from_secs(1);

/// The longest: a name whose TTL is a day may still move.
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// The longest pause after an error.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Tells a fleet its endpoints, until it is gone. To be run once for the process.
pub async fn run(fleet: Weak<Fleet>, mut finder: Box<dyn Finder>) {
    let mut failures = 0;
    let mut last_wrong = Vec::new();
    while fleet.strong_count() > 0 {
        let found = finder.next().await;
        let Some(alive) = fleet.upgrade() else { return };
        let pause = match found {
            Ok(Found { places, wrong, again }) => {
                failures = 0;
                if wrong != last_wrong {
                    for why in &wrong {
                        tracing::warn!(upstream = alive.config().name, "not an endpoint: {why}");
                    }
                    last_wrong = wrong;
                }
                if places.len() > ENDPOINTS_MAX {
                    let (upstream, found) = (&*alive.config().name, places.len());
                    tracing::warn!(upstream, found, most = ENDPOINTS_MAX, "more endpoints than an upstream may have");
                }
                let places = places.into_iter().take(ENDPOINTS_MAX);
                let endpoints: Vec<_> =
                    places.map(|place| (Endpoint { host: place.host, port: place.port }, place.weight)).collect();
                alive.found(&endpoints);
                again.map(|again| again.clamp(AGAIN_MIN, AGAIN_MAX))
            }
            Err(lost) => {
                alive.lost(&lost.0);
                failures = (failures + 1).min(8);
                Some((AGAIN_MIN * (1 << (failures - 1))).min(PAUSE_MAX))
            }
        };
        let Some(pause) = pause else { continue };
        let hurry = alive.hurry();
        drop(alive);
        // Gateways that began together do not ask together.
        let spread = random::below(u64::try_from(AGAIN_MIN.as_millis()).unwrap_or(0) / 10);
        sleep(AGAIN_MIN + Duration::from_millis(spread)).await;
        // When no endpoint can be connected to, they are likely to be elsewhere by now.
        let _ = timeout(pause.saturating_sub(AGAIN_MIN), hurry.notified()).await;
    }
}

/// Wakes who looks for endpoints.
pub(crate) type Hurry = Arc<tokio::sync::Notify>;
