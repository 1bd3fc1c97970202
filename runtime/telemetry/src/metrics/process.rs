//! Which build runs.

use std::fmt;

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::family;

/// The version of the program, shown as `tidegate_build_info{version="…"} 1`.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) version: &'static str,
}

impl Collector for Build {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        family::gauges(
            &mut encoder,
            ("build_info", "The version that runs; always 1."),
            [([("version", self.version)], 1)],
        )
    }
}
