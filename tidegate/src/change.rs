//! `tidegate diff` and `tidegate reload`: the config of a gateway that runs.

use crate::admin::Admin;
use crate::cli::Running;
use crate::exit::{self, Exit};
use crate::load::Failure;
use serde_json::{Value, json};
use tidegate_control::{files, not_read};
use tidegate_source::Part;

/// Prints in what the config file differs from the config in force, a line for each value.
pub(crate) fn diff(running: &Running) -> Exit {
    match differences(running) {
        Ok(exit) => exit,
        Err(failure) => failure.tell(),
    }
}

/// Lets the gateway read its config again.
pub(crate) fn reload(running: &Running) -> Exit {
    let answer = Admin::of(running).and_then(|admin| admin.post("/api/v1/config:reload", &[]));
    match answer {
        Ok(answer) => answer.failed().unwrap_or_else(|| {
            let current = &answer.body["inForce"];
            let text = |key: &str| current[key].as_str().unwrap_or_default().to_owned();
            let generation = &answer.body["generation"];
            exit::print(&format!(
                "generation {generation} is in force: {}, from {}\n",
                text("revision"),
                text("origin")
            ))
        }),
        Err(failure) => failure.tell(),
    }
}

fn differences(running: &Running) -> Result<Exit, Failure> {
    let document = files::read(&running.config).map_err(|error| Failure::config(not_read(&error)))?;
    let admin = Admin::of(running)?;
    let part = |part: &Part| json!({ "name": part.name, "text": String::from_utf8_lossy(&part.text) });
    let body: Value = document.parts.iter().map(part).collect();
    let answer = admin.post("/api/v1/config:diff?parts", body.to_string().as_bytes())?;
    if let Some(exit) = answer.failed() {
        return Ok(exit);
    }
    let changes = answer.body["changes"].as_array().cloned().unwrap_or_default();
    if changes.is_empty() {
        return Ok(exit::print("no difference\n"));
    }
    Ok(exit::print(&changes.iter().map(|change| line(change) + "\n").collect::<String>()))
}

fn line(change: &Value) -> String {
    let path = change["path"].as_str().unwrap_or_default();
    match (change["before"].as_str(), change["after"].as_str()) {
        (None, Some(after)) => format!("+ {path}: {after}"),
        (Some(before), None) => format!("- {path}: {before}"),
        (before, after) => format!("~ {path}: {} -> {}", before.unwrap_or_default(), after.unwrap_or_default()),
    }
}
