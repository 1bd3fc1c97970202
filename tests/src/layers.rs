//! Which crate may use which: the folders are the layers, and arrows point down only.

use crate::source::{self, Source};
use crate::workspace::Member;

/// A crate's place in the house, by its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// `core/`: pure logic.
    Core,
    /// `adapters/`: one foreign system each.
    Adapter,
    /// `client/`: what services link. Knows cores alone.
    Client,
    /// `runtime/telemetry`.
    Telemetry,
    /// `runtime/upstream`.
    Upstream,
    /// `runtime/gateway`, `runtime/coordinator`, `runtime/limiter`.
    DataPlane,
    /// `runtime/control`.
    Control,
    /// `embed/`.
    Embed,
    /// `tidegate/`, the program.
    Program,
    /// Everything beside the product: examples, tests, benches, tasks. Uses what it likes.
    Beside,
}

impl Room {
    /// The room of a folder; an error that says what to do for a folder that has none.
    ///
    /// # Errors
    /// The folder is not in the house's plan.
    pub fn of(folder: &str) -> Result<Self, String> {
        Ok(match folder.split_once('/').unwrap_or((folder, "")) {
            ("core", _) => Self::Core,
            ("adapters", _) => Self::Adapter,
            ("runtime", "telemetry") => Self::Telemetry,
            ("runtime", "upstream") => Self::Upstream,
            ("runtime", "gateway" | "coordinator" | "limiter") => Self::DataPlane,
            ("runtime", "control") => Self::Control,
            ("embed", "") => Self::Embed,
            ("tidegate", "") => Self::Program,
            ("client", "") => Self::Client,
            ("examples" | "tests" | "bench" | "fuzz" | "xtask", _) => Self::Beside,
            _ => {
                return Err(format!(
                    "{folder}: no room of the house. Put the crate where ARCHITECTURE.md has its \
                     kind, or add the room there and to Room::of"
                ));
            }
        })
    }
}

/// Pairs of crates in one layer that may use each other in this direction.
const WITHIN: [(&str, &str); 1] = [("tidegate-transcode", "tidegate-protojson")];

/// Crates beside the product that the product may use: the demo.
const BESIDE_FOR_THE_PROGRAM: [&str; 1] = ["tidegate-shop"];

/// What must not come with a core, directly or through others: runtimes, sockets, clocks,
/// randomness, serialization of others, DOMs.
const NOT_IN_CORE: &[&str] = &[
    "async-std",
    "axum",
    "chrono",
    "fastrand",
    "futures-executor",
    "getrandom",
    "h2",
    "hyper",
    "hyper-util",
    "jiff",
    "mio",
    "polling",
    "prost",
    "prost-reflect",
    "prost-types",
    "protox",
    "rand",
    "rand_core",
    "reqwest",
    "rusqlite",
    "serde",
    "serde_json",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tokio-util",
    "tonic",
    "tracing",
];

/// Text that must not stand in a core's code (tests and comments aside), and why.
const NOT_IN_CORE_TEXT: &[(&str, &str)] = &[
    ("prost_reflect", "descriptors are parsed by our own code"),
    ("serde_json", "JSON is read and written without a DOM"),
    ("DynamicMessage", "messages are translated, never held"),
    ("std::fs", "a core does no I/O"),
    ("std::net::Tcp", "a core does no I/O"),
    ("std::net::Udp", "a core does no I/O"),
    ("std::thread", "a core has no threads of its own"),
    ("std::env", "a core gets its configuration as values"),
    ("std::process", "a core does no I/O"),
    ("Instant", "time is an argument: now as a Duration"),
    ("SystemTime", "time is an argument: now as a Duration"),
    ("println!", "a core does no I/O"),
    ("async fn", "a core does not wait"),
];

/// Every arrow that points the wrong way, and every crate without a room.
#[must_use]
pub fn check_arrows(members: &[Member]) -> Vec<String> {
    let mut wrong = Vec::new();
    for from in members {
        let from_room = match Room::of(&from.folder) {
            Ok(room) => room,
            Err(message) => {
                wrong.push(message);
                continue;
            }
        };
        let used = members.iter().filter(|to| from.uses.contains(&to.name));
        for to in used {
            // A folder without a room is reported by itself.
            let Ok(to_room) = Room::of(&to.folder) else { continue };
            if let Err(rule) = allowed((&from.name, from_room), (&to.name, to_room)) {
                wrong.push(format!("{}/Cargo.toml: {} must not use {}: {rule}", from.folder, from.name, to.name));
            }
        }
    }
    wrong
}

fn allowed(from: (&str, Room), to: (&str, Room)) -> Result<(), &'static str> {
    let ((from, from_room), (to, to_room)) = (from, to);
    if from_room == Room::Beside || WITHIN.contains(&(from, to)) {
        return Ok(());
    }
    match to_room {
        Room::Beside if from_room == Room::Program && BESIDE_FOR_THE_PROGRAM.contains(&to) => Ok(()),
        Room::Beside => Err("the product does not use what stands beside it"),
        Room::Client => Err("what services link is not for the gateway; take the core behind it"),
        Room::Core if from_room == Room::Core => Err("cores do not know each other"),
        Room::Adapter if from_room == Room::Adapter => Err("adapters never see each other"),
        Room::Adapter if from_room != Room::Program => Err("only the program names adapters; take a port of a core"),
        _ if to_room < from_room => Ok(()),
        _ => Err("arrows point down: program, embed, control, gateway, upstream, telemetry, adapters, core"),
    }
}

/// Every package that comes with a core and must not.
#[must_use]
pub fn check_core_packages(members: &[Member]) -> Vec<String> {
    let cores = members.iter().filter(|member| member.folder.starts_with("core/"));
    let mut wrong = Vec::new();
    for core in cores {
        for package in NOT_IN_CORE.iter().filter(|name| core.brings.contains(**name)) {
            wrong.push(format!(
                "{}/Cargo.toml: {package} comes with {}; a core is pure logic (see it with \
                 `cargo tree -p {} -e normal -i {package}`)",
                core.folder, core.name, core.name
            ));
        }
    }
    wrong
}

/// Every line of a core's code (its tests, examples and benches aside) that has what a core must not have.
#[must_use]
pub fn check_core_code(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let in_core =
        |source: &&Source| source.path.starts_with("core/") && source.path.contains("/src/") && !source.is_test();
    let cores = sources.iter().filter(in_core).filter(|source| source.path.ends_with(".rs"));
    for source in cores {
        for (number, line) in source.code() {
            for (text, why) in NOT_IN_CORE_TEXT {
                if source::has_word(line, text) {
                    wrong.push(format!("{}:{number}: `{text}`: {why}", source.path));
                }
            }
            if map_of_values(line) {
                wrong.push(format!("{}:{number}: a map of values: messages are translated, never held", source.path));
            }
        }
    }
    wrong
}

/// A map whose values are JSON or message values.
fn map_of_values(line: &str) -> bool {
    ["HashMap<", "BTreeMap<", "IndexMap<"].iter().any(|map| {
        line.split(map).skip(1).any(|arguments| {
            let value = arguments.split_once(',').map_or("", |(_, value)| value);
            ["Value>", "Value<", "Json>", "Any>"].iter().any(|kind| value.trim_start().contains(kind))
        })
    })
}
