//! Which config is in force, and how the last attempt to change it went.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::SystemTime,
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::family::{self, level};
use crate::clock;

/// The state of the config, told by whoever loads it.
#[derive(Debug, Default)]
pub struct Config {
    generation: AtomicU64,
    accepted: AtomicU64,
    rejected: AtomicU64,
    last_accepted: AtomicBool,
    last_accepted_ms: AtomicU64,
    source_away: AtomicBool,
}

impl Config {
    /// A config came into force as `generation` at `now`.
    pub fn accepted(&self, generation: u64, now: SystemTime) {
        self.generation.store(generation, Ordering::Relaxed);
        self.last_accepted_ms.store(clock::unix_ms(now), Ordering::Relaxed);
        self.last_accepted.store(true, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// The config is the same, but schemas that it names have changed: `generation` is in force.
    pub fn schemas_changed(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Whether the source of the config could be read when it was last asked.
    pub fn source_read(&self, read: bool) {
        self.source_away.store(!read, Ordering::Relaxed);
    }

    /// A config was refused; the one before it stays.
    pub fn rejected(&self) {
        self.last_accepted.store(false, Ordering::Relaxed);
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for Config {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        family::gauge(
            encoder,
            (
                "config_generation",
                "The config in force; grows with each, and each schema of its upstreams, that is accepted.",
            ),
            level(self.generation.load(Ordering::Relaxed)),
        )?;
        family::counters(
            encoder,
            ("config_loads", "Configs that were accepted or rejected."),
            [
                ([("result", "accepted")], self.accepted.load(Ordering::Relaxed)),
                ([("result", "rejected")], self.rejected.load(Ordering::Relaxed)),
            ],
        )?;
        family::gauge(
            encoder,
            ("config_last_load_accepted", "Whether the last load was accepted."),
            i64::from(self.last_accepted.load(Ordering::Relaxed)),
        )?;
        family::gauge(
            encoder,
            ("config_source_up", "Whether the source of the config could be read when it was last asked."),
            i64::from(!self.source_away.load(Ordering::Relaxed)),
        )?;
        family::gauge(
            encoder,
            (
                "config_last_accepted_timestamp_seconds",
                "When the config in force was accepted, in seconds since the Unix epoch.",
            ),
            level(self.last_accepted_ms.load(Ordering::Relaxed) / 1_000),
        )
    }
}
