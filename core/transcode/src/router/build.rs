//! Services and their rules → a router.

use super::{Router, Trie};
use crate::binding::{Binding, Context, Idempotency, resolve};
use crate::problem::{RulePlace, RuleProblem, RuleProblemKind};
use crate::rule::{HttpRule, idempotency_level};
use crate::template::Template;
use std::borrow::Cow;
use std::sync::Arc;
use tidegate_protojson::Schema;
use tidegate_protojson::schema::{Method, Service};

/// Collects services, then checks that their rules can be told apart.
#[derive(Debug, Default)]
pub struct RouterBuilder {
    bindings: Vec<(Binding, Template)>,
}

// === impl RouterBuilder ===

impl RouterBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the bindings of one service of `schema`; each gets `tag`. Services of one router may come
    /// from different schemas.
    ///
    /// `overrides` are the rules of a service config, for any service: of those that select a method,
    /// the last one wins, and replaces the method's annotation. A method without a rule gets none.
    ///
    /// # Errors
    /// Every problem of the service's rules; those that are well-formed were added nonetheless, so that
    /// further services can be checked.
    pub fn add_service(
        &mut self,
        schema: &Schema,
        service: &str,
        overrides: &[HttpRule],
        tag: u32,
    ) -> Result<(), Vec<RuleProblem>> {
        let Some(service) = schema.find_service(service) else {
            let place = RulePlace { selector: service.into(), ..RulePlace::default() };
            return Err(vec![RuleProblem { place, kind: RuleProblemKind::NoService }]);
        };
        let mut problems = unknown_selectors(service, overrides);
        let file: Arc<str> = service.file.as_ref().into();
        for method in &service.methods {
            let selector = format!("{}.{}", service.full_name, method.name);
            // The last one wins, and wins over the annotation.
            let found = match overrides.iter().rev().find(|rule| rule.selector == selector) {
                Some(rule) => Ok(Some(Cow::Borrowed(rule))),
                None => HttpRule::from_method_options(&method.options).map(|rule| rule.map(Cow::Owned)),
            };
            let result = found.and_then(|rule| Ok((rule, idempotency(method)?)));
            match result {
                Ok((None, _)) => {}
                Ok((Some(rule), idempotency)) => {
                    let rpc = format!("/{}/{}", service.full_name, method.name).into();
                    let (selector, file) = (selector.into(), Arc::clone(&file));
                    let context = Context { schema, method, tag, rpc, selector, file, idempotency };
                    self.add_rule(&context, &rule, &mut problems);
                }
                Err(error) => {
                    let place = RulePlace { selector, file: String::from(&*file), ..RulePlace::default() };
                    problems.push(RuleProblem { place, kind: RuleProblemKind::Options(error) });
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Builds the router.
    ///
    /// # Errors
    /// A [`RuleProblemKind::Conflict`] for every rule that nobody could tell from one before it: equal
    /// method and verb, and equal path but for the names of variables.
    pub fn build(self) -> Result<Router, Vec<RuleProblem>> {
        let mut router = Router { bindings: Vec::new(), plain: Trie::default(), verbs: Vec::new() };
        let mut problems = Vec::new();
        for (binding, template) in self.bindings {
            let index = router.bindings.len();
            let trie = match &template.verb {
                None => &mut router.plain,
                Some(verb) => verb_trie(&mut router.verbs, verb),
            };
            match trie.insert(&template.segments, binding.http_method.as_ref(), index) {
                Ok(()) => router.bindings.push(binding),
                Err(other) => problems.push(RuleProblem {
                    place: place(&binding),
                    kind: RuleProblemKind::Conflict(place(&router.bindings[other])),
                }),
            }
        }
        if problems.is_empty() { Ok(router) } else { Err(problems) }
    }

    fn add_rule(&mut self, context: &Context<'_>, rule: &HttpRule, problems: &mut Vec<RuleProblem>) {
        for rule in std::iter::once(rule).chain(&rule.additional) {
            match resolve(context, rule) {
                Ok(bound) => self.bindings.push(bound),
                Err(kinds) => problems.extend(kinds.into_iter().map(|kind| problem(context, rule, kind))),
            }
        }
        for nested in rule.additional.iter().filter(|additional| !additional.additional.is_empty()) {
            problems.push(problem(context, nested, RuleProblemKind::NestedAdditional));
        }
    }
}

fn verb_trie<'v>(verbs: &'v mut Vec<(Box<[u8]>, Trie)>, verb: &[u8]) -> &'v mut Trie {
    let index = verbs.iter().position(|(known, _)| **known == *verb).unwrap_or_else(|| {
        verbs.push((verb.into(), Trie::default()));
        verbs.len() - 1
    });
    &mut verbs[index].1
}

/// Rules that select what looks like a method of `service`, but is none.
fn unknown_selectors(service: &Service, overrides: &[HttpRule]) -> Vec<RuleProblem> {
    let is_unknown = |rule: &&HttpRule| {
        let method = rule.selector.strip_prefix(&*service.full_name).and_then(|rest| rest.strip_prefix('.'));
        method.is_some_and(|name| !service.methods.iter().any(|method| &*method.name == name))
    };
    let place = |rule: &HttpRule| RulePlace {
        selector: rule.selector.clone(),
        file: String::new(),
        method: rule.method.as_str().into(),
        template: rule.template.clone(),
    };
    let problem = |rule| RuleProblem { place: place(rule), kind: RuleProblemKind::NoMethod };
    overrides.iter().filter(is_unknown).map(problem).collect()
}

fn problem(context: &Context<'_>, rule: &HttpRule, kind: RuleProblemKind) -> RuleProblem {
    let place = RulePlace {
        selector: String::from(&*context.selector),
        file: String::from(&*context.file),
        method: rule.method.as_str().into(),
        template: rule.template.clone(),
    };
    RuleProblem { place, kind }
}

fn place(binding: &Binding) -> RulePlace {
    RulePlace {
        selector: String::from(&*binding.selector),
        file: String::from(&*binding.file),
        method: binding.method_str().into(),
        template: binding.template.clone(),
    }
}

fn idempotency(method: &Method) -> Result<Idempotency, tidegate_protojson::wire::WireError> {
    idempotency_level(&method.options).map(Idempotency::of_level)
}
