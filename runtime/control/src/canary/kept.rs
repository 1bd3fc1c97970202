//! Plans on disk, beside the config that was in force last: a plan goes on where it was after a restart.

use crate::generations::StateFolder;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_gateway::canary::Walk;
use tidegate_telemetry::clock;
use tidegate_traffic::plan::State;

/// The file's name in its folder.
const FILE: &str = "plans.json";
/// The version of the file's form.
const VERSION: u32 = 1;
/// What was decided is kept at once, what was counted as often as this.
const COUNTS_EVERY: Duration = Duration::from_secs(10);

/// The states of plans, by their keys.
type States = BTreeMap<String, State>;

/// Keeps plans in a folder.
pub(super) struct Kept {
    folder: StateFolder,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    states: States,
    at: Option<Instant>,
    trouble: Option<String>,
    /// The file has plans of another process. Those that are not in force must not be found by a later one.
    is_foreign: bool,
}

/// The file's form: of each plan the lines of its state.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// When it was written, in milliseconds since the Unix epoch.
    at_ms: u64,
    plans: BTreeMap<String, Vec<String>>,
}

impl Kept {
    pub(super) fn new(folder: StateFolder) -> Self {
        Self { folder, last: Mutex::default() }
    }

    /// Brings plans to where they were. What cannot be read is told, and begins anew.
    pub(super) fn restore(&self, walks: &[Arc<Walk>]) {
        let file = self.folder.path(FILE);
        self.last.lock().is_foreign = true;
        let kept = match self.read() {
            Ok(None) => return,
            Ok(Some(kept)) => kept,
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "canaries begin anew: where they were cannot be read");
                return;
            }
        };
        for walk in walks {
            let Some(lines) = kept.plans.get(walk.key()) else { continue };
            match lines.join("\n").parse() {
                Ok(state) => walk.resume(state, Duration::from_millis(kept.at_ms)),
                Err(error) => {
                    let plan = walk.name();
                    tracing::error!(file = %file.display(), plan, %error, "the canary begins anew: where it was cannot be read");
                }
            }
        }
    }

    fn read(&self) -> io::Result<Option<File>> {
        let Some(file) = self.folder.read::<File>(FILE)? else { return Ok(None) };
        if file.version == VERSION {
            return Ok(Some(file));
        }
        let message = format!("it has version {}; this program knows {VERSION}", file.version);
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }

    /// Writes down where plans are, if it is another place than before; with `now` in any case, if there are any.
    pub(super) async fn keep(&self, walks: &[Arc<Walk>], now: bool) {
        let states: States = walks.iter().map(|walk| (walk.key().to_owned(), walk.state())).collect();
        if !self.is_due(&states, now) {
            return;
        }
        let lines = |state: &State| state.to_string().lines().map(str::to_owned).collect();
        let plans = states.iter().map(|(key, state)| (key.clone(), lines(state))).collect();
        let (folder, file) =
            (self.folder.clone(), File { version: VERSION, at_ms: clock::unix_ms(clock::wall()), plans });
        let written = tokio::task::spawn_blocking(move || folder.write_json(FILE, &file)).await;
        let written = written.unwrap_or_else(|_| Err(io::Error::other("writing it ended without an error")));
        let trouble = written.err().map(|error| error.to_string());
        let mut last = self.last.lock();
        if let Some(error) = trouble.as_ref().filter(|error| last.trouble.as_ref() != Some(error)) {
            let file = self.folder.path(FILE);
            tracing::error!(file = %file.display(), error, "where canaries are cannot be kept for the next start");
        }
        // What could not be written is tried again with the next decision, or in a while.
        *last = Last { states, at: Some(clock::now()), trouble, is_foreign: false };
    }

    fn is_due(&self, states: &States, now: bool) -> bool {
        let last = self.last.lock();
        if last.is_foreign && self.folder.path(FILE).exists() {
            return true;
        }
        let decided = |(key, state): (&String, &State)| (key.clone(), state.revision, state.entered);
        if !last.states.iter().map(decided).eq(states.iter().map(decided)) {
            return true;
        }
        let is_long_ago = last.at.is_none_or(|at| clock::now().saturating_duration_since(at) >= COUNTS_EVERY);
        let is_news = *states != last.states || last.trouble.is_some();
        (now && !states.is_empty()) || (is_news && is_long_ago)
    }
}
