//! The files that a config names: descriptors, `.proto` folders, http rules, rules of the rate limit service, certificates
//! of stores.

use super::watch::{self, Rest, Watch};
use crate::config::{Loaded, Store};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use tidegate_gateway::config::SchemaSource;

/// The deepest folder below one that is named.
const DEPTH: usize = 32;

/// Tells when the content of one of them is another.
#[derive(Debug)]
pub(crate) struct Named {
    watch: Watch,
    paths: Vec<PathBuf>,
    /// Of all content.
    fingerprint: u64,
}

impl Named {
    /// None yet. Must be called within a runtime.
    pub(crate) fn new() -> Self {
        Self { watch: Watch::new(), paths: Vec::new(), fingerprint: 0 }
    }

    /// Those that `config` names, and no others, as they were when [`fingerprint`] was taken.
    pub(crate) fn set(&mut self, config: &Loaded, fingerprint: u64) {
        self.paths = paths(config);
        self.fingerprint = fingerprint;
    }

    /// Waits until one of them has changed.
    ///
    /// # Cancel safety
    /// A change is told by the next call.
    pub(crate) async fn changed(&mut self) {
        if self.paths.is_empty() {
            std::future::pending::<()>().await;
        }
        let mut rest = Rest::default();
        loop {
            let now = self.look().await;
            if now != self.fingerprint {
                let paths = self.paths.clone();
                let files = tokio::task::spawn_blocking(move || files(&paths)).await.unwrap_or_default();
                if rest.disturbed(files.iter().map(PathBuf::as_path)).await {
                    continue;
                }
                self.fingerprint = now;
                return;
            }
            self.watch.changed().await;
            rest = Rest::default();
        }
    }

    /// Watches all folders that there are now, and reads what is in them.
    async fn look(&mut self) -> u64 {
        let paths = self.paths.clone();
        let folders = tokio::task::spawn_blocking(move || folders(&paths)).await.unwrap_or_default();
        self.watch.set(folders);
        let paths = self.paths.clone();
        let fingerprint = tokio::task::spawn_blocking(move || fingerprint_of(&paths)).await;
        fingerprint.unwrap_or(self.fingerprint)
    }
}

/// Tells whether the content of a file that `config` names is another. Reads them all.
pub(crate) fn fingerprint(config: &Loaded) -> u64 {
    fingerprint_of(&paths(config))
}

fn paths(config: &Loaded) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for upstream in &config.config.upstreams {
        match &upstream.schema.source {
            SchemaSource::Proto(folders) => paths.extend(folders.iter().cloned()),
            SchemaSource::DescriptorSet(file) => paths.push(file.clone()),
            SchemaSource::None | SchemaSource::Like(_) | SchemaSource::Reflection(_) => {}
        }
        paths.extend(upstream.schema.http_rules.iter().map(|(file, _)| PathBuf::from(file)));
    }
    paths.extend(config.stores.iter().flat_map(Store::files).map(|file| file.path.clone()));
    paths.extend(config.rate_limit_service.iter().flat_map(|service| service.files.iter().cloned()));
    paths.sort();
    paths.dedup();
    paths
}

fn folders(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for path in paths {
        each(path, 0, &mut |path| all.extend(watch::points(path)));
    }
    all
}

fn fingerprint_of(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files(paths) {
        let content = std::fs::read(&file).unwrap_or_default();
        hasher.write(file.as_os_str().as_encoded_bytes());
        hasher.write_usize(content.len());
        hasher.write(&content);
    }
    hasher.finish()
}

fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        each(path, 0, &mut |path| all.extend(path.is_file().then(|| path.to_owned())));
    }
    all
}

/// What files in folders are called that are read.
const READ: [&str; 3] = ["proto", "yaml", "yml"];

/// The file at `path`; or the folder, the folders below it, and their files that are read, in order.
fn each(path: &Path, depth: usize, visit: &mut impl FnMut(&Path)) {
    visit(path);
    if depth > DEPTH || !path.is_dir() {
        return;
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.retain(|entry| entry.is_dir() || entry.extension().is_some_and(|is| READ.iter().any(|read| is == *read)));
    entries.sort();
    for entry in entries {
        each(&entry, depth + 1, visit);
    }
}
