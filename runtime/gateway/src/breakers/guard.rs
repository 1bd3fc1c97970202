//! One breaker of a route, or one for each key: it lets calls pass, tells what it does, and takes commands.

use crate::answer::{Answer, Refusal};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tidegate_telemetry::metrics::breakers::{self, Figures, KeyFigures};
use tidegate_telemetry::{clock, random};
use tidegate_traffic::breaker::{Breaker, Change, Keeps, Keyed, Outcome, Permit, Settings, State};
use tidegate_transcode::{Code, Status};

/// Changes that are kept to be shown.
const CHANGES_MAX: usize = 20;
/// Longer values of a key have no breaker of their own.
const KEY_BYTES: usize = 128;

/// The breaker of a route's calls to one upstream, or one for each key: for all workers, and for all configs that
/// have the route.
#[derive(Debug)]
pub struct Guard {
    name: String,
    route: String,
    upstream: String,
    /// As the config says what is judged together.
    by: String,
    /// Of all calls, or of those that have no key.
    rest: Arc<One>,
    keys: Option<Keyed<One>>,
    /// From when its machines count time.
    origin: Instant,
    refused: AtomicU64,
    /// How often it was answered by a fallback: a static one, another upstream.
    fallbacks: [AtomicU64; 2],
    told: Mutex<Told>,
}

/// The breaker of one key.
#[derive(Debug)]
struct One {
    key: Option<Box<str>>,
    breaker: Arc<Breaker>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Told {
    changes: VecDeque<Changed>,
    /// How often it came into each state, in the order of [`State::ALL`].
    entered: [u64; State::ALL.len()],
    /// What was commanded for all keys, those that come later included.
    standing: Option<Command>,
}

/// A change, and when it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// When.
    pub at: SystemTime,
    /// The key whose breaker it is, if there is one for each.
    pub key: Option<Box<str>>,
    /// What.
    pub change: Change,
}

/// What one key's breaker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// The value of the key.
    pub key: Box<str>,
    /// What it does with calls.
    pub state: State,
    /// Calls that it did not let pass.
    pub refused: u64,
}

/// A command for a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// No call passes until the next command.
    Open,
    /// Closed with nothing counted; it works by itself from there.
    Close,
    /// Every call passes until the next command.
    Disable,
}

/// A command that cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A key was named where there are none.
    #[error("this breaker has no keys")]
    NoKeys,
    /// All places are taken by breakers that keep calls away, or the key is too long.
    #[error("there is no place for a breaker of this key")]
    NoPlace,
}

/// What answers in place of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    Answer,
    Upstream,
}

/// A call that was admitted. Dropped, it gives its place back.
#[derive(Debug)]
pub(crate) struct Admitted {
    guard: Arc<Guard>,
    one: Arc<One>,
    permit: Permit,
    /// By the guard's clock.
    begun: Duration,
}

impl Instead {
    /// The word for it in metrics, the access log and the debug header.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Upstream => "upstream",
        }
    }
}

// === impl Guard ===

impl Guard {
    /// `max_keys` is 0 if it is one for all calls.
    pub(super) fn new(route: &str, upstream: &str, by: String, max_keys: usize, settings: Settings) -> Self {
        Self {
            name: format!("{route}/{upstream}"),
            route: route.into(),
            upstream: upstream.into(),
            by,
            rest: Arc::new(One::new(None, settings)),
            keys: (max_keys > 0).then(|| Keyed::new(max_keys, random::u64())),
            origin: clock::now(),
            refused: AtomicU64::new(0),
            fallbacks: Default::default(),
            told: Mutex::default(),
        }
    }

    /// `route/upstream`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The route: a service or a path, with its host if it has one.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The upstream that is called; `*` if it judges the calls to all of them.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// What is judged together, as the config has it.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// What it does with calls; where there is one for each key, with those that have none.
    #[must_use]
    pub fn state(&self) -> State {
        self.rest.breaker.state()
    }

    /// The keys that have a breaker, sorted; `None` if there is one for all calls.
    #[must_use]
    pub fn keys(&self) -> Option<Vec<KeyState>> {
        let state = |(key, one): (Box<str>, Arc<One>)| KeyState {
            key,
            state: one.breaker.state(),
            refused: one.refused.load(Ordering::Relaxed),
        };
        Some(self.keys.as_ref()?.all().into_iter().map(state).collect())
    }

    /// The last changes, the newest last.
    #[must_use]
    pub fn changes(&self) -> Vec<Changed> {
        self.told.lock().changes.iter().cloned().collect()
    }

    /// Does what somebody wants; of one key, or of all and of those that come later.
    ///
    /// # Errors
    /// There is no such key.
    pub fn command(&self, key: Option<&str>, command: Command) -> Result<(), CommandError> {
        if let Some(key) = key {
            let keys = self.keys.as_ref().ok_or(CommandError::NoKeys)?;
            let one = self.one(keys, key).ok_or(CommandError::NoPlace)?;
            self.obey(&one, command);
            return Ok(());
        }
        self.told.lock().standing = Some(command).filter(|command| *command != Command::Close);
        self.obey(&self.rest, command);
        for (_, one) in self.keys.iter().flat_map(Keyed::all) {
            self.obey(&one, command);
        }
        Ok(())
    }

    fn obey(&self, one: &One, command: Command) {
        self.tell(one, one.obey(command));
    }

    /// The breaker of a key, if it has a place.
    fn one(&self, keys: &Keyed<One>, key: &str) -> Option<Arc<One>> {
        if key.len() > KEY_BYTES {
            return None;
        }
        keys.get(key, self.now(), || {
            let one = One::new(Some(key.into()), self.rest.breaker.settings());
            if let Some(standing) = self.told.lock().standing {
                let _ = one.obey(standing);
            }
            one
        })
    }

    /// # Errors
    /// After which time asking again may help, if that is known.
    pub(super) fn admit(self: &Arc<Self>, key: Option<&str>) -> Result<Admitted, Option<Duration>> {
        let own = self.keys.as_ref().zip(key).and_then(|(keys, key)| self.one(keys, key));
        let one = own.unwrap_or_else(|| Arc::clone(&self.rest));
        let begun = self.now();
        let (admitted, change) = one.breaker.admit(begun, random::u64());
        self.tell(&one, change);
        match admitted {
            Ok(permit) => Ok(Admitted { guard: Arc::clone(self), one, permit, begun }),
            Err(refused) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                one.refused.fetch_add(1, Ordering::Relaxed);
                Err(refused.retry_after)
            }
        }
    }

    /// A call was answered otherwise.
    pub(super) fn answered(&self, instead: Instead) {
        self.fallbacks[instead as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Goes on with other settings.
    pub(super) fn set(&self, settings: Settings) {
        self.rest.breaker.set(settings);
        for (_, one) in self.keys.iter().flat_map(Keyed::all) {
            one.breaker.set(settings);
        }
    }

    pub(super) fn settings(&self) -> Settings {
        self.rest.breaker.settings()
    }

    /// Whether it judges the same calls together as another of this name.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let bound = |guard: &Self| guard.keys.as_ref().map(Keyed::bound);
        self.name == other.name && self.by == other.by && bound(self) == bound(other)
    }

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }

    fn tell(&self, one: &One, change: Option<Change>) {
        let Some(change) = change else { return };
        let (route, upstream, from, to) = (&*self.route, &*self.upstream, change.from.word(), change.to.word());
        let (why, key) = (change.why, one.key.as_deref());
        match (change.to, change.open) {
            (State::Open, Some(open)) => {
                let open_ms = u64::try_from(open.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(route, upstream, key, from, open_ms, "circuit breaker is open: {why}");
            }
            _ => tracing::info!(route, upstream, key, from, "circuit breaker is {to}: {why}"),
        }
        let mut told = self.told.lock();
        if let Some(place) = State::ALL.iter().position(|state| *state == change.to) {
            told.entered[place] += 1;
        }
        if told.changes.len() == CHANGES_MAX {
            told.changes.pop_front();
        }
        told.changes.push_back(Changed { at: clock::wall(), key: one.key.clone(), change });
    }
}

impl breakers::Breaker for Guard {
    fn labels(&self) -> (&str, &str) {
        (&self.route, &self.upstream)
    }

    fn figures(&self) -> Figures {
        let entered = self.told.lock().entered;
        let words = State::ALL.iter().map(|state| state.word());
        let keys = self.keys.as_ref().map(|keys| {
            let mut states = [0; State::ALL.len()];
            for (_, one) in keys.all() {
                let state = one.breaker.state();
                State::ALL.iter().zip(&mut states).filter(|(known, _)| **known == state).for_each(|(_, n)| *n += 1);
            }
            KeyFigures { states: words.clone().zip(states).collect(), most: keys.bound() as u64 }
        });
        let fallbacks = [Instead::Answer, Instead::Upstream].map(|instead| {
            let count = &self.fallbacks[instead as usize];
            (instead.word(), count.load(Ordering::Relaxed))
        });
        Figures {
            state: self.state().word(),
            refused: self.refused.load(Ordering::Relaxed),
            entered: words.zip(entered).collect(),
            fallbacks: fallbacks.into(),
            keys,
        }
    }
}

// === impl One ===

impl One {
    fn new(key: Option<Box<str>>, settings: Settings) -> Self {
        Self { key, breaker: Breaker::new(settings), refused: AtomicU64::new(0) }
    }

    fn obey(&self, command: Command) -> Option<Change> {
        match command {
            Command::Open => self.breaker.force_open(),
            Command::Close => Some(self.breaker.reset()),
            Command::Disable => self.breaker.disable(),
        }
    }
}

impl Keeps for One {
    fn breaker(&self) -> &Breaker {
        &self.breaker
    }
}

/// The service fails too often to be called.
pub(super) fn refuse(status: StatusCode, retry_after: Option<Duration>) -> Refusal {
    // Without a time the probes decide, which are under way.
    let seconds = retry_after.map_or(1, |after| after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1);
    let message = format!("the service fails too often and is not called for now: try again in {seconds} s");
    let mut refusal = Refusal::with_status(Answer::BreakerOpen, Status::new(Code::of_answer(status), message));
    refusal.http_status = status;
    refusal.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    refusal
}

// === impl Admitted ===

impl Admitted {
    /// The call ended. Without a verdict its place is given back, and nothing is counted.
    /// Unless it is `timed`, it is not slow.
    pub(crate) fn end(self, failed: Option<bool>, timed: bool) {
        let Some(failed) = failed else { return };
        let Self { guard, one, permit, begun } = self;
        let now = guard.now();
        let took = if timed { now.saturating_sub(begun) } else { Duration::ZERO };
        let change = permit.end(Outcome { failed, took }, now, random::u64());
        guard.tell(&one, change);
    }
}
