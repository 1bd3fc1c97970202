//! `tidegate upstreams`: the endpoints of a gateway that runs.

use crate::admin::Admin;
use crate::cli::Running;
use crate::exit::{self, Exit};
use serde_json::Value;

const HEAD: [&str; 9] =
    ["UPSTREAM", "ENDPOINT", "STATE", "WEIGHT", "IN FLIGHT", "LATENCY", "CONNECTIONS", "EJECTED UNTIL", "WHY"];

/// Prints a line for each endpoint.
pub(crate) fn upstreams(running: &Running) -> Exit {
    let answer = Admin::of(running).and_then(|admin| admin.get("/api/v1/upstreams"));
    match answer {
        Ok(answer) => answer.failed().unwrap_or_else(|| exit::print(&shown(&answer.body))),
        Err(failure) => failure.tell(),
    }
}

fn shown(body: &Value) -> String {
    let upstreams = body["upstreams"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<[String; 9]> = vec![HEAD.map(str::to_owned)];
    let mut notes = String::new();
    for upstream in upstreams {
        let name = text(&upstream["name"]);
        let endpoints = upstream["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.extend(endpoints.iter().map(|endpoint| row(&name, endpoint)));
        if endpoints.is_empty() {
            notes.push_str(&format!("{name} has no endpoints\n"));
        }
        if upstream["panicking"] == true {
            notes.push_str(&format!("{name}: fewer than half of its endpoints are usable, so others are used too\n"));
        }
        if let Some(why) = upstream["lost"].as_str() {
            notes.push_str(&format!("{name}: its endpoints cannot be looked for, those known stay: {why}\n"));
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 9]| {
        let cells: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect::<String>() + &notes
}

fn row(upstream: &str, endpoint: &Value) -> [String; 9] {
    let weight = match endpoint["startingPercent"].as_u64() {
        Some(percent) => format!("{} ({percent} %)", endpoint["weight"]),
        None => endpoint["weight"].to_string(),
    };
    let latency = endpoint["latencyMs"].as_f64().map_or_else(|| "-".into(), |ms| format!("{ms:.1} ms"));
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        upstream.to_owned(),
        text(&endpoint["address"]),
        text(&endpoint["state"]),
        weight,
        endpoint["inFlight"].to_string(),
        latency,
        endpoint["connections"].to_string(),
        or_dash(text(&endpoint["ejectedUntil"])),
        text(&endpoint["why"]),
    ]
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::shown;
    use serde_json::json;

    #[test]
    fn each_endpoint_has_a_line_and_what_is_unusual_a_note() {
        let one = json!({
            "address": "10.0.0.1:80", "state": "ejected", "why": "5 calls in a row failed", "weight": 1, "inFlight": 2,
            "latencyMs": 12.34, "connections": 3, "ejectedUntil": "2026-01-02T03:04:05Z",
        });
        let two = json!({
            "address": "10.0.0.2:80", "state": "healthy", "why": null, "weight": 3, "startingPercent": 40, "inFlight": 0,
            "latencyMs": null, "connections": 0, "ejectedUntil": null,
        });
        let body = json!({ "upstreams": [
            { "name": "shop", "endpoints": [one, two], "panicking": false, "lost": null },
            { "name": "web", "endpoints": [], "panicking": false, "lost": "there is no web in DNS" },
        ] });
        let expected = "\
UPSTREAM  ENDPOINT     STATE    WEIGHT    IN FLIGHT  LATENCY  CONNECTIONS  EJECTED UNTIL         WHY
shop      10.0.0.1:80  ejected  1         2          12.3 ms  3            2026-01-02T03:04:05Z  5 calls in a row failed
shop      10.0.0.2:80  healthy  3 (40 %)  0          -        0            -
web has no endpoints
web: its endpoints cannot be looked for, those known stay: there is no web in DNS
";
        assert_eq!(shown(&body), expected);
    }
}
