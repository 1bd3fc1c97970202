//! The house rules that no compiler checks.

mod links;

use std::collections::BTreeSet;

use crate::source::Source;
use crate::workspace::Member;
pub use links::check_links;

/// Lines of a file, its tests aside.
const LONGEST: usize = 600;

/// Text that ties the repository to one machine or registry. In pieces, for this file is checked too.
const NOT_IN_THE_REPOSITORY: &[&str] = &[
    concat!("/wo", "rk/main"),
    concat!("/wo", "rk/shared"),
    concat!("/ro", "ot/"),
    concat!("/tmp/", "target"),
    concat!("pypi", ".org"),
    concat!("deb.debian", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("files.pythonhosted", ".org"),
    concat!("static.crates", ".io"),
];

/// Every crate whose manifest does not take the workspace's lints.
#[must_use]
pub fn check_lints(members: &[Member], sources: &[Source]) -> Vec<String> {
    let lacks = |member: &&Member| {
        let path = format!("{}/Cargo.toml", member.folder);
        let manifest = sources.iter().find(|source| source.path == path);
        !manifest.is_some_and(|manifest| manifest.text.contains("[lints]\nworkspace = true"))
    };
    members
        .iter()
        .filter(lacks)
        .map(|member| format!("{}/Cargo.toml: add `[lints]` with `workspace = true`", member.folder))
        .collect()
}

/// Every crate whose root file does not say what it is and what it does not do. Of a crate with a
/// library that is the library's; of one without, each program's.
#[must_use]
pub fn check_crate_docs(members: &[Member], sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for member in members {
        let library = member.roots.iter().find(|root| root.ends_with("/src/lib.rs"));
        let roots = library.map_or(&member.roots[..], std::slice::from_ref);
        for root in roots {
            let docs: String = sources
                .iter()
                .filter(|source| source.path == *root)
                .flat_map(|source| source.text.lines())
                .take_while(|line| line.starts_with("//!"))
                .collect();
            if !docs.contains("Does not") {
                wrong.push(format!(
                    "{root}: begin with a `//!` that says what {} owns and what it \"Does not\"",
                    member.name
                ));
            }
        }
    }
    wrong
}

/// Every `mod.rs`.
#[must_use]
pub fn check_mod_files(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.path.ends_with("/mod.rs"))
        .map(|source| format!("{}: name it after its folder, beside it", source.path))
        .collect()
}

/// Every Rust file that is too long to be about one idea.
#[must_use]
pub fn check_lengths(sources: &[Source]) -> Vec<String> {
    let ours = |source: &&Source| source.path.ends_with(".rs") && !source.is_test() && !source.is_generated();
    let too_long = |source: &Source| {
        let last = source.code().last().map_or(0, |(number, _)| number);
        (last > LONGEST).then(|| format!("{}: {last} lines; split it (at most {LONGEST})", source.path))
    };
    sources.iter().filter(ours).filter_map(too_long).collect()
}

/// Every test that is switched off, and every wait for time instead of for an event. Tasks in
/// `xtask/` wait for foreign programs, which send no event.
#[must_use]
pub fn check_tests(sources: &[Source]) -> Vec<String> {
    let banned = [
        (concat!("#[ign", "ore"), "a test runs or does not exist", ""),
        (concat!("thread::", "sleep"), "wait for an event, not for time", "xtask/"),
    ];
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        for (index, line) in source.text.lines().enumerate() {
            for (text, why, exempt) in banned {
                let is_exempt = !exempt.is_empty() && source.path.starts_with(exempt);
                if line.contains(text) && !is_exempt {
                    wrong.push(format!("{}:{}: `{text}`: {why}", source.path, index + 1));
                }
            }
        }
    }
    wrong
}

/// Every path of somebody's machine and every registry's host.
#[must_use]
pub fn check_places(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.path != "Cargo.lock") {
        for (index, line) in source.text.lines().enumerate() {
            for place in NOT_IN_THE_REPOSITORY {
                if line.contains(place) {
                    wrong.push(format!("{}:{}: `{place}` holds on one machine only", source.path, index + 1));
                }
            }
        }
    }
    wrong
}

/// Every crate that ARCHITECTURE.md does not name by its folder.
#[must_use]
pub fn check_architecture(members: &[Member], architecture: &str) -> Vec<String> {
    let named: BTreeSet<&str> = architecture
        .split(|c: char| !(c.is_alphanumeric() || "/_-".contains(c)))
        .map(|word| word.trim_end_matches('/'))
        .collect();
    members
        .iter()
        .filter(|member| !named.contains(member.folder.as_str()))
        .map(|member| format!("ARCHITECTURE.md: the code map lacks {}", member.folder))
        .collect()
}
