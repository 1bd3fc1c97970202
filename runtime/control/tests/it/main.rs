//! The control plane as the program uses it.

mod admin;
mod balancing;
mod board;
mod breaker;
mod canary;
mod environment;
mod fetch;
mod files;
mod follow;
mod forwarding;
mod found;
mod good;
mod http_rules;
mod limits;
mod plain_routes;
mod rate_limit_service;
mod rate_limits;
mod reflecting;
mod rejects;
mod resilience;
mod routes;
mod schemas;
mod service_stores;
mod stores;
mod syntax;
mod telemetry;
mod upstreams;

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tidegate_control::{Loaded, Report, Source};

/// What a config that is otherwise right needs, in one line each.
const LISTENERS: &str = "listeners: [{ bind: 127.0.0.1:0 }]";
const UPSTREAMS: &str = "upstreams: { shop: { endpoints: [127.0.0.1:50051], schema: { proto: [proto] } } }";
const ROUTES: &str = "routes: [{ service: shop.v1.Orders, upstream: shop }]";

/// A folder with these files, and with an empty folder `proto`.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("proto")).expect("create a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("create folders");
        fs::write(path, text).expect("write a file");
    }
    folder
}

/// Parses a config that stands in `folder`, with the given environment.
fn parse_in(folder: &Path, text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Report> {
    let environment = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let source = Source::new("tidegate.yaml", text);
    tidegate_control::parse(source, folder, &environment)
}

fn parse(text: &str) -> Result<Loaded, Report> {
    parse_in(folder(&[]).path(), text, &[])
}

/// The rendered report about a config that is wrong; paths below `folder` are shown relative to it.
#[track_caller]
fn report_in(folder: &Path, text: &str, variables: &[(&str, &str)]) -> String {
    match parse_in(folder, text, variables) {
        Ok(_) => panic!("this config was taken:\n{text}"),
        Err(report) => report.to_string().replace(&format!("{}/", folder.display()), ""),
    }
}

/// Checks the whole report about a config that is wrong.
#[track_caller]
fn rejects(text: &str, expected: &str) {
    rejects_with(&[], text, expected);
}

/// The same, with further files in the folder of the config.
#[track_caller]
fn rejects_with(files: &[(&str, &str)], text: &str, expected: &str) {
    same(&report_in(folder(files).path(), text, &[]), expected);
}

/// Compares a whole report with one that is written with a line break in front.
#[track_caller]
fn same(report: &str, expected: &str) {
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    assert!(report == expected, "the report is\n{report}\nand should be\n{expected}");
}

/// A config made of these lines.
fn lines(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
