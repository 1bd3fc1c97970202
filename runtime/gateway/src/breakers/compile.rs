//! From the config to the breakers of a route.

use super::fallback::{Canned, Fallback};
use super::key::{Fields, Key};
use super::{Breakers, Guard};
use crate::config;
use crate::config::{Breaker, BreakerKey, Config, FallbackAnswer, Place, Problem};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use tidegate_protojson::schema::{Method, Service};
use tidegate_protojson::{FieldPath, FieldPathError, ParseOptions, Schema, json_to_wire};

/// The name of a breaker whose calls go to more than one upstream.
const ALL: &str = "*";

/// What a route's breakers are made for.
pub(crate) struct Of<'c> {
    /// The route's name among all.
    pub(crate) route: &'c str,
    /// The upstreams that its calls may go to, its own first, by their indices in the config.
    pub(crate) upstreams: Vec<usize>,
    /// What is called and by which schema; `None` of a plain route, and of one whose schema has not come yet.
    pub(crate) service: Option<(&'c str, &'c Schema)>,
    pub(crate) config: &'c Config,
}

impl Breakers {
    /// None without settings. What the config names wrongly is added to `problems`.
    pub(crate) fn compile(breaker: Option<&Breaker>, of: &Of<'_>, problems: &mut Vec<Problem>) -> Self {
        let Some(breaker) = breaker else { return Self::default() };
        let guard = |upstream: &str| {
            let max_keys = if breaker.key.has_values() { breaker.max_keys } else { 0 };
            Arc::new(Guard::new(of.route, upstream, breaker.key.text(), max_keys, breaker.settings))
        };
        let mut guards: Vec<(Option<usize>, Arc<Guard>)> = Vec::new();
        let mut upstreams = of.upstreams.clone();
        if breaker.key == BreakerKey::Route {
            guards.push((None, guard(ALL)));
            upstreams.clear();
        }
        let fallback = fallback(breaker, of, problems);
        upstreams.extend(match fallback {
            Fallback::Upstream(other) => Some(other),
            _ => None,
        });
        for upstream in upstreams {
            if !guards.iter().any(|(known, _)| *known == Some(upstream)) {
                guards.push((Some(upstream), guard(&of.config.upstreams[upstream].name)));
            }
        }
        let key = match &breaker.key {
            BreakerKey::Upstream | BreakerKey::Route => Key::None,
            BreakerKey::Endpoint => Key::Endpoint,
            BreakerKey::Header(name) => Key::Header(name.clone()),
            BreakerKey::Field { path, place } => Key::Field(fields(path, *place, of, problems)),
        };
        Self { guards, key, fallback }
    }
}

fn methods<'s>(of: &Of<'s>) -> Option<(&'s Schema, &'s Service)> {
    let (name, schema) = of.service?;
    Some((schema, schema.find_service(name)?))
}

fn rpc(service: &Service, method: &Method) -> Box<str> {
    format!("/{}/{}", service.full_name, method.name).into()
}

// === key ===

/// The field in each method's request that has it; at least one has.
fn fields(path: &str, place: Place, of: &Of<'_>, problems: &mut Vec<Problem>) -> Fields {
    let mut fields = Fields::default();
    let Some((schema, service)) = methods(of) else { return fields };
    let mut errors = Vec::new();
    for method in &service.methods {
        match FieldPath::new(schema, method.input, path) {
            Ok(field) if !method.client_streaming => {
                fields.0.insert(rpc(service, method), field);
            }
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    if fields.0.is_empty() {
        problems.push(no_field(path, place, service, &errors));
    }
    fields
}

/// That no method has the field, by the one that comes nearest.
pub(crate) fn no_field(path: &str, place: Place, service: &Service, errors: &[FieldPathError]) -> Problem {
    let message = format!("no method of `{}` takes a message with the field `{path}`", service.full_name);
    let near = errors.iter().find_map(|error| match error {
        FieldPathError::Unknown { message, field, known } => {
            let near = nearest(field, known.iter().map(String::as_str))?;
            Some(format!("did you mean `{near}`, a field of `{message}`?"))
        }
        error => Some(error.to_string()),
    });
    let streams = || "streams of requests have no key: they are judged before their messages come".to_owned();
    let help = near.or_else(|| errors.first().map(ToString::to_string)).unwrap_or_else(streams);
    Problem { place: Some(place), message, help: Some(help) }
}

/// At most one edit per three letters.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = word.chars().count().div_ceil(3);
    let near = known.map(|other| (strsim::damerau_levenshtein(word, other), other));
    near.filter(|(edits, _)| *edits <= allowed).min_by_key(|(edits, _)| *edits).map(|(_, other)| other)
}

// === fallback ===

fn fallback(breaker: &Breaker, of: &Of<'_>, problems: &mut Vec<Problem>) -> Fallback {
    match &breaker.fallback {
        config::Fallback::Refuse(status) => Fallback::Refuse(*status),
        config::Fallback::Upstream(name) => {
            let place = of.config.upstreams.iter().position(|upstream| upstream.name == *name);
            place.map_or_else(Fallback::default, Fallback::Upstream)
        }
        config::Fallback::Answer(answer) => match methods(of) {
            Some((schema, service)) => Fallback::Methods(answers(answer, schema, service, problems)),
            None if of.service.is_some() => Fallback::default(),
            None => {
                let body = Bytes::copy_from_slice(answer.body.as_bytes());
                Fallback::Plain(Arc::new(Canned::new(answer.status, answer.headers.clone(), body)))
            }
        },
    }
}

/// The message that the JSON is, of each method that it is for.
fn answers(
    answer: &FallbackAnswer,
    schema: &Schema,
    service: &Service,
    problems: &mut Vec<Problem>,
) -> HashMap<Box<str>, Arc<Canned>> {
    let mut answers = HashMap::new();
    let mut wrong = |place: Place, message: String, help: Option<String>| {
        problems.push(Problem { place: Some(place), message, help });
    };
    let mut chosen: Vec<(&Method, Place)> = Vec::new();
    for (name, place) in &answer.methods {
        match service.methods.iter().find(|method| *method.name == **name) {
            Some(method) => chosen.push((method, *place)),
            None => {
                let near = nearest(name, service.methods.iter().map(|method| &*method.name));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                wrong(*place, format!("`{}` has no method `{name}`", service.full_name), help);
            }
        }
    }
    if answer.methods.is_empty() {
        chosen.extend(service.methods.iter().map(|method| (method, answer.place)));
    }
    let name_them = || Some("name the methods that it is for: `methods: […]`".to_owned());
    for (method, place) in chosen {
        let help = if answer.methods.is_empty() { name_them() } else { None };
        if method.server_streaming {
            wrong(place, format!("`{}` answers with a stream, which one body is not", method.name), help);
            break;
        }
        let mut wire = Vec::new();
        match json_to_wire(schema, method.output, answer.body.as_bytes(), &ParseOptions::default(), &mut wire) {
            Ok(()) => {
                let canned = Canned::new(answer.status, answer.headers.clone(), wire.into());
                answers.insert(rpc(service, method), Arc::new(canned));
            }
            Err(error) => {
                let reply = &schema.message(method.output).full_name;
                let message = format!("the body is no `{reply}`, which `{}` answers with: {error}", method.name);
                wrong(answer.place, message, help);
                break;
            }
        }
    }
    answers
}
