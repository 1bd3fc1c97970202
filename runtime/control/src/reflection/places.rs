//! Which endpoints of an upstream are asked for its schema: those that are listed, or those that are found when they are
//! asked.

use crate::endpoints::Finders;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tidegate_traffic::discovery::{ENDPOINTS_MAX, Found, Place};
use tidegate_upstream::{Config, Discovery, Endpoint, Upstream};
use tokio::time::timeout;

/// Where an upstream can be asked.
pub(super) struct Places {
    /// What holds for the connection to each.
    pool: Config,
    /// Those that were known last, in the order in which they are asked.
    known: Mutex<Vec<Arc<Asked>>>,
    /// Who finds them, if they are not listed, and how long that may take.
    found: Option<(Discovery, Arc<dyn Finders>, Duration)>,
}

/// An endpoint that can be asked.
pub(super) struct Asked {
    /// Its address.
    pub(super) name: String,
    /// A connection that stays open from one question to the next.
    pub(super) pool: Upstream,
}

impl Places {
    /// Those of an upstream with this config.
    pub(super) fn new(upstream: &Config, finders: &Arc<dyn Finders>, patience: Duration) -> Self {
        let pool = Config {
            endpoints: Vec::new(),
            weights: Vec::new(),
            discovery: None,
            health: None,
            outlier: None,
            connections_max: 1,
            connections_ahead: 0,
            // While it is open the server has not been restarted.
            idle_timeout: None,
            ..upstream.clone()
        };
        let listed = upstream.endpoints.iter().map(|address| asked(&pool, address)).collect();
        let found = upstream.discovery.clone().map(|what| (what, Arc::clone(finders), patience));
        Self { pool, known: Mutex::new(listed), found }
    }

    /// Those of now, in the order in which they are asked. If they cannot be found, those that were known last, and why.
    pub(super) async fn now(&self) -> (Vec<Arc<Asked>>, Option<(String, String)>) {
        let Some((what, finders, patience)) = &self.found else { return (self.known.lock().clone(), None) };
        match find(what, &**finders, *patience).await {
            Ok(found) => (self.take(found), None),
            Err(why) => (self.known.lock().clone(), Some((what.to_string(), why))),
        }
    }

    /// This one told its schema: of those that are found it is asked first from now on, so that during a rolling update it is
    /// not chance whose schema is in force.
    pub(super) fn told(&self, endpoint: &Arc<Asked>) {
        if self.found.is_some() {
            let mut known = self.known.lock();
            if let Some(at) = known.iter().position(|known| Arc::ptr_eq(known, endpoint)) {
                known[..=at].rotate_right(1);
            }
        }
    }

    /// These are there now. The connections to those that stay are kept, and so is who told its schema last.
    fn take(&self, found: Found) -> Vec<Arc<Asked>> {
        let mut places = found.places;
        places.truncate(ENDPOINTS_MAX);
        // What gets no calls is on its way out.
        if places.iter().any(|place| place.weight > 0) {
            places.retain(|place| place.weight > 0);
        }
        let mut known = self.known.lock();
        let mut last = known.first().cloned();
        let mut now: Vec<Arc<Asked>> = Vec::with_capacity(places.len());
        for Place { host, port, .. } in places {
            let address = Endpoint { host, port };
            let name = address.to_string();
            if now.iter().any(|other| other.name == name) {
                continue;
            }
            let same = known.iter().find(|known| known.name == name);
            now.push(same.cloned().unwrap_or_else(|| asked(&self.pool, &address)));
        }
        if let Some(at) = last.take().and_then(|last| now.iter().position(|one| Arc::ptr_eq(one, &last))) {
            now[..=at].rotate_right(1);
        }
        known.clone_from(&now);
        now
    }
}

fn asked(pool: &Config, address: &Endpoint) -> Arc<Asked> {
    let pool = Upstream::new(Config { endpoints: vec![address.clone()], ..pool.clone() });
    Arc::new(Asked { name: address.to_string(), pool })
}

/// The endpoints of now. Who finds them is let go again: a question now and then needs no watch of its own.
async fn find(what: &Discovery, finders: &dyn Finders, patience: Duration) -> Result<Found, String> {
    let mut finder = finders.open(what)?;
    match timeout(patience, finder.next()).await {
        Ok(found) => found.map_err(|lost| lost.0),
        Err(_) => Err(format!("its endpoints were not found within {patience:?}")),
    }
}
