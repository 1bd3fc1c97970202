//! `limits`: how many requests of whom; and the `limits` that listeners and routes name.

mod key;
mod parts;
mod quota;
mod service;
mod shared;

use super::stores::Declared as Store;
use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{Entry, Kind, Node};
use std::collections::HashMap;
use tidegate_gateway::config::{LimitName, Listener, RateLimit, Secret, Tells};
use tidegate_limit::Keys;
use tidegate_limit::local::MOST_KEYS;
use tidegate_limit::rules::{Absent, Context as Rules, KeyPart, Limit, Percent, Problem, Rules as Compiled, Source};
use tidegate_limit::spent::{SHORTEST, Seal};

/// A limit that the file declares.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    name_span: Span,
    /// `None` if something is wrong with it; its name is known all the same.
    pub(super) config: Option<RateLimit>,
}

/// What a limit looks at of a request, and where the file says so.
pub(super) type Sources = Vec<(Source, Span)>;

pub(super) fn read(fields: &mut Fields<'_>, stores: &[Store], cx: &mut Context) -> Vec<Declared> {
    let Some(node) = fields.node("limits", cx) else { return Vec::new() };
    let Some(names) = Fields::of(node, "`limits`", cx) else { return Vec::new() };
    names.entries().iter().map(|entry| declared(entry, stores, cx)).collect()
}

fn declared(entry: &Entry, stores: &[Store], cx: &mut Context) -> Declared {
    if let Err(wrong) = value::name(&entry.key) {
        cx.error_with(entry.key_span, format!("`{}` cannot name a limit", entry.key), |d| d.label(wrong.hint));
    }
    let before = cx.problems.len();
    let config = limit(entry, stores, cx);
    // What core checks is asked only of a limit that is otherwise right: one mistake, one error.
    let config = config.filter(|_| cx.problems.len() == before).filter(|limit| check(limit, entry, stores, cx));
    Declared { name: entry.key.clone(), name_span: entry.key_span, config }
}

fn limit(entry: &Entry, stores: &[Store], cx: &mut Context) -> Option<RateLimit> {
    let mut fields = Fields::of(&entry.value, "a limit", cx)?;
    let mut sources = Sources::new();
    let key = fields.node("key", cx).map(|node| key::read(node, &mut sources, cx)).unwrap_or_default();
    let absent = fields.word("absent", cx, &[("counts", Absent::Counts), ("skips", Absent::Skips)]).unwrap_or_default();
    let when = fields.node("when", cx).map(|node| parts::conditions(node, &mut sources, cx)).unwrap_or_default();
    let named = service::named(&fields, stores);
    let (algorithm, descriptor) = match named {
        Some(name) => service::read(&mut fields, name, &key, cx),
        None => {
            service::refuse_descriptor(&mut fields, cx);
            (quota::of_limit(&mut fields, cx), Vec::new())
        }
    };
    let of = algorithm.as_ref();
    let overrides = fields.node("overrides", cx).map(|node| parts::overrides(node, key.len(), of, cx));
    let classes = fields.node("classes", cx).map(|node| parts::classes(node, &mut sources, cx)).unwrap_or_default();
    let cost = fields.node("cost", cx).map(|node| parts::cost(node, of, &mut sources, cx));
    let enforce = enforced(&mut fields, cx);
    let keys = fields.optional("keys", cx, keys);
    let shared = shared::read(&mut fields, stores, keys.as_ref(), cx);
    let tells = [("never", Tells::Never), ("refused", Tells::Refused), ("always", Tells::Always)];
    let headers = fields.word("headers", cx, &tells).unwrap_or_default();
    let legacy_headers = fields.optional("legacy_headers", cx, value::boolean).is_some_and(|flag| flag.value);
    let gives_back = fields.optional("give_back", cx, value::boolean).is_some_and(|flag| flag.value);
    let signed = fields.node("signed", cx).and_then(|node| signed(node, cx));
    fields.finish(cx);
    let mut limit = Limit::new(&entry.key, Vec::new(), algorithm?.algorithm);
    limit.key = key.into_iter().map(|source| KeyPart { source, absent }).collect();
    limit.when = when;
    limit.overrides = overrides.unwrap_or_default();
    limit.classes = classes;
    limit.enforce = enforce;
    limit.keys = keys.map_or(limit.keys, |keys| keys.value);
    shared.fill(&mut limit);
    if let Some(cost) = cost {
        limit.cost = cost?;
    }
    let sources = sources.into_iter().map(|(source, span)| (source, span.place())).collect();
    Some(RateLimit {
        limit,
        headers,
        legacy_headers,
        gives_back,
        signed,
        descriptor,
        place: entry.key_span.place(),
        sources,
    })
}

/// The secret that services behind are told with what the limit spent.
fn signed(node: &Node, cx: &mut Context) -> Option<Secret> {
    let mut fields = Fields::of(node, "`signed`", cx)?;
    let secret = fields.required("secret", cx, value::text);
    fields.finish(cx);
    let secret = secret?;
    if Seal::new(&secret.value).is_err() {
        cx.error_with(secret.span, format!("a secret has at least {SHORTEST} bytes"), |d| {
            d.label("shorter").help("`openssl rand -hex 32` makes one; `${NAME}` takes it from the environment")
        });
        return None;
    }
    Some(Secret(secret.value))
}

fn enforced(fields: &mut Fields<'_>, cx: &mut Context) -> Percent {
    let shadow = fields.optional("shadow", cx, value::boolean);
    let enforce = fields.optional("enforce", cx, percent);
    match (shadow, enforce) {
        (Some(shadow), Some(enforce)) if shadow.value => {
            cx.error(enforce.span, "a limit has both `shadow: true` and `enforce`: a shadow refuses nothing");
            Percent::NONE
        }
        (Some(shadow), None) if shadow.value => Percent::NONE,
        (_, enforce) => enforce.map_or(Percent::ALL, |enforce| enforce.value),
    }
}

pub(super) fn percent(text: &str) -> Result<Percent, Wrong> {
    let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
    let wrong = || Wrong { expected: "a percentage", hint: "from `0%` to `100%`, without decimals".into() };
    number.and_then(Percent::new).ok_or_else(wrong)
}

/// Keys to keep at one time.
pub(super) fn keys(text: &str) -> Result<usize, Wrong> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(keys) if plain && (1..=MOST_KEYS).contains(&keys) => Ok(keys),
        _ => Err(Wrong { expected: "a number of keys", hint: format!("from `1` to `{MOST_KEYS}`") }),
    }
}

/// What only the rules themselves know to be wrong.
fn check(limit: &RateLimit, entry: &Entry, stores: &[Store], cx: &mut Context) -> bool {
    let store = stores.iter().find(|store| limit.limit.store.as_ref() == Some(&store.name));
    let nodes = store.and_then(|store| store.config.as_ref()?.store.nodes).unwrap_or(1);
    let context = Rules { keys: Keys::new(0), nodes, verifies_identity: false };
    let Err(problems) = Compiled::compile(std::slice::from_ref(&limit.limit), &context) else { return true };
    for problem in problems {
        let place = match &problem {
            Problem::Quota { .. } => place_of(entry, &["burst", "queue", "rate"]),
            Problem::Unverified { source_label, .. } => {
                let source = limit.sources.iter().find(|(source, _)| source.label() == *source_label);
                source.map(|(_, place)| (*place).into())
            }
            Problem::Patterns { .. } | Problem::SamePatterns { .. } | Problem::OtherKind { .. } => {
                place_of(entry, &["overrides"])
            }
            Problem::AllReserved { .. } | Problem::ManyClasses { .. } => place_of(entry, &["classes"]),
            Problem::Keys { .. } => place_of(entry, &["keys"]),
            Problem::NoShares(_) => place_of(entry, &["on_failure"]),
            Problem::Lease { .. } => place_of(entry, &["lease"]),
            Problem::Twice(_) | Problem::SharedConcurrency(_) => None,
        };
        cx.error(place.unwrap_or(entry.key_span), problem.to_string());
    }
    false
}

/// Where the first of these keys stands.
fn place_of(entry: &Entry, keys: &[&str]) -> Option<Span> {
    let Kind::Map(entries) = &entry.value.kind else { return None };
    keys.iter().find_map(|key| entries.iter().find(|entry| entry.key == **key)).map(|entry| entry.key_span)
}

// === names ===

/// The limits that a listener or a route names. Whether they exist is told by [`check_names`].
pub(super) fn names(fields: &mut Fields<'_>, cx: &mut Context) -> Vec<LimitName> {
    let Some(node) = fields.node("limits", cx) else { return Vec::new() };
    let mut names: Vec<LimitName> = Vec::new();
    for name in cx.scalars("limits", node, value::text).unwrap_or_default() {
        if let Some(first) = names.iter().find(|first| first.name == name.value) {
            let (source, first) = (cx.source.clone(), first.place);
            cx.error_with(name.span, format!("the limit `{}` is named twice", name.value), |d| {
                d.label("again here").related(&source, first.into(), "first here")
            });
            continue;
        }
        names.push(LimitName { name: name.value, place: name.span.place() });
    }
    names
}

/// Checks what listeners and routes name, and tells what nobody names.
pub(super) fn check_names<'n>(named: impl Iterator<Item = &'n [LimitName]>, declared: &[Declared], cx: &mut Context) {
    let mut used: HashMap<&str, usize> = HashMap::new();
    for name in named.flatten() {
        if declared.iter().any(|limit| limit.name == name.name) {
            *used.entry(name.name.as_str()).or_default() += 1;
            continue;
        }
        let located = Located { value: name.name.clone(), span: name.place.into() };
        cx.unknown_name("limit", &located, declared.iter().map(|limit| limit.name.as_str()));
    }
    for unused in declared.iter().filter(|limit| !used.contains_key(limit.name.as_str())) {
        cx.warn(unused.name_span, format!("no listener and no route names the limit `{}`", unused.name));
    }
}

/// A client that can choose what its budget is can have as many as it likes.
pub(super) fn warn_of_choice(declared: &[Declared], listeners: &[Listener], cx: &mut Context) {
    let removed = |name: &str| {
        listeners.iter().all(|listener| listener.trust.identity_headers.iter().any(|header| header.as_str() == name))
    };
    for limit in declared.iter().filter_map(|limit| limit.config.as_ref()) {
        for (source, place) in &limit.sources {
            match source {
                Source::Header(name) if !removed(name) => {
                    let message = format!("any client can choose the header `{name}`, and so its limit");
                    cx.warn_with((*place).into(), message, |d| {
                        d.help("name it in `identity_headers` of the listeners, or limit by `peer` too")
                    });
                }
                Source::Query(name) => {
                    let message = format!("any client can choose the query parameter `{name}`, and so its limit");
                    cx.warn_with((*place).into(), message, |d| d.help("limit by `peer` too"));
                }
                _ => {}
            }
        }
    }
}
