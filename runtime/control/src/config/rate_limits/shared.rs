//! What only limits have that gateways share: `store`, `on_failure`, `lease`.

use super::percent;
use crate::config::stores::{Declared, LOCAL};
use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{Kind, Node};
use std::time::Duration;
use tidegate_limit::rules::{FailurePolicy, Limit};

/// Longer leases take more of a burst than they save questions.
const LONGEST_LEASE: Duration = Duration::from_secs(10);

/// What a limit says of its store.
#[derive(Debug, Default)]
pub(super) struct Shared {
    store: Option<String>,
    failure: FailurePolicy,
    lease: Option<Duration>,
}

impl Shared {
    pub(super) fn fill(self, limit: &mut Limit) {
        (limit.store, limit.failure, limit.lease) = (self.store, self.failure, self.lease);
    }
}

pub(super) fn read(
    fields: &mut Fields<'_>,
    stores: &[Declared],
    keys: Option<&Located<usize>>,
    cx: &mut Context,
) -> Shared {
    let store = fields.optional("store", cx, value::name).filter(|store| store.value != LOCAL);
    let failure = fields.node("on_failure", cx).and_then(|node| Some((on_failure(node, cx)?, node.span)));
    let lease = fields.optional("lease", cx, lease);
    let Some(store) = store else {
        let spans = [("on_failure", failure.map(|(_, span)| span)), ("lease", lease.as_ref().map(|lease| lease.span))];
        for (key, span) in spans {
            let Some(span) = span else { continue };
            cx.error_with(span, format!("`{key}` is for limits that gateways share"), |d| {
                d.label("name their store: `store: NAME`, one of `stores`")
            });
        }
        return Shared::default();
    };
    if let Some(keys) = keys {
        cx.error_with(keys.span, "`keys` is for limits that this process keeps by itself", |d| {
            d.label(format!("remove it: `{}` has room for as many as its memory holds", store.value))
        });
    }
    let Some(known) = stores.iter().find(|known| known.name == store.value) else {
        cx.unknown_name("store", &store, stores.iter().map(|store| store.name.as_str()).chain([LOCAL]));
        return Shared::default();
    };
    if known.is_service {
        of_service(&known.name, failure, lease.as_ref(), fields.has("rate"), cx);
    }
    let shares = |failure| matches!(failure, FailurePolicy::LocalShare | FailurePolicy::Reserve(_));
    if let Some((_, span)) = failure.filter(|(failure, _)| shares(*failure))
        && known.config.as_ref().is_some_and(|store| store.store.nodes.is_none())
    {
        cx.error_with(span, "a share for each gateway, and it is not said how many there are", |d| {
            d.label(format!("say the most of them that will run at a time: `nodes` of the store `{}`", known.name))
        });
    }
    Shared {
        store: Some(store.value),
        failure: failure.map(|(failure, _)| failure).unwrap_or_default(),
        lease: lease.and_then(|lease| lease.value),
    }
}

/// What a rate limit service cannot do.
fn of_service(
    store: &str,
    failure: Option<(FailurePolicy, Span)>,
    lease: Option<&Located<Option<Duration>>>,
    has_rate: bool,
    cx: &mut Context,
) {
    match failure {
        Some((FailurePolicy::Reserve(_), span)) => {
            cx.error_with(
                span,
                format!("a part of what the rate limit service `{store}` keeps cannot be reserved"),
                |d| d.label("say `open`, `closed` or `local_share`"),
            );
        }
        Some((FailurePolicy::LocalShare, span)) if !has_rate => {
            cx.error_with(span, format!("a share of a quota that only the rate limit service `{store}` knows"), |d| {
                d.label("say the quota: `rate`, which the service is told then")
            });
        }
        _ => {}
    }
    if let Some(lease) = lease.filter(|lease| lease.value.is_some()) {
        cx.error_with(lease.span, format!("the rate limit service `{store}` lends nothing in advance"), |d| {
            d.label("remove it")
        });
    }
}

const WORDS: [(&str, FailurePolicy); 3] =
    [("closed", FailurePolicy::Closed), ("open", FailurePolicy::Open), ("local_share", FailurePolicy::LocalShare)];

/// `closed`, `open`, `local_share`, or `{ reserve: 20% }`.
fn on_failure(node: &Node, cx: &mut Context) -> Option<FailurePolicy> {
    if let Kind::Scalar(_) = &node.kind {
        return cx.word("on_failure", node, &WORDS);
    }
    let mut fields = Fields::of(node, "`on_failure`", cx)?;
    let reserve = fields.required("reserve", cx, percent);
    fields.finish(cx);
    let reserve = reserve?;
    if !(1..=99).contains(&reserve.value.get()) {
        let span: Span = reserve.span;
        cx.error_with(span, "a reserve is from `1%` to `99%` of the limit", |d| {
            d.label("all of it would be `local_share`, none `closed`")
        });
        return None;
    }
    Some(FailurePolicy::Reserve(reserve.value))
}

/// A duration, or `off`.
fn lease(text: &str) -> Result<Option<Duration>, Wrong> {
    if text == "off" {
        return Ok(None);
    }
    let lease = value::duration(text)?;
    if lease < Duration::from_millis(1) || lease > LONGEST_LEASE {
        return Err(Wrong::new("an age", "from `1ms` to `10s`, or `off`"));
    }
    Ok(Some(lease))
}
