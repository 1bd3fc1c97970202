//! `tidegate limits`: the rate limits of a gateway that runs, what is used of them, and how a budget is made whole.

use crate::admin::Admin;
use crate::cli::Running;
use crate::exit::{self, Exit};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::fmt::Write as _;

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    running: Running,

    /// The limit; all are listed without.
    name: Option<String>,

    /// Whose budget: a value for each part of the limit's key, in its order.
    #[arg(value_name = "VALUE")]
    key: Vec<String>,

    /// Make that budget whole.
    #[arg(long, requires = "name")]
    reset: bool,

    /// Whom the limit refused most.
    #[arg(long, requires = "name", conflicts_with = "reset", conflicts_with = "key")]
    top: bool,
}

/// Shows limits, or resets a budget.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let answer = Admin::of(&arguments.running).and_then(|admin| match arguments.reset {
        true => admin.post(&path(arguments), &[]),
        false => admin.get(&path(arguments)),
    });
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return failure.tell(),
    };
    if let Some(exit) = answer.failed() {
        return exit;
    }
    let text = match answer.body["limits"].as_array() {
        Some(limits) => {
            table(limits) + &stores(answer.body["stores"].as_array().map(Vec::as_slice).unwrap_or_default())
        }
        None if arguments.top => top(&answer.body),
        None => details(&answer.body),
    };
    exit::print(&text)
}

fn path(arguments: &Arguments) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut path = "/api/v1/limits".to_owned();
    let Some(name) = &arguments.name else { return path };
    let _ = write!(path, "/{}", encoded(name));
    if arguments.reset {
        path.push_str(":reset");
    }
    for (index, value) in arguments.key.iter().enumerate() {
        let _ = write!(path, "{}key={}", if index == 0 { '?' } else { '&' }, encoded(value));
    }
    path
}

const HEAD: [&str; 6] = ["LIMIT", "KEY", "QUOTA", "ADMITTED", "REFUSED", "KEYS"];

fn table(limits: &[Value]) -> String {
    if limits.is_empty() {
        return "the config has no `limits`\n".to_owned();
    }
    columns(HEAD, &limits.iter().map(row).collect::<Vec<_>>())
}

/// Rows below a head, each column as wide as its widest text.
fn columns<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(|column| width(column).max(head[column].len())).collect();
    let head = head.map(str::to_owned);
    let mut out = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{text:<width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The stores of shared limits, if there are any.
fn stores(stores: &[Value]) -> String {
    if stores.is_empty() {
        return String::new();
    }
    let head = ["STORE", "ADDRESS", "STATE", "ASKED", "OPERATIONS", "FALLEN BACK", "MEAN"];
    let row = |store: &Value| {
        let mean = store["meanLatencyUs"].as_u64().map_or_else(|| "-".to_owned(), |micros| format!("{micros} us"));
        let counts = ["asked", "operations", "fallenBack"].map(|name| number(&store[name]));
        let [asked, operations, fallen_back] = counts;
        [text(&store["name"]), text(&store["address"]), state(store), asked, operations, fallen_back, mean]
    };
    format!("\n{}", columns(head, &stores.iter().map(row).collect::<Vec<_>>()))
}

/// `in use`, or why it is not.
fn state(store: &Value) -> String {
    match (store["state"].as_str(), store["failure"].as_str()) {
        (Some("down"), Some(failure)) => format!("down: {failure}"),
        (state, _) => state.unwrap_or_default().to_owned(),
    }
}

/// Whom a limit refused most.
fn top(limit: &Value) -> String {
    let Some(list) = limit["top"].as_array().filter(|list| !list.is_empty()) else {
        return format!("the limit `{}` refused nobody yet\n", text(&limit["name"]));
    };
    let row = |refused: &Value| {
        let unsure = refused["unsure"].as_u64().unwrap_or_default();
        let times = number(&refused["refused"]);
        let key = text(&refused["key"]);
        [
            if key.is_empty() { "-".to_owned() } else { key },
            if unsure > 0 {
                format!("{times} (at least {})", refused["refused"].as_u64().unwrap_or(0) - unsure)
            } else {
                times
            },
        ]
    };
    columns(["KEY", "REFUSED"], &list.iter().map(row).collect::<Vec<_>>())
}

fn row(limit: &Value) -> [String; 6] {
    let refused = match (limit["enforcedPercent"].as_u64(), limit["shadow"].as_u64()) {
        (Some(100) | None, _) => number(&limit["refused"]),
        (Some(0), _) => format!("shadow: {}", number(&limit["shadow"])),
        _ => format!("{} (shadow: {})", number(&limit["refused"]), number(&limit["shadow"])),
    };
    let keys = match limit["keys"].is_object() {
        true => format!("{} of {}", number(&limit["keys"]["known"]), number(&limit["keys"]["most"])),
        false => format!("in {}", text(&limit["store"])),
    };
    [text(&limit["name"]), key(limit), quota(&limit["quota"]), number(&limit["admitted"]), refused, keys]
}

fn details(limit: &Value) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<10} {value}");
    };
    line("limit", text(&limit["name"]));
    line("key", key(limit));
    let usage = &limit["usage"];
    match usage {
        Value::Object(words) if words.contains_key("unknown") => {
            line("quota", quota(&limit["quota"]));
            line("remaining", format!("unknown: {}", text(&usage["unknown"])));
        }
        Value::Object(_) => {
            line("quota", quota(&usage["quota"]));
            line("remaining", number(&usage["remaining"]));
            line("whole in", format!("{} ms", number(&usage["resetMs"])));
        }
        Value::String(word) => line("quota", word.clone()),
        _ => line("quota", quota(&limit["quota"])),
    }
    line("admitted", number(&limit["admitted"]));
    line("refused", number(&limit["refused"]));
    line("shadow", number(&limit["shadow"]));
    if limit["storeState"].is_object() {
        line("store", format!("{}, {}", text(&limit["store"]), state(&limit["storeState"])));
        line("on failure", text(&limit["onFailure"]));
        line("unanswered", number(&limit["unanswered"]));
    }
    out
}

fn key(limit: &Value) -> String {
    let parts: Vec<String> = limit["key"].as_array().into_iter().flatten().map(text).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn quota(quota: &Value) -> String {
    if quota["algorithm"] == "of_service" {
        return quota["rate"].as_str().map_or_else(|| "the service's".to_owned(), |rate| format!("{rate}, told"));
    }
    let mut out = format!("{} {}", text(&quota["algorithm"]), text(&quota["rate"]));
    for name in ["burst", "queue"] {
        if let Some(units) = quota[name].as_u64() {
            let _ = write!(out, ", {name} {units}");
        }
    }
    out
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> String {
    value.as_u64().unwrap_or_default().to_string()
}
