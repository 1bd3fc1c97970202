//! Which plans are the same one.

use super::Plan;
use crate::split::{Split, SplitKey};
use std::fmt::Write as _;
use xxhash_rust::xxh3::xxh3_64;

/// The name under which a plan is kept where it outlives a process, or is walked by several: `NAME@` and 16 hexadecimal
/// digits. Two plans have the same key if they have the same name, steps and criteria and send the same users to the
/// same upstream: what a reload leaves where it is. The same in every process and version.
#[must_use]
pub fn key(name: &str, to: &str, plan: &Plan, split: Option<&Split>) -> String {
    // Each text with its length before it, so that no two lists of texts read alike.
    let mut all = String::new();
    let mut put = |text: &str| {
        let _ = write!(all, "{}:{text},", text.len());
    };
    put(name);
    put(to);
    match split.map(|split| &split.key) {
        None => put("none"),
        Some(SplitKey::Header(header)) => put(&format!("header {header}")),
        Some(SplitKey::Cookie(cookie)) => put(&format!("cookie {cookie}")),
    }
    put(split.map_or("", |split| &split.salt));
    let Plan { steps, hold, min_samples, max_error_rate, max_p99_ratio_milli } = plan;
    for step in steps {
        put(&step.billionths().to_string());
    }
    put(&format!("{} {min_samples} {} {max_p99_ratio_milli}", hold.as_nanos(), max_error_rate.billionths()));
    format!("{name}@{:016x}", xxh3_64(all.as_bytes()))
}
