//! Upstreams that tell their schema, from one config to the next: what is known is not asked again.

use super::loader::Candidate;
use super::state::StateFolder;
use crate::follow::{Follower, Origin, START, SchemaStates, Told};
use crate::reflection::{Asking, Fetcher};
use crate::schemas::Sources;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::Gateway;
use tidegate_gateway::config::{SchemaSource, Upstream};
use tidegate_gateway::snapshot::Schemas;
use tokio::task::{JoinHandle, JoinSet};

/// How long a new config waits for the schemas of new upstreams. What has not come then comes later.
const PATIENCE: Duration = Duration::from_secs(5);
const _: () = assert!(PATIENCE.as_secs() <= START.as_secs());

/// Who follows the upstreams of the config in force.
pub struct Following {
    gateway: Arc<Gateway>,
    asking: Asking,
    states: Arc<SchemaStates>,
    sources: Arc<Sources>,
    /// Where what they tell is kept.
    state: Option<StateFolder>,
    task: JoinHandle<()>,
}

impl Following {
    /// Asks every upstream of the config in force once, which takes at most 10 s, and then follows them. What they
    /// tell is kept in the folder `state`; what is there already is in force for those that do not answer.
    pub async fn start(
        gateway: &Arc<Gateway>,
        sources: &Arc<Sources>,
        asking: Asking,
        state: Option<StateFolder>,
    ) -> Self {
        let mut follower = Follower::new(gateway, Arc::clone(sources), &asking).keeping(state.clone());
        let states = follower.states();
        follower.first().await;
        let task = tokio::spawn(follower.run());
        Self { gateway: Arc::clone(gateway), asking, states, sources: Arc::clone(sources), state, task }
    }

    /// How each of them stands, whichever config is in force.
    #[must_use]
    pub fn states(&self) -> &Arc<SchemaStates> {
        &self.states
    }

    /// The schemas that upstreams of a config that is not in force yet tell: those that are known, and of
    /// upstreams that are new or have changed what they say within a few seconds.
    pub(super) async fn ask(&self, candidate: &Candidate) -> Vec<(String, Told)> {
        let sources = &candidate.sources;
        let mut told = Vec::new();
        let mut asking = JoinSet::new();
        for (index, upstream) in sources.config().upstreams.iter().enumerate() {
            let SchemaSource::Reflection(reflection) = &upstream.schema.source else { continue };
            let known = self.states.told(&upstream.name);
            if let Some(known) = &known
                && self.is_the_same(upstream, &sources.services_of(index))
            {
                told.push((upstream.name.clone(), known.clone()));
                continue;
            }
            let services = sources.services_of(index);
            let fetcher = Fetcher::new(&upstream.pool, reflection.timeout, services, &self.asking);
            let (name, sources) = (upstream.name.clone(), Arc::clone(sources));
            asking.spawn(async move {
                let fetched = tokio::time::timeout(PATIENCE, fetcher.fetch()).await.ok()?.ok()?;
                let compile = tokio::task::spawn_blocking(move || {
                    let schema = sources.compile(&fetched.descriptor_set).ok()?;
                    Some(Told { origin: Origin::Upstream(fetched), schema: Arc::new(schema) })
                });
                // One that does not answer is asked again by whoever follows it then, and told of.
                Some((name, compile.await.ok()??))
            });
        }
        told.extend(asking.join_all().await.into_iter().flatten());
        told
    }

    /// Follows the upstreams of a config that has come into force, from what they `told`.
    pub(super) fn move_on(&mut self, sources: &Arc<Sources>, told: Vec<(String, Told)>) {
        self.task.abort();
        self.sources = Arc::clone(sources);
        let follower = Follower::resume(&self.gateway, Arc::clone(sources), &self.asking, &self.states, told);
        let mut follower = follower.keeping(self.state.clone());
        self.task = tokio::spawn(async move {
            follower.fall_back().await;
            follower.run().await;
        });
    }

    /// Whether the config in force has the same upstream, for the same services.
    fn is_the_same(&self, upstream: &Upstream, services: &[String]) -> bool {
        let config = self.sources.config();
        let found = config.upstreams.iter().position(|known| known.name == upstream.name);
        found.is_some_and(|index| {
            let known = &config.upstreams[index];
            known.pool == upstream.pool
                && known.schema.source == upstream.schema.source
                && self.sources.services_of(index) == services
        })
    }
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").field("states", &self.states).finish_non_exhaustive()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The schemas alone.
pub(super) fn schemas(told: &[(String, Told)]) -> Schemas {
    told.iter().map(|(name, told)| (name.clone(), Arc::clone(&told.schema))).collect()
}
