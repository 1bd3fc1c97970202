//! `tidegate check`.

use crate::exit::{self, Exit};
use crate::load;
use std::path::Path;

/// Checks a config file as `run` would, without binding ports or calling upstreams.
pub(crate) fn check(path: &Path) -> Exit {
    match load::file(path) {
        Ok(ready) => {
            let config = &ready.snapshot.config;
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

/// `1 route`, `2 routes`.
fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
