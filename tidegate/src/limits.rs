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
        Some(limits) => table(limits),
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
    let rows: Vec<[String; 6]> = limits.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0).max(HEAD[column].len());
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let head = HEAD.map(str::to_owned);
    let mut out = String::new();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{text:<width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn row(limit: &Value) -> [String; 6] {
    let refused = match (limit["enforcedPercent"].as_u64(), limit["shadow"].as_u64()) {
        (Some(100) | None, _) => number(&limit["refused"]),
        (Some(0), _) => format!("shadow: {}", number(&limit["shadow"])),
        _ => format!("{} (shadow: {})", number(&limit["refused"]), number(&limit["shadow"])),
    };
    let keys = format!("{} of {}", number(&limit["keys"]["known"]), number(&limit["keys"]["most"]));
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
    out
}

fn key(limit: &Value) -> String {
    let parts: Vec<String> = limit["key"].as_array().into_iter().flatten().map(text).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn quota(quota: &Value) -> String {
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
