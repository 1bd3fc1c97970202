//! How the schemas that upstreams tell of themselves are followed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use parking_lot::Mutex;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::family::{self, level};
use crate::clock;

/// How a fetch of a schema ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// It is another one, and in force now.
    Accepted,
    /// It is the same as before.
    Unchanged,
    /// It is another one, and cannot be used; the one before it stays.
    Rejected,
    /// The upstream could not be asked, or its answers make no schema.
    Failed,
}

/// The figures of one upstream whose schema is followed.
#[derive(Debug)]
pub struct Schema {
    upstream: Box<str>,
    in_force: AtomicBool,
    last_current: AtomicBool,
    last_answered_ms: AtomicU64,
    fetches: [AtomicU64; Fetch::NAMES.len()],
}

/// The upstreams of the process whose schemas are followed.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    all: Mutex<Vec<Arc<Schema>>>,
}

// === impl Fetch, Schema ===

impl Fetch {
    const NAMES: [&str; 4] = ["accepted", "unchanged", "rejected", "failed"];
}

impl Schema {
    /// One that was told before the start came into force: nobody knows whether the upstream still has it.
    pub fn kept(&self) {
        self.in_force.store(true, Relaxed);
    }

    /// A fetch ended at `now`. `current`: what is in force is what the upstream has said last.
    pub fn fetched(&self, fetch: Fetch, current: bool, now: SystemTime) {
        self.fetches[fetch as usize].fetch_add(1, Relaxed);
        self.last_current.store(current, Relaxed);
        if fetch == Fetch::Accepted {
            self.in_force.store(true, Relaxed);
        }
        if fetch != Fetch::Failed {
            self.last_answered_ms.store(clock::unix_ms(now), Relaxed);
        }
    }
}

// === impl Schemas ===

impl Schemas {
    /// The figures of `upstream`, the same for the same name.
    pub(super) fn schema(&self, upstream: &str) -> Arc<Schema> {
        let mut all = self.all.lock();
        if let Some(known) = all.iter().find(|schema| &*schema.upstream == upstream) {
            return Arc::clone(known);
        }
        let new = Arc::new(Schema {
            upstream: upstream.into(),
            in_force: AtomicBool::new(false),
            last_current: AtomicBool::new(false),
            last_answered_ms: AtomicU64::new(0),
            fetches: Default::default(),
        });
        all.push(Arc::clone(&new));
        new
    }
}

impl Collector for Schemas {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.all.lock();
        // Nothing is shown where nothing is followed.
        if all.is_empty() {
            return Ok(());
        }
        let encoder = &mut encoder;
        let gauges = |value: fn(&Schema) -> i64| all.iter().map(move |s| ([("upstream", &*s.upstream)], value(s)));
        family::gauges(
            encoder,
            ("schema_in_force", "Whether a schema of the upstream is in force."),
            gauges(|schema| i64::from(schema.in_force.load(Relaxed))),
        )?;
        family::gauges(
            encoder,
            ("schema_current", "Whether the last fetch found the schema in force, or one that came into force."),
            gauges(|schema| i64::from(schema.last_current.load(Relaxed))),
        )?;
        family::gauges(
            encoder,
            (
                "schema_last_answered_timestamp_seconds",
                "When the upstream last told its schema, in seconds since the Unix epoch.",
            ),
            gauges(|schema| level(schema.last_answered_ms.load(Relaxed) / 1_000)),
        )?;
        family::counters(
            encoder,
            ("schema_fetches", "Fetches of the upstream's schema, by how they ended."),
            all.iter().flat_map(|schema| {
                Fetch::NAMES.iter().zip(&schema.fetches).map(|(result, count)| {
                    ([("upstream", &*schema.upstream), ("result", *result)], count.load(Relaxed))
                })
            }),
        )
    }
}
