//! The arrows between the crates, against `cargo metadata`.

use tidegate_tests::layers::{check_arrows, check_core_code, check_core_packages};
use tidegate_tests::source::{Source, files};
use tidegate_tests::workspace::{self, Member, members};

#[track_caller]
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn arrows_between_crates_point_down() {
    none(&check_arrows(&members()));
}

#[test]
fn cores_bring_no_runtime_no_clock_and_no_dom() {
    none(&check_core_packages(&members()));
}

#[test]
fn the_code_of_cores_does_no_io_and_holds_no_values() {
    none(&check_core_code(&files(&workspace::root())));
}

#[test]
fn the_workspace_is_seen_with_its_arrows() {
    let members = members();
    let uses = |from: &str, to: &str| {
        let member = members.iter().find(|member| member.name == from);
        member.is_some_and(|member| member.uses.contains(to))
    };
    assert!(uses("tidegate-transcode", "tidegate-protojson"));
    assert!(uses("tidegate-conformance", "tidegate-protojson"));
    assert!(!uses("tidegate-protojson", "tidegate-transcode"));
}

// What follows checks the checks: each rule is broken once.

fn member(folder: &str, uses: &[&str]) -> Member {
    let room = folder.rsplit('/').next().expect("a folder has a name");
    let name = match room {
        "tidegate" | "xtask" => room.to_owned(),
        _ => format!("tidegate-{room}"),
    };
    let uses = uses.iter().map(|name| (*name).to_owned());
    Member {
        name,
        folder: folder.to_owned(),
        uses: uses.clone().collect(),
        brings: uses.collect(),
        roots: vec![format!("{folder}/src/lib.rs")],
    }
}

fn house(changed: Member) -> Vec<Member> {
    let mut house = vec![
        member("tidegate", &["tidegate-control", "tidegate-schema", "tidegate-shop"]),
        member("embed", &["tidegate-gateway"]),
        member("runtime/control", &["tidegate-gateway", "tidegate-limit"]),
        member("runtime/gateway", &["tidegate-upstream", "tidegate-transcode"]),
        member("runtime/limiter", &["tidegate-limit"]),
        member("runtime/upstream", &["tidegate-telemetry"]),
        member("runtime/telemetry", &[]),
        member("adapters/schema", &["tidegate-transcode"]),
        member("adapters/redis", &["tidegate-limit"]),
        member("core/transcode", &["tidegate-protojson"]),
        member("core/protojson", &[]),
        member("core/limit", &[]),
        member("client", &["tidegate-limit"]),
        member("examples/shop", &["tidegate-protojson"]),
    ];
    house.retain(|member| member.name != changed.name);
    house.push(changed);
    house
}

#[test]
fn the_plan_of_the_house_has_no_violation() {
    assert_eq!(check_arrows(&house(member("core/lock", &[]))), Vec::<String>::new());
}

#[test]
fn each_arrow_that_points_up_or_sideways_is_named() {
    for (folder, uses, rule) in [
        ("core/limit", "tidegate-telemetry", "arrows point down"),
        ("core/limit", "tidegate-protojson", "cores do not know each other"),
        ("core/protojson", "tidegate-transcode", "cores do not know each other"),
        ("adapters/redis", "tidegate-schema", "adapters never see each other"),
        ("runtime/gateway", "tidegate-redis", "only the program names adapters"),
        ("runtime/gateway", "tidegate-control", "arrows point down"),
        ("runtime/gateway", "tidegate-limiter", "arrows point down"),
        ("runtime/telemetry", "tidegate-upstream", "arrows point down"),
        ("runtime/upstream", "tidegate-gateway", "arrows point down"),
        ("runtime/control", "tidegate-shop", "does not use what stands beside it"),
        ("embed", "tidegate", "arrows point down"),
        ("client", "tidegate-telemetry", "arrows point down"),
        ("client", "tidegate-redis", "only the program names adapters"),
        ("runtime/gateway", "tidegate-client", "what services link is not for the gateway"),
    ] {
        let changed = member(folder, &[uses]);
        let expected = format!("{folder}/Cargo.toml: {} must not use {uses}: ", changed.name);
        let violations = check_arrows(&house(changed));
        assert_eq!(violations.len(), 1, "{folder} → {uses}: {violations:?}");
        assert!(violations[0].starts_with(&expected), "{violations:?}");
        assert!(violations[0].contains(rule), "{violations:?}");
    }
}

#[test]
fn a_crate_without_a_room_is_named() {
    let violations = check_arrows(&house(member("common", &[])));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert!(violations[0].starts_with("common: no room of the house"), "{violations:?}");
}

#[test]
fn what_a_core_must_not_bring_is_named() {
    let violations = check_core_packages(&house(member("core/limit", &["bytes", "tokio"])));
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert!(violations[0].starts_with("core/limit/Cargo.toml: tokio comes with"), "{violations:?}");
}

#[test]
fn what_a_cores_code_must_not_have_is_named_by_its_line() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = [
        source("core/limit/src/a.rs", "// Instant\nlet now = Instant::now();\n"),
        source("core/limit/src/b.rs", "struct X { fields: HashMap<String, Value> }\n"),
        source("core/limit/src/c.rs", "let x: serde_json::Value;\n#[cfg(test)]\nmod tests {\nserde_json\n}"),
        source("core/limit/src/d.rs", "names: HashMap<Box<str>, u32>, InstantNoodles\n"),
        source("core/limit/src/e/tests.rs", "use serde_json::Value;\n"),
        source("runtime/gateway/src/a.rs", "use std::fs;\n"),
    ];
    let places: Vec<String> = check_core_code(&sources)
        .iter()
        .map(|violation| violation.split(": ").next().unwrap_or("").to_owned())
        .collect();
    assert_eq!(places, ["core/limit/src/a.rs:2", "core/limit/src/b.rs:1", "core/limit/src/c.rs:1"]);
}
