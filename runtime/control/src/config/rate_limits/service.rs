//! What is different of a limit that a rate limit service keeps: by what names the service knows the parts of its key,
//! and that the service alone says how it counts.

use super::quota::{self, Given, Word};
use crate::config::stores::Declared;
use crate::fields::{Context, Fields};
use crate::value::Wrong;
use crate::yaml::Kind;
use tidegate_gateway::config::QUOTA_OF_SERVICE;
use tidegate_limit::rules::Source;

const LONGEST_NAME: usize = 256;

/// The store that the limit names, if that is a rate limit service.
pub(super) fn named<'s>(fields: &Fields<'_>, stores: &'s [Declared]) -> Option<&'s str> {
    let store = fields.entries().iter().find(|entry| entry.key == "store")?;
    let Kind::Scalar(name) = &store.value.kind else { return None };
    stores.iter().find(|store| store.name == *name && store.is_service).map(|store| store.name.as_str())
}

/// `descriptor` of a limit that no service is asked about.
pub(super) fn refuse_descriptor(fields: &mut Fields<'_>, cx: &mut Context) {
    if fields.has("descriptor") {
        cx.error_with(
            fields.key_span("descriptor"),
            "`descriptor` is for limits that a rate limit service keeps",
            |d| d.label("name it: `store: NAME`, one of `stores` whose URL is `rls://…`"),
        );
    }
    fields.pass_over("descriptor");
}

/// The quota that is sent along, or that stands for the service's own, and the names of the key's parts.
pub(super) fn read(
    fields: &mut Fields<'_>,
    store: &str,
    key: &[Source],
    cx: &mut Context,
) -> (Option<Given>, Vec<String>) {
    for (name, why) in [
        ("algorithm", "how it counts is the service's matter"),
        ("classes", "a share of a limit cannot be asked for"),
        ("give_back", "what it counted cannot be given back"),
    ] {
        if fields.has(name) {
            let message = format!("`{name}` has no meaning for a limit that the rate limit service `{store}` keeps");
            cx.error_with(fields.key_span(name), message, |d| d.label(why));
        }
    }
    fields.pass_over("algorithm");
    if !fields.has("key") {
        let message = format!("the rate limit service `{store}` knows budgets by names and values: `key` is missing");
        cx.error_with(fields.span(), message, |d| d.help("one budget for all is `key: constant:TEXT`"));
    }
    let word = Word::OfService;
    let given = match fields.has("rate") || fields.has("burst") || fields.has("queue") {
        true => quota::read(fields, word, cx).map(|algorithm| Given { word, algorithm }),
        false => {
            ["rate", "burst", "queue"].into_iter().for_each(|name| fields.pass_over(name));
            Some(Given { word, algorithm: QUOTA_OF_SERVICE })
        }
    };
    (given, descriptor(fields, key, cx))
}

/// `descriptor`: the name of each part of the key, in its order. Without it, the names that Envoy's actions give.
fn descriptor(fields: &mut Fields<'_>, key: &[Source], cx: &mut Context) -> Vec<String> {
    let Some(node) = fields.node("descriptor", cx) else { return key.iter().map(usual).collect() };
    let names = match &node.kind {
        Kind::Scalar(_) => cx.scalar("descriptor", node, name).map(|one| vec![one]),
        _ => cx.scalars("descriptor", node, name),
    };
    let names: Vec<String> = names.unwrap_or_default().into_iter().map(|name| name.value).collect();
    if !names.is_empty() && !key.is_empty() && names.len() != key.len() {
        let message = format!("`descriptor` has {} names for {} parts of the key", names.len(), key.len());
        cx.error_with(node.span, message, |d| d.label("one for each, in the order of `key`"));
    }
    names
}

/// The name of a part of the key in a descriptor, where the config says none.
fn usual(source: &Source) -> String {
    match source {
        Source::Peer { .. } => "remote_address".to_owned(),
        Source::Constant(_) => "generic_key".to_owned(),
        Source::Header(name)
        | Source::Query(name)
        | Source::Field(name)
        | Source::PathVariable(name)
        | Source::Identity(name) => name.clone(),
        Source::Route => "route".to_owned(),
        Source::Method => "method".to_owned(),
        Source::Path => "path".to_owned(),
    }
}

fn name(text: &str) -> Result<String, Wrong> {
    let fits = (1..=LONGEST_NAME).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("the key of a descriptor's entry", "from 1 to 256 bytes, without control characters"))
    }
}
