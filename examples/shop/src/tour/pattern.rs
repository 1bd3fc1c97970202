//! JSON with placeholders against JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// What placeholders stand for.
pub(super) type Captured = BTreeMap<String, String>;

/// The key that allows further ones beside it.
const AND_MORE: &str = "...";

/// Replaces each `{{name}}` by what was captured under that name.
///
/// # Panics
/// If nothing was.
pub(super) fn filled(text: &str, captured: &Captured) -> String {
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("invariant: a placeholder of the tour is closed");
        let value = captured.get(name);
        filled.push_str(value.unwrap_or_else(|| panic!("the tour has not captured {name:?} yet")));
        filled.push_str(rest);
    }
    filled
}

/// Compares `actual` at the place `at` with `expected`; captures what its placeholders name.
pub(super) fn matches(at: &str, expected: &Value, actual: &Value, captured: &mut Captured) -> Result<(), String> {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) => string(at, expected, actual, captured),
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.len() != actual.len() {
                return Err(format!("{at} has {} elements instead of {}", actual.len(), expected.len()));
            }
            expected.iter().zip(actual).enumerate().try_for_each(|(index, (expected, actual))| {
                matches(&format!("{at}[{index}]"), expected, actual, captured)
            })
        }
        (Value::Object(expected), Value::Object(actual)) => {
            let open = expected.contains_key(AND_MORE);
            if let Some(key) = actual.keys().find(|key| !open && !expected.contains_key(*key)) {
                return Err(format!("{at}.{key} should not be there: {}", actual[key]));
            }
            for (key, expected) in expected.iter().filter(|(key, _)| *key != AND_MORE) {
                let at = format!("{at}.{key}");
                let actual = actual.get(key).ok_or_else(|| format!("{at} is missing"))?;
                matches(&at, expected, actual, captured)?;
            }
            Ok(())
        }
        _ if expected == actual => Ok(()),
        _ => Err(format!("{at} is {actual} instead of {expected}")),
    }
}

fn string(at: &str, expected: &str, actual: &str, captured: &mut Captured) -> Result<(), String> {
    let placeholder = expected.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let expected = match placeholder {
        Some("*") => return Ok(()),
        Some("time") if is_time(actual) => return Ok(()),
        Some("time") => return Err(format!("{at} is {actual:?}, not a time in UTC")),
        Some(name) => captured.entry(name.to_owned()).or_insert_with(|| actual.to_owned()).as_str(),
        None => expected,
    };
    if expected == actual { Ok(()) } else { Err(format!("{at} is {actual:?} instead of {expected:?}")) }
}

/// `2026-01-05T09:00:00Z`, with 0, 3, 6 or 9 digits of a second's fraction: how ProtoJSON prints a Timestamp.
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    let fractions = ["", ".000", ".000000", ".000000000"];
    fractions.iter().any(|fraction| shape == format!("0000-00-00T00:00:00{fraction}Z"))
}
