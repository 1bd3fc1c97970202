//! `tidegate check`.

use crate::exit::{self, Exit};
use crate::follow;
use crate::load::{self, Ready};
use std::path::Path;
use tidegate_control::{Diagnostic, Report};
use tidegate_gateway::config::Upstream;
use tidegate_limiter::config::Descriptor;

/// Checks a config file as `run` would, without binding ports. Upstreams are called only `online`: those
/// that tell their schema.
pub(crate) fn check(path: &Path, online: bool) -> Exit {
    let loaded = if online { load::file_online(path) } else { load::file(path) };
    match loaded {
        Ok(ready) => {
            if !online {
                eprint!("{}", unchecked(&ready));
            }
            exit::print(&format!("{} is right: {}\n", path.display(), summary(&ready)))
        }
        Err(failure) => {
            let exit = failure.tell();
            eprintln!("\n{}: {}", path.display(), counted(failure.report.errors(), "error"));
            exit
        }
    }
}

/// What there is: of the gateway, if there is one, and of the rate limit service.
fn summary(ready: &Ready) -> String {
    let (config, service) = (&ready.snapshot.config, &ready.candidate.loaded.rate_limit_service);
    let mut parts = Vec::new();
    if !config.listeners.is_empty() || service.is_none() {
        let rules = ready.snapshot.route_lines().iter().filter(|line| line.rpc != PLAIN).count();
        parts.push(counted(config.listeners.len(), "listener"));
        parts.push(counted(config.upstreams.len(), "upstream"));
        parts.push(counted(config.routes.len() + config.plain.len(), "route"));
        parts.push(counted(rules, "http rule"));
    }
    if let Some(service) = service {
        let domains = &service.config.domains;
        let limits = domains.iter().map(|domain| limits(&domain.descriptors)).sum();
        let (domains, limits) = (counted(domains.len(), "domain"), counted(limits, "limit"));
        parts.push(format!("{domains} with {limits} of the rate limit service"));
    }
    parts.join(", ")
}

/// What stands in the place of a method, of a route that is none of a service.
const PLAIN: &str = "-";

/// Limits of these levels and of those below.
fn limits(descriptors: &[Descriptor]) -> usize {
    descriptors.iter().map(|level| usize::from(level.limit.is_some()) + limits(&level.descriptors)).sum()
}

/// Warnings about what only upstreams can tell.
fn unchecked(ready: &Ready) -> Report {
    let warning = |upstream: &Upstream| {
        let message = format!("the schema of `{}` is not checked: the upstream tells it itself", upstream.name);
        Diagnostic::warning(message)
            .at(ready.source(), upstream.schema.place.into())
            .help("`check --online` asks the upstream")
    };
    let upstreams = ready.snapshot.config.upstreams.iter();
    Report::new(upstreams.filter(|upstream| follow::reflects(upstream)).map(warning).collect())
}

/// `1 route`, `2 routes`.
fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
