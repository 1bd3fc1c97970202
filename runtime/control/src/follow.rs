//! Follows upstreams that tell their schema themselves: asks again and again, and swaps the snapshot when
//! the answer has changed.
//!
//! ```text
//! per upstream:  fetch ──► wait: interval │ connection lost │ hint of a request │ pause after a failure
//!                  │
//! one for all:     └─► compare ─► compile ─► check ─► Gateway::replace     a bad one changes nothing
//! ```

mod kept;
mod pace;
mod state;

use crate::diagnostics::Report;
use crate::reflection::{Asking, FetchError, Fetched, Fetcher};
use crate::schemas::Sources;
use bytes::Bytes;
use kept::Kept;
use pace::Pace;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::SchemaSource;
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, SchemaHints, Snapshot};
use tidegate_protojson::Schema;
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::schemas::{Fetch, Schema as Figures};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use state::{InForce, SchemaState, SchemaStates, Teller};
pub(crate) use state::{Origin, Told};

/// How long the start waits for upstreams. What has not come then comes while others are served.
pub(crate) const START: Duration = Duration::from_secs(10);
/// Problems of a schema that are told one by one.
const TOLD_MAX: usize = 5;

/// Keeps the schemas of a gateway up to date.
#[derive(Debug)]
pub struct Follower {
    gateway: Arc<Gateway>,
    sources: Arc<Sources>,
    hints: Arc<SchemaHints>,
    states: Arc<SchemaStates>,
    /// What upstreams have told, and is in force.
    told: Schemas,
    followed: Vec<Followed>,
    /// Where they are kept for the next start.
    kept: Option<Kept>,
}

/// An upstream that is followed.
#[derive(Debug)]
struct Followed {
    /// Its place in the config.
    index: usize,
    name: String,
    fetcher: Arc<Fetcher>,
    pace: Pace,
    figures: Arc<Figures>,
    /// What it told last.
    last: Option<Last>,
    /// Why the last fetch failed, if it did: so that it is logged once.
    logged: Option<String>,
    /// What is in force was told since it was last kept.
    to_keep: bool,
    /// Why it is not kept, if it cannot be: so that it is logged once.
    not_kept: Option<String>,
}

/// What an upstream told.
#[derive(Debug)]
struct Last {
    fetched: Fetched,
    /// Why it is not in force.
    refused: Option<String>,
}

/// A snapshot with another schema of one upstream.
struct Compiled {
    snapshot: Snapshot,
    /// All that were told.
    told: Schemas,
    /// That schema.
    schema: Arc<Schema>,
}

// === impl Follower ===

impl Follower {
    /// For the upstreams of `gateway`'s config that tell their schema. Nothing is asked yet.
    #[must_use]
    pub fn new(gateway: &Arc<Gateway>, sources: Arc<Sources>, asking: &Asking) -> Self {
        let config = Arc::clone(sources.config());
        let mut followed = Vec::new();
        for (index, upstream) in config.upstreams.iter().enumerate() {
            let SchemaSource::Reflection(reflection) = &upstream.schema.source else { continue };
            followed.push(Followed {
                index,
                name: upstream.name.clone(),
                fetcher: Arc::new(Fetcher::new(&upstream.pool, reflection.timeout, sources.services_of(index), asking)),
                pace: Pace::new(reflection.interval),
                figures: gateway.telemetry().metrics.schema(&upstream.name),
                last: None,
                logged: None,
                to_keep: false,
                not_kept: None,
            });
        }
        let states = Arc::new(SchemaStates::default());
        states.reset(followed.iter().map(|followed| followed.name.clone()));
        let hints = Arc::clone(gateway.snapshot().schema_hints());
        Self { gateway: Arc::clone(gateway), sources, hints, states, told: Schemas::new(), followed, kept: None }
    }

    /// For a gateway whose config in force is another one now, in place of the follower that tells `states`
    /// how things stand. What upstreams `told` is in force with it and is not asked for at once.
    pub(crate) fn resume(
        gateway: &Arc<Gateway>,
        sources: Arc<Sources>,
        asking: &Asking,
        states: &Arc<SchemaStates>,
        told: Vec<(String, Told)>,
    ) -> Self {
        let mut follower = Self::new(gateway, sources, asking);
        follower.states = Arc::clone(states);
        states.reset(follower.followed.iter().map(|followed| followed.name.clone()));
        for (name, told) in told {
            let Some(at) = follower.followed.iter().position(|followed| followed.name == name) else { continue };
            let followed = &mut follower.followed[at];
            if let Origin::Upstream(fetched) = &told.origin {
                followed.pace.note(&Ok(fetched.clone()));
                followed.last = Some(Last { fetched: fetched.clone(), refused: None });
                followed.to_keep = true;
            }
            follower.told.insert(name, Arc::clone(&told.schema));
            states.in_force(at, told);
        }
        for followed in &mut follower.followed {
            if followed.last.is_none() {
                // Asked soon, not after a whole interval.
                let attempts = Vec::new();
                followed.pace.note(&Err(FetchError { upstream: followed.name.clone(), attempts }));
            }
        }
        follower
    }

    /// How each upstream stands, for `/readyz?verbose`.
    #[must_use]
    pub fn states(&self) -> Arc<SchemaStates> {
        Arc::clone(&self.states)
    }

    /// Asks every upstream once, all at a time, and puts in force what they tell: so that a gateway whose
    /// upstreams are there knows them before it takes requests. Takes at most 10 s. Of those that do not
    /// answer, what was kept is in force then.
    pub async fn first(&mut self) {
        let mut fetches = JoinSet::new();
        for (at, followed) in self.followed.iter().enumerate() {
            let fetcher = Arc::clone(&followed.fetcher);
            let late = FetchError {
                upstream: followed.name.clone(),
                attempts: vec![("all endpoints".to_owned(), format!("none has told a schema within {START:?}"))],
            };
            fetches.spawn(async move { (at, timeout(START, fetcher.fetch()).await.unwrap_or(Err(late))) });
        }
        let mut fetched = fetches.join_all().await;
        // So that of two that contradict each other it is not chance that decides.
        fetched.sort_by_key(|(at, _)| *at);
        for (at, result) in fetched {
            self.followed[at].pace.note(&result);
            self.take(at, result).await;
        }
        self.fall_back().await;
        self.keep().await;
    }

    /// Follows the upstreams for ever. Returns at once if there are none.
    ///
    /// # Cancel safety
    /// Dropping the future stops following; what is in force stays so.
    pub async fn run(mut self) {
        self.forget_others().await;
        self.keep().await;
        let (tell, mut told) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        for (at, followed) in self.followed.iter().enumerate() {
            let (hints, fetcher) = (Arc::clone(&self.hints), Arc::clone(&followed.fetcher));
            tasks.spawn(follow(at, followed.index, followed.pace.clone(), hints, fetcher, tell.clone()));
        }
        drop(tell);
        while let Some((at, result)) = told.recv().await {
            self.take(at, result).await;
            self.keep().await;
        }
    }

    /// Takes what came of a fetch.
    async fn take(&mut self, at: usize, result: Result<Fetched, FetchError>) {
        let fetched = match result {
            Ok(fetched) => fetched,
            Err(error) => return self.not_fetched(at, &error),
        };
        let followed = &self.followed[at];
        if followed.last.as_ref().is_some_and(|last| last.fetched.descriptor_set == fetched.descriptor_set) {
            return self.unchanged(at, &fetched);
        }
        match self.compile(at, &fetched.descriptor_set).await {
            Ok(compiled) => {
                self.accept(at, fetched, compiled);
                self.try_refused().await;
            }
            Err(why) => self.refuse(at, fetched, &why),
        }
    }

    /// Tries once more what was refused: another schema has changed, which may have been in its way.
    async fn try_refused(&mut self) {
        // Whenever one is accepted, one less is left.
        let mut at = 0;
        while let Some(followed) = self.followed.get(at) {
            let refused = followed.last.as_ref().filter(|last| last.refused.is_some());
            let Some(fetched) = refused.map(|last| last.fetched.clone()) else {
                at += 1;
                continue;
            };
            at = match self.compile(at, &fetched.descriptor_set).await {
                Ok(compiled) => {
                    self.accept(at, fetched, compiled);
                    0
                }
                Err(_) => at + 1,
            };
        }
    }

    /// Compiles off this thread: a large schema takes a while.
    async fn compile(&self, at: usize, set: &Bytes) -> Result<Compiled, String> {
        let (sources, gateway) = (Arc::clone(&self.sources), Arc::clone(&self.gateway));
        let (name, set) = (self.followed[at].name.clone(), set.clone());
        let told = self.told.clone();
        let compiled = tokio::task::spawn_blocking(move || compile(&sources, &gateway, name, &set, told)).await;
        compiled.unwrap_or_else(|_| Err("compiling it failed without an error".to_owned()))
    }

    fn accept(&mut self, at: usize, fetched: Fetched, compiled: Compiled) {
        let schema = Arc::clone(&compiled.schema);
        let services = schema.services().len();
        let told = Told { origin: Origin::Upstream(fetched.clone()), schema };
        let Some(generation) = self.put_in_force(at, compiled, told) else { return };
        let followed = &mut self.followed[at];
        tracing::info!(
            upstream = followed.name,
            endpoint = fetched.endpoint,
            services,
            generation,
            "the schema that the upstream tells is in force"
        );
        for service in self.sources.without_rules(followed.index, &self.told) {
            tracing::warn!(
                upstream = followed.name,
                service,
                "the service has no http rules: the server leaves out the options of its methods, or there are \
                 none. `schema.http_rules` can bring them"
            );
        }
        followed.figures.fetched(Fetch::Accepted, true, clock::wall());
        followed.last = Some(Last { fetched, refused: None });
        followed.logged = None;
        followed.to_keep = true;
    }

    /// The generation; `None` if a config has come into force meanwhile, which has a follower of its own.
    fn put_in_force(&mut self, at: usize, compiled: Compiled, told: Told) -> Option<u64> {
        let trouble = self.states.all().get(at).and_then(|state| state.trouble.clone());
        let generation = self.gateway.replace(compiled.snapshot).ok()?;
        self.told = compiled.told;
        self.gateway.telemetry().metrics.config().schemas_changed(generation);
        let kept = matches!(told.origin, Origin::Disk(_));
        self.states.in_force(at, told);
        if kept {
            self.states.in_trouble(at, trouble);
        }
        Some(generation)
    }

    fn refuse(&mut self, at: usize, fetched: Fetched, why: &str) {
        let followed = &mut self.followed[at];
        tracing::warn!(
            upstream = followed.name,
            endpoint = fetched.endpoint,
            reason = why,
            "the schema that the upstream tells cannot be used; {}",
            self.states.consequence(at)
        );
        followed.figures.fetched(Fetch::Rejected, false, clock::wall());
        let why = format!("{}: {why}", fetched.endpoint);
        self.states.in_trouble(at, Some(why.clone()));
        followed.last = Some(Last { fetched, refused: Some(why) });
        followed.logged = None;
    }

    /// The upstream tells what it told last.
    fn unchanged(&mut self, at: usize, fetched: &Fetched) {
        let followed = &mut self.followed[at];
        let refused = followed.last.as_ref().and_then(|last| last.refused.clone());
        followed.figures.fetched(Fetch::Unchanged, refused.is_none(), clock::wall());
        followed.to_keep = refused.is_none();
        if followed.logged.take().is_some() {
            tracing::info!(upstream = followed.name, endpoint = fetched.endpoint, "the schema is told again");
            self.states.in_trouble(at, refused);
        }
    }

    fn not_fetched(&mut self, at: usize, error: &FetchError) {
        let followed = &mut self.followed[at];
        let why = error.to_string();
        followed.figures.fetched(Fetch::Failed, false, clock::wall());
        if followed.logged.as_ref() != Some(&why) {
            tracing::warn!(
                upstream = followed.name,
                reason = why,
                "cannot fetch the schema; {}",
                self.states.consequence(at)
            );
        }
        self.states.in_trouble(at, Some(why.clone()));
        followed.logged = Some(why);
    }
}

/// One upstream, for ever.
async fn follow(
    at: usize,
    index: usize,
    mut pace: Pace,
    hints: Arc<SchemaHints>,
    fetcher: Arc<Fetcher>,
    tell: mpsc::Sender<(usize, Result<Fetched, FetchError>)>,
) {
    loop {
        pace.wait(&fetcher, hints.wait(index)).await;
        let result = fetcher.fetch().await;
        pace.note(&result);
        if tell.send((at, result)).await.is_err() {
            return;
        }
    }
}

fn compile(
    sources: &Sources,
    gateway: &Gateway,
    name: String,
    set: &[u8],
    mut told: Schemas,
) -> Result<Compiled, String> {
    let schema: Arc<Schema> = Arc::new(sources.compile(set).map_err(|error| printable(&error.to_string()))?);
    told.insert(name, Arc::clone(&schema));
    let schemas = sources.with(&told).map_err(|report| in_one_line(&report))?;
    let generation = gateway.snapshot().generation + 1;
    let metrics = &gateway.telemetry().metrics;
    let snapshot = Snapshot::compile(Arc::clone(sources.config()), &schemas, metrics, generation)
        .map_err(|problems| in_one_line(&Report::from_problems(problems, sources.source())))?;
    Ok(Compiled { snapshot, told, schema })
}

/// What is wrong, for a log and for `/readyz?verbose`: the first few problems. Names in it are the server's.
fn in_one_line(report: &Report) -> String {
    let messages: Vec<&str> =
        report.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).take(TOLD_MAX).collect();
    let more = report.diagnostics.len() - messages.len();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    printable(&(messages.join("; ") + &more))
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
