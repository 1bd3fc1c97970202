//! `canary`: which requests of a route go to another upstream.

use super::matching;
use super::upstreams::Declared;
use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value;
use crate::yaml::{Kind, Node};
use tidegate_gateway::config::{CanaryPlan, CanaryRule, Listener};
use tidegate_traffic::plan::{Plan, PlanError};
use tidegate_traffic::{Canary, Rule, Share, Split, SplitKey};
use tidegate_upstream::Protocol;

/// What the route is that has the rules.
pub(super) struct Of<'o> {
    /// Its name among all routes.
    pub(super) route: String,
    /// Its calls are gRPC.
    pub(super) calls_services: bool,
    pub(super) upstreams: &'o [Declared],
    pub(super) listeners: &'o [Listener],
}

/// The rules of a route.
pub(super) fn read(fields: &mut Fields<'_>, of: &Of<'_>, cx: &mut Context) -> Vec<CanaryRule> {
    let Some(node) = fields.node("canary", cx) else { return Vec::new() };
    let Some(items) = cx.list("canary", node) else { return Vec::new() };
    let mut rules: Vec<CanaryRule> = Vec::new();
    for item in items {
        let Some(rule) = rule(item, of, &rules, cx) else { continue };
        rules.push(rule);
    }
    warn_of_unreachable(&rules, cx);
    rules
}

fn rule(node: &Node, of: &Of<'_>, before: &[CanaryRule], cx: &mut Context) -> Option<CanaryRule> {
    let mut fields = Fields::of(node, "a canary rule", cx)?;
    let span = fields.span();
    let to = fields.required("to", cx, value::text);
    let name = fields.optional("name", cx, value::name);
    let headers = fields.node("header", cx).map(|node| matching::headers("header", node, cx)).unwrap_or_default();
    let weight = fields.optional("weight", cx, value::share).map(|share| share.value);
    let trusted_only = fields.word("peers", cx, &[("trusted", true)]).unwrap_or(false);
    let salt = to.as_ref().map(|to| to.value.clone()).unwrap_or_default();
    let hash = fields.node("hash", cx).map(|node| hash(node, salt, cx));
    fields.finish(cx);
    if let Some(to) = &to {
        check_target(to, of, cx);
    }
    let (hash, wrong) = (hash.clone().flatten(), matches!(hash, Some(None)));
    if let Some(hash) = hash.as_ref().filter(|_| !trusted_only) {
        warn_of_choice(hash, of.listeners, cx);
    }
    if wrong {
        return None;
    }
    let (split, below, plan) = hash.map_or((None, None, None), |hash| (Some(hash.split), hash.below, hash.plan));
    let rule = Rule { headers, split, below, weight, trusted_only };
    let given = name.is_some();
    if let Some(name) = name.as_ref()
        && let Some(first) = before.iter().find(|rule| rule.name == name.value)
    {
        let (source, first) = (cx.source.clone(), first.place);
        cx.error_with(name.span, format!("two canary rules are named `{}`", name.value), |d| {
            d.label("again here").related(&source, first.into(), "first here")
        });
    }
    let name = name.map_or_else(|| described(&rule, before), |name| name.value);
    let plan = plan.map(|plan| {
        let name = if given { name.clone() } else { format!("{}/{name}", of.route) };
        CanaryPlan { name, plan }
    });
    Some(CanaryRule { name, to: to?.value, rule, plan, place: span.place() })
}

/// It must exist, and take gRPC if that is what it gets.
fn check_target(to: &Located<String>, of: &Of<'_>, cx: &mut Context) {
    let Some(upstream) = super::routes::check_exists(to, of.upstreams, cx) else { return };
    let speaks_h1 = matches!(&upstream.config, Some(config) if config.pool.protocol == Protocol::H1);
    if of.calls_services && speaks_h1 {
        let source = cx.source.clone();
        let message = format!("the upstream `{}` speaks HTTP/1.1, and calls of services need HTTP/2", to.value);
        cx.error_with(to.span, message, |d| {
            d.related(&source, upstream.name_span, "declared here")
                .help("give it the schema of the route's upstream, `schema: { like: … }`, or `protocol: h2`")
        });
    }
}

/// A name for a rule without one: what it looks at.
fn described(rule: &Rule, before: &[CanaryRule]) -> String {
    let mut parts: Vec<String> = rule.headers.iter().map(|(name, _)| format!("header:{name}")).collect();
    match rule.split.as_ref().map(|split| &split.key) {
        Some(SplitKey::Header(name)) => parts.push(format!("hash:{name}")),
        Some(SplitKey::Cookie(name)) => parts.push(format!("cookie:{name}")),
        None => {}
    }
    if rule.weight.is_some() {
        parts.push("weight".into());
    }
    if parts.is_empty() {
        parts.push(if rule.trusted_only { "trusted" } else { "rest" }.into());
    }
    let name = parts.join("+");
    let taken = |name: &str| before.iter().any(|rule| rule.name == name);
    if !taken(&name) {
        return name;
    }
    let numbered = (2..).map(|number| format!("{name}.{number}")).find(|name| !taken(name));
    numbered.unwrap_or(name)
}

// === hash ===

#[derive(Clone)]
struct Hash {
    split: Split,
    key_span: Span,
    below: Option<Share>,
    plan: Option<Plan>,
}

fn hash(node: &Node, salt: String, cx: &mut Context) -> Option<Hash> {
    let mut fields = Fields::of(node, "`hash`", cx)?;
    let span = fields.span();
    let header = fields.optional("header", cx, value::header_name);
    let cookie = fields.optional("cookie", cx, value::cookie_name);
    let salt = fields.optional("salt", cx, value::text).map_or(salt, |salt| salt.value);
    let below = fields.optional("below", cx, value::share).map(|share| share.value);
    let plan = fields.node("plan", cx).map(|node| plan(node, cx));
    let has = |key: &str| fields.entries().iter().any(|entry| entry.key == key);
    let (keys, shares) = ((has("header"), has("cookie")), (has("below"), has("plan")));
    let second = |key: &'static str| fields.key_span(key);
    let (second_key, second_share) = (second("cookie"), second("plan"));
    fields.finish(cx);
    match keys {
        (true, true) => cx.error(second_key, "`hash` has both `header` and `cookie`"),
        (false, false) => cx.error(span, "`hash` needs `header` or `cookie`: what stays with a user"),
        _ => {}
    }
    match shares {
        (true, true) => cx.error(second_share, "`hash` has both `below` and `plan`"),
        (false, false) => cx.error(span, "`hash` needs `below` or `plan`: how many users it takes"),
        _ => {}
    }
    let (key, key_span) = match (header, cookie) {
        (Some(header), None) => (SplitKey::Header(header.value), header.span),
        (None, Some(cookie)) => (SplitKey::Cookie(cookie.value), cookie.span),
        _ => return None,
    };
    let (below, plan) = match (below, plan) {
        (Some(below), None) => (Some(below), None),
        (None, Some(Some(plan))) => (None, Some(plan)),
        _ => return None,
    };
    Some(Hash { split: Split { key, salt }, key_span, below, plan })
}

fn plan(node: &Node, cx: &mut Context) -> Option<Plan> {
    let mut fields = Fields::of(node, "`plan`", cx)?;
    let span = fields.span();
    let steps_node = fields.required_node("steps", cx);
    let steps = steps_node.and_then(|node| cx.scalars("steps", node, value::share));
    let hold = fields.optional("hold", cx, value::duration);
    let min_samples = fields.optional("min_samples", cx, value::count);
    let max_error_rate = fields.optional("max_error_rate", cx, value::share);
    let ratio = fields.optional("max_p99_ratio", cx, value::ratio);
    fields.finish(cx);
    let steps = steps?;
    let given = steps_node.map_or(0, |node| if let Kind::List(items) = &node.kind { items.len() } else { 0 });
    if steps.len() != given {
        return None;
    }
    let mut plan = match Plan::new(steps.iter().map(|step| step.value).collect()) {
        Ok(plan) => plan,
        Err(error) => {
            wrong_steps(error, &steps, steps_node.map_or(span, |node| node.span), cx);
            return None;
        }
    };
    plan.hold = hold.map_or(plan.hold, |hold| hold.value);
    plan.min_samples = min_samples.map_or(plan.min_samples, |count| count.value as u64);
    plan.max_error_rate = max_error_rate.map_or(plan.max_error_rate, |rate| rate.value);
    plan.max_p99_ratio_milli = ratio.map_or(plan.max_p99_ratio_milli, |ratio| ratio.value);
    Some(plan)
}

fn wrong_steps(error: PlanError, steps: &[Located<Share>], list: Span, cx: &mut Context) {
    match error {
        PlanError::NoSteps => cx.error(list, "`steps` is empty: a plan needs at least one"),
        PlanError::EmptyStep { step } => {
            cx.error_with(steps[step].span, "a step of `0%` takes nobody", |d| d.label("begin for example with `1%`"));
        }
        PlanError::NotUp { step } => {
            let (source, before) = (cx.source.clone(), &steps[step - 1]);
            let message =
                format!("the steps of a plan go up, and {} is not more than {}", steps[step].value, before.value);
            cx.error_with(steps[step].span, message, |d| d.related(&source, before.span, "the step before"));
        }
    }
}

// === warnings ===

/// A client that can choose the value can choose its side, and try until it has the one that it wants.
fn warn_of_choice(hash: &Hash, listeners: &[Listener], cx: &mut Context) {
    let SplitKey::Header(name) = &hash.split.key else { return };
    let removes = |listener: &Listener| listener.trust.identity_headers.contains(name);
    if listeners.iter().all(removes) {
        return;
    }
    cx.warn_with(
        hash.key_span,
        format!("any client can choose the header `{name}`, and so its side of the split"),
        |d| d.help("name it in `identity_headers` of the listeners, or limit the rule to `peers: trusted`"),
    );
}

fn warn_of_unreachable(rules: &[CanaryRule], cx: &mut Context) {
    let canary = Canary { rules: rules.iter().map(|rule| rule.rule.clone()).collect() };
    let unreachable = canary.unreachable();
    let Some(all) = unreachable.start.checked_sub(1).and_then(|all| rules.get(all)) else { return };
    for rule in &rules[unreachable] {
        let (source, all) = (cx.source.clone(), all.place);
        cx.warn_with(rule.place.into(), format!("the canary rule `{}` can never be reached", rule.name), |d| {
            d.related(&source, all.into(), "this one takes all requests that come so far")
        });
    }
}
