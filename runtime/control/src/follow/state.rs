//! How followed schemas stand, for people.

use crate::reflection::Fetched;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use tidegate_protojson::Schema;
use tidegate_telemetry::access_log::rfc3339;
use tokio::sync::watch;

/// How each followed upstream stands; shared by the one who follows and the admin port.
#[derive(Debug, Default)]
pub struct SchemaStates {
    states: watch::Sender<Vec<SchemaState>>,
    /// By upstream.
    told: Mutex<BTreeMap<String, Told>>,
}

/// A schema that is in force.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// How we know it.
    pub(crate) origin: Origin,
    /// It, compiled.
    pub(crate) schema: Arc<Schema>,
}

/// How a schema is known.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The upstream told it to this process.
    Upstream(Fetched),
    /// It told it to one before, last at this time.
    Disk(SystemTime),
}

/// How one upstream stands. `Display` is a line of `/readyz?verbose`, without its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// The upstream's name.
    pub upstream: String,
    /// The schema in force; `None` if none is.
    pub in_force: Option<InForce>,
    /// Why what is in force may not be what the upstream serves.
    pub trouble: Option<String>,
}

/// A schema that is in force, in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Who told it.
    pub teller: Teller,
    /// How many services it has.
    pub services: usize,
}

/// Who told a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Teller {
    /// This endpoint.
    Endpoint(String),
    /// The upstream before the program was started, last at this time: it was kept on disk.
    Kept(SystemTime),
}

// === impl SchemaStates ===

impl SchemaStates {
    /// From now on it is about these upstreams, of which nothing is known.
    pub(super) fn reset(&self, upstreams: impl Iterator<Item = String>) {
        let state = |upstream| SchemaState { upstream, in_force: None, trouble: None };
        self.told.lock().clear();
        self.states.send_replace(upstreams.map(state).collect());
    }

    /// What this upstream told, if it is in force.
    pub(crate) fn told(&self, upstream: &str) -> Option<Told> {
        self.told.lock().get(upstream).cloned()
    }

    /// How all stand now, in the order of the config.
    #[must_use]
    pub fn all(&self) -> Vec<SchemaState> {
        self.states.borrow().clone()
    }

    /// Tells of every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Vec<SchemaState>> {
        self.states.subscribe()
    }

    pub(super) fn in_force(&self, at: usize, told: Told) {
        self.states.send_modify(|states| {
            if let Some(state) = states.get_mut(at) {
                let teller = match &told.origin {
                    Origin::Upstream(fetched) => Teller::Endpoint(fetched.endpoint.clone()),
                    Origin::Disk(at) => Teller::Kept(*at),
                };
                state.in_force = Some(InForce { teller, services: told.schema.services().len() });
                state.trouble = None;
                self.told.lock().insert(state.upstream.clone(), told);
            }
        });
    }

    pub(super) fn in_trouble(&self, at: usize, trouble: Option<String>) {
        self.states.send_modify(|states| {
            if let Some(state) = states.get_mut(at) {
                state.trouble = trouble;
            }
        });
    }

    /// What a fetch that comes to nothing means for requests.
    pub(super) fn consequence(&self, at: usize) -> &'static str {
        match self.states.borrow().get(at).and_then(|state| state.in_force.as_ref()).map(|known| &known.teller) {
            Some(Teller::Endpoint(_)) => "the one before it stays in force",
            Some(Teller::Kept(_)) => "the one that was kept stays in force",
            None => "its routes answer 503",
        }
    }
}

// === impl SchemaState ===

impl SchemaState {
    /// A schema is in force, and it is the one that the upstream told last.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.trouble.is_none() && matches!(self.in_force, Some(InForce { teller: Teller::Endpoint(_), .. }))
    }
}

impl fmt::Display for SchemaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema of {}: ", self.upstream)?;
        let teller = self.in_force.as_ref().map(|known| (&known.teller, known.services));
        match (teller, &self.trouble) {
            (Some((Teller::Endpoint(endpoint), services)), None) => {
                let noun = if services == 1 { "service" } else { "services" };
                write!(f, "{services} {noun}, told by {endpoint}")
            }
            (Some((Teller::Endpoint(_), _)), Some(trouble)) => {
                write!(f, "an earlier one stays in force: {trouble}")
            }
            (Some((Teller::Kept(at), _)), trouble) => {
                let why = trouble.as_deref().unwrap_or("the upstream is not asked yet");
                write!(f, "an earlier one from disk is in force, last told {}: {why}", rfc3339(*at))
            }
            (None, Some(trouble)) => write!(f, "unknown, its routes answer 503: {trouble}"),
            (None, None) => f.write_str("not asked yet"),
        }
    }
}
