//! `tidegate check`.

use crate::exit::{self, Exit};
use crate::follow;
use crate::load::{self, Ready};
use std::path::Path;
use tidegate_control::{Diagnostic, Report};
use tidegate_gateway::config::Upstream;

/// Checks a config file as `run` would, without binding ports. Upstreams are called only `online`: those
/// that tell their schema.
pub(crate) fn check(path: &Path, online: bool) -> Exit {
    let loaded = if online { load::file_online(path) } else { load::file(path) };
    match loaded {
        Ok(ready) => {
            let config = &ready.snapshot.config;
            if !online {
                eprint!("{}", unchecked(&ready));
            }
            exit::print(&format!(
                "{} is right: {}, {}, {}, {}\n",
                path.display(),
                counted(config.listeners.len(), "listener"),
                counted(config.upstreams.len(), "upstream"),
                counted(config.routes.len(), "route"),
                counted(ready.snapshot.route_lines().len(), "http rule"),
            ))
        }
        Err(failure) => {
            let exit = failure.tell();
            eprintln!("\n{}: {}", path.display(), counted(failure.report.errors(), "error"));
            exit
        }
    }
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
