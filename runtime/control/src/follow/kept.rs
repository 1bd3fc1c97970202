//! Schemas on disk: what upstreams told last, for a start while one of them is away.
//!
//! One file for each upstream, a plain `google.protobuf.FileDescriptorSet`. Its time of modification is when the
//! upstream told it last.

use super::state::Origin;
use super::{Follower, Told};
use crate::generations::StateFolder;
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tidegate_telemetry::clock;

const PREFIX: &str = "schema-";
const SUFFIX: &str = ".pb";

/// The schemas in a state folder.
#[derive(Clone, Debug)]
pub(super) struct Kept(StateFolder);

// === impl Kept ===

impl Kept {
    pub(super) fn new(folder: StateFolder) -> Self {
        Self(folder)
    }

    /// The name of an upstream has no characters that a file's may not have: the config's rules see to it.
    fn file(&self, upstream: &str) -> PathBuf {
        self.0.path(&file_name(upstream))
    }

    /// What this upstream told last, and when; `None` if nothing is kept of it.
    fn load(&self, upstream: &str) -> io::Result<Option<(Bytes, SystemTime)>> {
        let mut file = match File::open(self.file(upstream)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut set = Vec::new();
        file.read_to_end(&mut set)?;
        Ok(Some((set.into(), file.metadata()?.modified()?)))
    }

    /// Keeps what this upstream told, whole or not at all. What is there already is only told again.
    fn save(&self, upstream: &str, set: &[u8], now: SystemTime) -> io::Result<()> {
        match self.load(upstream) {
            Ok(Some((known, _))) if known == set => {
                File::options().write(true).open(self.file(upstream))?.set_modified(now)
            }
            _ => self.0.write(&file_name(upstream), set),
        }
    }

    /// Forgets upstreams that are not among these.
    fn retain(&self, upstreams: &[String]) -> io::Result<()> {
        let known: Vec<String> = upstreams.iter().map(|upstream| file_name(upstream)).collect();
        let ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
        for entry in fs::read_dir(self.0.folder())? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| ours(name) && !known.iter().any(|known| known == name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn file_name(upstream: &str) -> String {
    format!("{PREFIX}{upstream}{SUFFIX}")
}

// === impl Follower ===

impl Follower {
    /// Keeps what upstreams tell in this folder, and begins with what is there where they do not answer.
    #[must_use]
    pub fn keeping(mut self, folder: Option<StateFolder>) -> Self {
        self.kept = folder.map(Kept::new);
        self
    }

    /// Puts what was kept in force for upstreams that have told nothing usable.
    pub(crate) async fn fall_back(&mut self) {
        let Some(kept) = self.kept.clone() else { return };
        for at in 0..self.followed.len() {
            let name = self.followed[at].name.clone();
            if self.states.told(&name).is_some() {
                continue;
            }
            let (folder, upstream) = (kept.clone(), name.clone());
            let loaded = blocking(move || folder.load(&upstream)).await;
            let compiled = match loaded {
                Ok(None) => continue,
                Ok(Some((set, told_at))) => self.compile(at, &set).await.map(|compiled| (compiled, told_at)),
                Err(error) => Err(error.to_string()),
            };
            let file = kept.file(&name);
            match compiled {
                Ok((compiled, told_at)) => {
                    let told = Told { origin: Origin::Disk(told_at), schema: Arc::clone(&compiled.schema) };
                    let Some(generation) = self.put_in_force(at, compiled, told) else { return };
                    let age = age(clock::wall().duration_since(told_at).unwrap_or_default());
                    tracing::warn!(
                        upstream = name,
                        file = %file.display(),
                        generation,
                        "the schema that the upstream told last is in force, from disk, {age} old: \
                         it is asked again and again"
                    );
                    self.followed[at].figures.kept();
                }
                Err(why) => {
                    tracing::error!(
                        upstream = name,
                        file = %file.display(),
                        reason = why,
                        "the schema that the upstream told last cannot be used from disk"
                    );
                }
            }
        }
    }

    /// Writes what upstreams have told since.
    pub(super) async fn keep(&mut self) {
        let Some(kept) = self.kept.clone() else { return };
        for followed in self.followed.iter_mut().filter(|followed| followed.to_keep) {
            followed.to_keep = false;
            let Some(Told { origin: Origin::Upstream(fetched), .. }) = self.states.told(&followed.name) else {
                continue;
            };
            let (folder, upstream, now) = (kept.clone(), followed.name.clone(), clock::wall());
            let saved = blocking(move || folder.save(&upstream, &fetched.descriptor_set, now)).await;
            let trouble = saved.err().map(|error| error.to_string());
            if let Some(why) = trouble.as_ref().filter(|why| followed.not_kept.as_ref() != Some(*why)) {
                let file = kept.file(&followed.name);
                tracing::error!(
                    upstream = followed.name,
                    file = %file.display(),
                    reason = why,
                    "the schema cannot be kept for the next start"
                );
            }
            followed.not_kept = trouble;
        }
    }

    /// Forgets upstreams that are followed no more.
    pub(super) async fn forget_others(&self) {
        let Some(kept) = self.kept.clone() else { return };
        let names: Vec<String> = self.followed.iter().map(|followed| followed.name.clone()).collect();
        if let Err(error) = blocking(move || kept.retain(&names)).await {
            tracing::error!(%error, "schemas of upstreams that are gone cannot be removed from the state folder");
        }
    }
}

/// Off this thread: disks can be slow.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// In one unit, rounded down.
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
