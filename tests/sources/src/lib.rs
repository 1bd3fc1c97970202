//! Servers that keep configs or limits, for tests, and the story that every config source has to tell right.
//!
//! **Owns** starting, stopping and pausing real servers ([`etcd::Etcd`], [`apollo::Apollo`],
//! [`redis::Redis`]) and proxies ([`envoy::Envoy`]), the way between
//! them and a client that can be cut ([`relay::Relay`]), the [`contract`] of sources as code that waits, and that of
//! [boards](board).
//!
//! **Does not** install anything: `cargo xtask test` does, into the cache folder. Where a server is missing its
//! tests are left out, which under `CI=true` is a failure.
#![forbid(unsafe_code)]

pub mod apollo;
pub mod board;
pub mod certificates;
pub mod contract;
pub mod envoy;
pub mod etcd;
pub mod process;
pub mod redis;
pub mod relay;

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a test waits for what has to come. Far more than it takes, for machines that are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A file that `cargo xtask test` puts into its cache folder. `None`, and a line that says so, if it is not there.
///
/// # Panics
/// It is not there, under `CI=true`: there nothing may be left out.
#[must_use]
pub fn installed(file: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/sources/ stands in the root");
    let cache = std::env::var_os("TIDEGATE_CACHE").map_or(root.join(".cache"), PathBuf::from);
    let path = cache.join(file);
    if path.exists() {
        return Some(path);
    }
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!in_ci, "{} is not there", path.display());
    eprintln!("LEFT OUT: {} is not there. `cargo xtask test` installs what it needs.", path.display());
    None
}
