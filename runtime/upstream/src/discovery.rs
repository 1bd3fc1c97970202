//! Endpoints that come and go: asking whoever knows them, at the right times.

use std::sync::{Arc, Weak};

use tidegate_telemetry::random;
use tidegate_traffic::discovery::{ENDPOINTS_MAX, Finder, Found, Pace};
use tokio::time::{sleep, timeout};

use crate::{Endpoint, Fleet};

/// Tells a fleet its endpoints, until it is gone. To be run once for the process.
pub async fn run(fleet: Weak<Fleet>, mut finder: Box<dyn Finder>) {
    let mut pace = Pace::default();
    let mut last_wrong = Vec::new();
    while fleet.strong_count() > 0 {
        let found = finder.next().await;
        let Some(alive) = fleet.upgrade() else { return };
        let pause = match found {
            Ok(Found { places, wrong, again }) => {
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
                pace.found(again, random::u64())
            }
            Err(lost) => {
                alive.lost(&lost.0);
                Some(pace.lost(random::u64()))
            }
        };
        let Some(pause) = pause else { continue };
        let hurry = alive.hurry();
        drop(alive);
        sleep(pause.least).await;
        // When no endpoint can be connected to, they are likely to be elsewhere by now.
        let _ = timeout(pause.most.saturating_sub(pause.least), hurry.notified()).await;
    }
}

/// Wakes who looks for endpoints.
pub(crate) type Hurry = Arc<tokio::sync::Notify>;
