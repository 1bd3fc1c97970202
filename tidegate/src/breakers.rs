//! `tidegate breakers`: the circuit breakers of a gateway that runs.

use crate::admin::Admin;
use crate::cli::Running;
use crate::exit::{self, Exit};
use clap::{Args, ValueEnum};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    running: Running,

    /// What to do: `open` keeps calls away until the next command, `disable` lets all pass uncounted, `close` closes
    /// it with nothing counted: from there it works by itself. Without it the breakers are shown.
    #[arg(requires = "name")]
    command: Option<Command>,

    /// The breaker, as it is shown: its route and its upstream.
    name: Option<String>,

    /// Only the breaker of this value of its key; without it those of all values, of those to come as well.
    #[arg(long, value_name = "VALUE", requires = "name")]
    key: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Command {
    Open,
    Close,
    Disable,
}

/// Shows the breakers, or tells one what to do and shows it.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let answer = Admin::of(&arguments.running).and_then(|admin| match (arguments.command, &arguments.name) {
        (Some(command), Some(name)) => {
            let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let word = match command {
                Command::Open => "open",
                Command::Close => "close",
                Command::Disable => "disable",
            };
            let key = arguments.key.as_deref().map(|key| format!("?key={}", escaped(key))).unwrap_or_default();
            admin.post(&format!("/api/v1/breakers/{}:{word}{key}", escaped(name)), &[])
        }
        _ => admin.get("/api/v1/breakers"),
    });
    match answer {
        Ok(answer) => answer.failed().unwrap_or_else(|| exit::print(&table(&answer.body))),
        Err(failure) => failure.tell(),
    }
}

/// A line for each breaker, and one below it for each of its keys that is shown.
fn table(body: &Value) -> String {
    let one = std::slice::from_ref(body);
    let breakers = body["breakers"].as_array().map_or(one, Vec::as_slice);
    if breakers.is_empty() {
        return "no route has a breaker\n".into();
    }
    let mut rows: Vec<[String; 5]> = vec![["BREAKER", "STATE", "REFUSED", "BY", "SINCE"].map(str::to_owned)];
    for breaker in breakers {
        let last = breaker["changes"].as_array().and_then(|changes| changes.last());
        let since = last.map_or_else(|| "-".into(), |change| format!("{} {}", text(&change["time"]), why(change)));
        rows.push([
            text(&breaker["name"]),
            text(&breaker["state"]),
            breaker["refused"].to_string(),
            text(&breaker["by"]),
            since,
        ]);
        for key in breaker["keys"]["shown"].as_array().into_iter().flatten() {
            let [name, state] = [format!("  {}", text(&key["key"])), text(&key["state"])];
            rows.push([name, state, key["refused"].to_string(), String::new(), String::new()]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [0, 1, 2, 3].map(width);
    let line = |row: &[String; 5]| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        line.push_str(&row[4]);
        line.trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The reason of a change, with the key whose breaker it was.
fn why(change: &Value) -> String {
    match change["key"].as_str() {
        Some(key) => format!("{} ({key})", text(&change["why"])),
        None => text(&change["why"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
