//! Whether something happens in a folder.

use inotify::{EventStream, Inotify, WatchDescriptor, WatchMask};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tokio_stream::StreamExt as _;

/// How long to wait after the first event, for what belongs to it. Later events do not extend it.
pub(crate) const SETTLE: Duration = Duration::from_millis(100);
/// How often to look without an event: some file systems tell of none.
const LOOK: Duration = Duration::from_secs(5);
/// The same where nothing can be watched.
const LOOK_ALWAYS: Duration = Duration::from_millis(500);
/// How many links are followed from one to the next.
const LINKS: usize = 16;
/// How often files that are being written are waited for. Then they are taken as they are: something writes
/// them always.
const WAITS: usize = 5;
/// The most folders that are watched.
const FOLDERS: usize = 4096;

/// Watches folders, not what is below them.
pub(crate) struct Watch {
    events: Option<EventStream<[u8; 4096]>>,
    watched: BTreeMap<PathBuf, WatchDescriptor>,
    /// When an event that has come is to be told.
    due: Option<Instant>,
}

impl Watch {
    /// Watches nothing yet. Must be called within a runtime.
    pub(crate) fn new() -> Self {
        let events = Inotify::init().and_then(|inotify| inotify.into_event_stream([0; 4096]));
        let events = events.inspect_err(|error| {
            tracing::warn!(%error, "folders cannot be watched: files are read twice a second instead");
        });
        Self { events: events.ok(), watched: BTreeMap::new(), due: None }
    }

    /// Watches these folders and no others. What is not there is left out.
    pub(crate) fn set(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(events) = &self.events else { return };
        let mut watches = events.watches();
        self.watched.retain(|folder, descriptor| {
            let stays = folders.contains(folder);
            if !stays {
                // Fails if the folder is gone, and the watch with it.
                let _ = watches.remove(descriptor.clone());
            }
            stays
        });
        for folder in folders.into_iter().take(FOLDERS) {
            // Added even if it is known: behind the same name there may be another folder by now.
            let mask = WatchMask::CLOSE_WRITE
                | WatchMask::CREATE
                | WatchMask::DELETE
                | WatchMask::MOVE
                | WatchMask::DELETE_SELF
                | WatchMask::MOVE_SELF
                | WatchMask::ONLYDIR;
            if let Ok(descriptor) = watches.add(&folder, mask) {
                self.watched.insert(folder, descriptor);
            }
        }
    }

    /// Waits until something may have changed.
    ///
    /// # Cancel safety
    /// An event that has come is told by the next call.
    pub(crate) async fn changed(&mut self) {
        if self.due.is_none() {
            let look = if self.events.is_some() { LOOK } else { LOOK_ALWAYS };
            let event = async {
                match &mut self.events {
                    Some(events) => drop(events.next().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = event => {}
                () = tokio::time::sleep(look) => return,
            }
            self.due = Some(clock::now() + SETTLE);
        }
        if let Some(due) = self.due {
            tokio::time::sleep_until(due.into()).await;
        }
        self.due = None;
        if let Some(events) = &mut self.events {
            while tokio::time::timeout(Duration::ZERO, events.next()).await.is_ok_and(|event| event.is_some()) {}
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("watched", &self.watched.keys()).finish_non_exhaustive()
    }
}

/// The folders in which something must happen for the content at `path` to change: those of the file and of
/// every link on the way to it; of a folder itself, and those of what is in it.
pub(crate) fn points(path: &Path) -> BTreeSet<PathBuf> {
    let mut points = BTreeSet::new();
    add_links(path, &mut points);
    if path.is_dir() {
        points.insert(path.to_owned());
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten().take(FOLDERS) {
            if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                add_links(&entry.path(), &mut points);
            }
        }
    }
    points
}

fn add_links(path: &Path, points: &mut BTreeSet<PathBuf>) {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new(".").to_owned(),
            Some(folder) => folder.to_owned(),
            None => return,
        };
        points.insert(folder.clone());
        match std::fs::read_link(&path) {
            Ok(target) => path = folder.join(target),
            Err(_) => return,
        }
    }
}

/// Waits until files have been left alone for [`SETTLE`], a few times.
///
/// A file that is being written in place is first emptied and then filled: whoever reads it meanwhile has
/// nothing or a part of it, and finds out by its time afterwards.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    waits: usize,
}

impl Rest {
    /// Whether it was waited, after the youngest of these files was read: then read again.
    pub(crate) async fn disturbed<'p>(&mut self, files: impl Iterator<Item = &'p Path>) -> bool {
        let written = files.filter_map(|file| std::fs::metadata(file).ok()?.modified().ok()).max();
        // A time in the future, of another machine's clock, counts as now.
        let age = written.map(|written| clock::wall().duration_since(written).unwrap_or_default());
        let young = age.filter(|age| *age < SETTLE && self.waits < WAITS);
        if let Some(age) = young {
            self.waits += 1;
            tokio::time::sleep(SETTLE - age).await;
        }
        young.is_some()
    }
}
