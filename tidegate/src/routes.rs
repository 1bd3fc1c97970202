//! `tidegate routes`.

mod explain;

use crate::exit::{self, Exit};
use crate::load;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidegate_gateway::snapshot::RouteLine;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The config file. Paths in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = "tidegate.yaml", global = true)]
    config: PathBuf,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which route and which upstream a request would get, and why. Nothing is sent.
    Test(explain::Question),
}

/// Prints which HTTP requests become which calls, or what becomes of one. Upstreams that tell their schema are
/// asked for it.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let ready = match load::file_online(&arguments.config) {
        Ok(ready) => ready,
        Err(failure) => return failure.tell(),
    };
    match &arguments.command {
        None => exit::print(&table(&ready.snapshot.route_lines())),
        Some(Command::Test(question)) => exit::print(&explain::answer(&ready.snapshot, question)),
    }
}

/// Columns of equal width, two spaces apart; the host only if a route has one.
fn table(lines: &[RouteLine]) -> String {
    let has_hosts = lines.iter().any(|line| line.host != "*");
    let mut rows = vec![cells(["METHOD", "PATH", "RPC", "UPSTREAM", "HOST"], has_hosts)];
    rows.extend(lines.iter().map(|l| cells([&l.method, &l.path, &l.rpc, &l.upstream, &l.host], has_hosts)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cells(cells: [&str; 5], has_hosts: bool) -> Vec<String> {
    let count = if has_hosts { 5 } else { 4 };
    cells.into_iter().take(count).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
