//! From the config to the limits of a snapshot, and to those of its listeners and routes.

use super::spent::Signed;
use super::{Counter, Limited, Limits};
use crate::breakers::{nearest, no_field};
use crate::config::{Config, LimitName, Place, Problem, RateLimit};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use tidegate_limit::Keys;
use tidegate_limit::rules::{self, Context, Rule, Rules, Source};
use tidegate_protojson::{FieldPath, Schema};
use tidegate_telemetry::{clock, random};

/// Who does not know it cannot make the keys of two clients meet. Keys outlive configs, and so does this.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(random::u128()).near());

/// The limits of a route.
#[derive(Debug, Default)]
pub(crate) struct RouteLimits {
    /// Their places.
    pub(crate) set: Vec<usize>,
    /// The route's name.
    pub(crate) route: Box<str>,
    /// They want to know the message of a call.
    pub(crate) look_into: bool,
    /// What they look at in the messages of a method, by `/pkg.Service/Method`.
    fields: HashMap<Box<str>, Vec<(Source, FieldPath)>>,
}

/// The route that has them.
pub(crate) struct Of<'c> {
    /// Its name among all.
    pub(crate) route: &'c str,
    pub(crate) calls: Calls<'c>,
    pub(crate) config: &'c Config,
}

/// What a route calls.
pub(crate) enum Calls<'c> {
    /// A service, by its schema.
    Service(&'c str, &'c Schema),
    /// A service whose schema has not come yet.
    Pending,
    /// None: plain requests have no messages.
    Nothing,
}

impl Limits {
    /// Those of a config. What is wrong with them is added to `problems`.
    pub(crate) fn compile(config: &Config, problems: &mut Vec<Problem>) -> Self {
        let origin = clock::now();
        let limits: Vec<rules::Limit> = config.rate_limits.iter().map(|limit| limit.limit.clone()).collect();
        let rules = Rules::compile_each(&limits, |limit| context(limit, config)).unwrap_or_else(|errors| {
            problems.extend(errors.iter().map(|error| problem(None, error.to_string(), None)));
            Rules::default()
        });
        let signed = Signed::compile(&config.rate_limits);
        let limited = |((rule, limit), signed): ((&Rule, &RateLimit), _)| Limited {
            counter: Arc::new(Counter::new(rule, origin)),
            rule: rule.clone(),
            headers: limit.headers,
            legacy_headers: limit.legacy_headers,
            gives_back: limit.gives_back,
            signed,
            store: None,
            names: limit.descriptor.clone(),
        };
        let all = rules.iter().zip(&config.rate_limits).zip(signed).map(limited).collect();
        let mut limits = Self { all, of_listeners: Vec::new(), stores: Vec::new(), origin };
        if config.listeners.iter().any(|listener| !listener.rate_limits.is_empty()) {
            let of = |names| limits.of_edge(names, config, problems);
            limits.of_listeners = config.listeners.iter().map(|listener| &*listener.rate_limits).map(of).collect();
        }
        limits
    }

    fn of_edge(&self, names: &[LimitName], config: &Config, problems: &mut Vec<Problem>) -> Vec<usize> {
        let set = places(names, config, problems);
        for (place, name) in set.iter().zip(names) {
            let unknown =
                |source: &&Source| matches!(source, Source::Route | Source::Field(_) | Source::PathVariable(_));
            if let Some(source) = self.all.get(*place).and_then(|limited| limited.rule.sources().find(unknown)) {
                let message = format!(
                    "the limit `{}` looks at `{}`, which is not known yet when a listener asks",
                    name.name,
                    source.label()
                );
                problems.push(problem(Some(name.place), message, Some("name it in `limits` of a route".into())));
            }
        }
        set
    }
}

/// What a limit is compiled for: keys that this process alone can make, or those of its store.
fn context(limit: &rules::Limit, config: &Config) -> Context {
    let store = config.stores.iter().find(|store| limit.store.as_ref() == Some(&store.name));
    let keys = store.map_or(*KEYS, |store| Keys::of_text(&store.secret));
    Context { keys, nodes: store.and_then(|store| store.nodes).unwrap_or(1), verifies_identity: false }
}

/// The places of limits by their names. One that is not there is told.
fn places(names: &[LimitName], config: &Config, problems: &mut Vec<Problem>) -> Vec<usize> {
    let all = || config.rate_limits.iter().map(|limit| &*limit.limit.name);
    let mut set = Vec::new();
    for name in names {
        match all().position(|known| known == name.name) {
            Some(place) => set.push(place),
            None => {
                let help = nearest(&name.name, all()).map(|near| format!("did you mean `{near}`?"));
                problems.push(problem(Some(name.place), format!("unknown limit `{}`", name.name), help));
            }
        }
    }
    set
}

fn problem(place: Option<Place>, message: String, help: Option<String>) -> Problem {
    Problem { place, message, help }
}

// === impl RouteLimits ===

impl RouteLimits {
    /// Those that the route names. What they cannot look at is added to `problems`.
    pub(crate) fn compile(names: &[LimitName], of: &Of<'_>, problems: &mut Vec<Problem>) -> Self {
        if names.is_empty() {
            return Self::default();
        }
        let mut limits = Self { set: places(names, of.config, problems), route: of.route.into(), ..Self::default() };
        for (place, name) in limits.set.clone().into_iter().zip(names) {
            for (source, at) in &of.config.rate_limits[place].sources {
                let (Source::Field(path) | Source::PathVariable(path)) = source else { continue };
                limits.look_into = true;
                match of.calls {
                    Calls::Service(service, schema) => limits.add_field((source, path, *at), service, schema, problems),
                    Calls::Pending => {}
                    Calls::Nothing => {
                        let message = format!(
                            "the limit `{}` looks at `{}`, and the requests of `{}` have no message",
                            name.name,
                            source.label(),
                            of.route
                        );
                        let help = "routes with a `service` have: this one may look at headers, the query and the path";
                        problems.push(problem(Some(name.place), message, Some(help.into())));
                    }
                }
            }
        }
        limits
    }

    /// A field of each message that has it; at least one method takes such a message.
    fn add_field(
        &mut self,
        (source, path, place): (&Source, &str, Place),
        service: &str,
        schema: &Schema,
        problems: &mut Vec<Problem>,
    ) {
        let Some(service) = schema.find_service(service) else { return };
        let mut errors = Vec::new();
        let mut found = false;
        for method in service.methods.iter().filter(|method| !method.client_streaming) {
            match FieldPath::new(schema, method.input, path) {
                Ok(field) => {
                    let rpc = format!("/{}/{}", service.full_name, method.name).into();
                    let fields: &mut Vec<_> = self.fields.entry(rpc).or_default();
                    if !fields.iter().any(|(known, _)| known == source) {
                        fields.push((source.clone(), field));
                    }
                    found = true;
                }
                Err(error) => errors.push(error),
            }
        }
        // A path variable that there is not is told by that name.
        if !found && matches!(source, Source::Field(_)) {
            problems.push(no_field(path, place, service, &errors));
        }
    }

    /// What they look at in the messages of a method.
    pub(crate) fn fields(&self, rpc: &str) -> &[(Source, FieldPath)] {
        self.fields.get(rpc).map_or(&[], Vec::as_slice)
    }

    /// Checks the path variables that they look at against those that the route's http rules have.
    pub(crate) fn check_variables(&self, known: &[&str], config: &Config, problems: &mut Vec<Problem>) {
        let sources =
            self.set.iter().filter_map(|place| config.rate_limits.get(*place)).flat_map(|limit| &limit.sources);
        for (source, place) in sources {
            let Source::PathVariable(name) = source else { continue };
            if known.contains(&name.as_str()) {
                continue;
            }
            let help = nearest(name, known.iter().copied()).map(|near| format!("did you mean `path:{near}`?"));
            let message = format!("no http rule of `{}` has the path variable `{name}`", self.route);
            problems.push(problem(Some(*place), message, help));
        }
    }
}
