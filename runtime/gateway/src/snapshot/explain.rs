//! Why a request goes where it goes, for those who ask.

use super::{Found, Host, Snapshot};
use crate::canary::{Rules, Said};
use crate::config::PlainRoute;
use crate::peer::Peer;
use crate::pipeline::{is_native_call, view};
use crate::trust;
use http::request;
use tidegate_traffic::NormalPath;
use tidegate_transcode::Miss;

/// A decision, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Headers that were not looked at, since the peer is not trusted with them.
    pub removed: Vec<String>,
    /// The path in which plain routes see the request, if it is not as it came.
    pub normal_path: Option<String>,
    /// The route that takes the request; if none does, what is answered.
    pub route: Result<Taken, String>,
    /// Routes that do not take it, in the order of the file, http rules after them.
    pub passed: Vec<Passed>,
    /// What the route's canary rules say, up to the one that holds.
    pub canary: Vec<Said>,
    /// A rule's share is told by a plan, which begins with its first step.
    pub has_plan: bool,
    /// The upstream that gets it; `None` if it is not sent on.
    pub upstream: Option<String>,
}

/// The route that takes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The template or the pattern; of a native call the path of the method.
    pub path: String,
    /// The host pattern, `*` for any.
    pub host: String,
    /// `pkg.Service/Method`; `None` of a plain route.
    pub rpc: Option<String>,
}

/// A route that does not take a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The pattern, or `http rules`.
    pub route: String,
    /// The host pattern, `*` for any.
    pub host: String,
    /// Why not: a sentence, lower case, no full stop.
    pub why: String,
}

impl Snapshot {
    /// Decides for a request as the pipeline does, and says why. Counts nothing.
    #[must_use]
    pub fn explain(&self, mut head: request::Parts, peer: &Peer) -> Explanation {
        let before = head.headers.clone();
        trust::cleanse(&mut head.headers, peer);
        let removed = before.keys().filter(|name| !head.headers.contains_key(*name)).map(ToString::to_string);
        let mut explanation = Explanation {
            removed: removed.collect(),
            normal_path: None,
            route: Err("404: nothing is served there".into()),
            passed: Vec::new(),
            canary: Vec::new(),
            has_plan: false,
            upstream: None,
        };
        if is_native_call(&head) {
            self.explain_call(&head, peer, &mut explanation);
        } else {
            self.explain_request(&head, peer, &mut explanation);
        }
        explanation
    }

    fn explain_call(&self, head: &request::Parts, peer: &Peer, explanation: &mut Explanation) {
        let Some(routed) = self.find_rpc(&head.uri, &head.headers) else {
            explanation.route = Err("12 UNIMPLEMENTED: no route has the service".into());
            return;
        };
        let rpc = routed.method.name.trim_start_matches('/').to_owned();
        let host = self.config.routes[routed.method.route].host.to_string();
        explanation.route = Ok(Taken { path: head.uri.path().into(), host, rpc: Some(rpc) });
        self.explain_choice(Some(routed.route.upstream), routed.route.canary.as_ref(), head, peer, explanation);
    }

    fn explain_request(&self, head: &request::Parts, peer: &Peer, explanation: &mut Explanation) {
        let normal = NormalPath::new(head.uri.path());
        if !self.plain.is_empty() {
            explanation.normal_path = match &normal {
                Ok(normal) if **normal == *head.uri.path() => None,
                Ok(normal) => Some(normal.to_string()),
                // That is what is answered.
                Err(_) => None,
            };
        }
        let mut taken_plain = None;
        match self.find(&head.method, &head.uri, &head.headers) {
            Ok(Found::Plain(routed)) => {
                taken_plain = Some(routed.route.index);
                let host = routed.config.host.to_string();
                explanation.route = Ok(Taken { path: routed.route.name.to_string(), host, rpc: None });
                let (upstream, canary) = (routed.route.upstream, routed.route.canary.as_ref());
                self.explain_choice(upstream, canary, head, peer, explanation);
            }
            Ok(Found::Rule(routed)) => {
                let binding = routed.matched.binding;
                let path = format!("{} {}", binding.method_str(), binding.template);
                let host = self.hosts[routed.location.host].pattern.to_string();
                let rpc = Some(binding.rpc.trim_start_matches('/').to_owned());
                explanation.route = Ok(Taken { path, host, rpc });
                let (upstream, canary) = (Some(routed.route.upstream), routed.route.canary.as_ref());
                self.explain_choice(upstream, canary, head, peer, explanation);
            }
            Err(Miss::MethodNotAllowed { allow }) => {
                explanation.route = Err(format!("405: the path is there for {allow}"));
            }
            Err(Miss::BadPath(status)) => explanation.route = Err(format!("400: {}", status.message)),
            Err(Miss::NotFound) => {}
        }
        let others = self.config.plain.iter().enumerate().filter(|(index, _)| Some(*index) != taken_plain);
        let passed = others.map(|(_, route)| Passed {
            route: route.path.to_string(),
            host: route.host.to_string(),
            why: self.why_not(route, normal.as_ref().ok(), head, peer),
        });
        explanation.passed = passed.collect();
        let by_rule = matches!(&explanation.route, Ok(taken) if taken.rpc.is_some());
        if !by_rule {
            let hosts: Vec<&Host> = self.hosts_of(&head.uri, &head.headers).map(|(_, host)| host).collect();
            explanation.passed.extend(hosts.into_iter().filter_map(|host| why_no_rule(host, head)));
        }
    }

    fn explain_choice(
        &self,
        upstream: Option<usize>,
        canary: Option<&Rules>,
        head: &request::Parts,
        peer: &Peer,
        explanation: &mut Explanation,
    ) {
        explanation.upstream = upstream.map(|upstream| self.config.upstreams[upstream].name.clone());
        let Some(canary) = canary else { return };
        explanation.canary = canary.explain(&view(head, peer), &self.config);
        explanation.has_plan = canary.walks().next().is_some();
        if let Some(said) = explanation.canary.last().filter(|said| said.holds) {
            explanation.upstream = Some(said.to.clone());
        }
    }

    fn why_not(&self, route: &PlainRoute, path: Option<&NormalPath<'_>>, head: &request::Parts, peer: &Peer) -> String {
        if !self.hosts_of(&head.uri, &head.headers).any(|(_, host)| host.pattern == route.host) {
            return format!("is for {}", route.host);
        }
        match path {
            None => "refuses the path".into(),
            Some(path) if !route.path.matches(path) => "has another path".into(),
            Some(_) => match route.conditions.check(&view(head, peer)) {
                Err(unmet) => format!("asks that {unmet}"),
                Ok(()) => "is less specific, or comes later".into(),
            },
        }
    }
}

/// Why none of a host's http rules takes a request; `None` if it has none.
fn why_no_rule(host: &Host, head: &request::Parts) -> Option<Passed> {
    host.router.bindings().next()?;
    let why = match host.router.find(&head.method, head.uri.path()) {
        Ok(matched) => {
            let binding = matched.binding;
            format!("{} {} comes later than the route that takes it", binding.method_str(), binding.template)
        }
        Err(Miss::MethodNotAllowed { allow }) => format!("the path is there for {allow}"),
        Err(Miss::NotFound) => "none has the path".into(),
        Err(Miss::BadPath(status)) => status.message,
    };
    Some(Passed { route: "http rules".into(), host: host.pattern.to_string(), why })
}
