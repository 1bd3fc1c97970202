//! Upstreams that tell their schema themselves, asked once by commands that do not serve.

use crate::exit::Exit;
use crate::finders;
use crate::load::Failure;
use std::sync::Arc;
use tidegate_control::endpoints::Finders;
use tidegate_control::{Asking, Diagnostic, FetchError, Fetched, Fetcher, Report, Sources};
use tidegate_gateway::config::{SchemaSource, Upstream};
use tidegate_gateway::snapshot::Schemas;
use tidegate_schema::reflection::Asker;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// What an upstream told, and what that is to the gateway.
pub(crate) struct Told {
    /// By upstream.
    pub(crate) schemas: Schemas,
    /// The same upstreams, and where it is from.
    pub(crate) fetched: Vec<(String, Fetched)>,
}

/// Asks every upstream of the config that tells its schema.
///
/// # Errors
/// One does not, or what it tells cannot be used: all of them, each with its place in the config.
pub(crate) fn ask_all(sources: &Sources) -> Result<Told, Failure> {
    let reflected = || sources.config().upstreams.iter().enumerate().filter(|(_, upstream)| reflects(upstream));
    let mut told = Told { schemas: Schemas::new(), fetched: Vec::new() };
    if reflected().next().is_none() {
        return Ok(told);
    }
    // A config in a file has no etcd of its own.
    let asking = asking(Arc::new(finders::Known { config: None }));
    let fetchers = reflected().filter_map(|(index, upstream)| {
        let SchemaSource::Reflection(reflection) = &upstream.schema.source else { return None };
        Some(Fetcher::new(&upstream.pool, reflection.timeout, sources.services_of(index), &asking))
    });
    let answers = ask(fetchers.collect())?;
    let (mut problems, mut exit) = (Vec::new(), Exit::Unavailable);
    for ((_, upstream), answer) in reflected().zip(answers) {
        let name = &upstream.name;
        let at_config = |message: String| Diagnostic::error(message).at(sources.source(), upstream.schema.place.into());
        match answer {
            Ok(fetched) => match sources.compile(&fetched.descriptor_set) {
                Ok(schema) => {
                    told.schemas.insert(name.clone(), Arc::new(schema));
                    told.fetched.push((name.clone(), fetched));
                }
                Err(error) => {
                    exit = Exit::Config;
                    problems.push(at_config(format!("the schema that `{name}` tells cannot be used: {error}")));
                }
            },
            Err(error) => {
                problems.push(at_config(format!("`{name}` does not tell its schema: {error}")).help(HELP));
            }
        }
    }
    if problems.is_empty() { Ok(told) } else { Err(Failure { report: Report::new(problems), exit }) }
}

/// What can be done about an upstream that does not answer.
pub(crate) const HELP: &str =
    "is it up, and is server reflection switched on in it? `proto` and `descriptor_set` need neither";

/// Asks all at a time; answers in the order of `fetchers`.
pub(crate) fn ask(fetchers: Vec<Fetcher>) -> Result<Vec<Result<Fetched, FetchError>>, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::runtime(Diagnostic::error(format!("cannot start a runtime to ask upstreams: {error}")))
    })?;
    let mut answers = runtime.block_on(async {
        let mut asking = JoinSet::new();
        for (index, fetcher) in fetchers.into_iter().enumerate() {
            asking.spawn(async move { (index, fetcher.fetch().await) });
        }
        asking.join_all().await
    });
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// How upstreams are asked: by this program's reflection, at endpoints that these find.
pub(crate) fn asking(finders: Arc<dyn Finders>) -> Asking {
    Asking { reflector: Arc::new(Asker), finders }
}

pub(crate) fn reflects(upstream: &Upstream) -> bool {
    matches!(upstream.schema.source, SchemaSource::Reflection(_))
}
