//! Where two JSON values differ, for values too large to look at.

use serde_json::{Number, Value};

/// The path of the first difference, and both sides of it. Numbers are compared by value: `1` is
/// `1.0`, while `0` and `-0` differ.
#[must_use]
pub fn difference(one: &Value, other: &Value) -> Option<String> {
    difference_by(one, other, same)
}

/// Like [`difference`], but numbers that are the same `float` are equal: for a printer that does
/// not write a float as short as it could.
#[must_use]
pub fn difference_as_floats(one: &Value, other: &Value) -> Option<String> {
    let float = |number: &Number| number.as_f64().map(|number| number as f32);
    difference_by(one, other, |one, other| same(one, other) || float(one) == float(other))
}

fn difference_by(one: &Value, other: &Value, same: impl Fn(&Number, &Number) -> bool + Copy) -> Option<String> {
    let below = |key: &str, one: &Value, other: &Value| {
        difference_by(one, other, same).map(|difference| format!(".{key}{difference}"))
    };
    match (one, other) {
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.into_iter().find_map(|(index, (one, other))| below(&index.to_string(), one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.keys().chain(other.keys()).find_map(|key| match (one.get(key), other.get(key)) {
                (Some(one), Some(other)) => below(key, one, other),
                (one, other) => Some(format!(".{key}: {} and {}", side(one), side(other))),
            })
        }
        (Value::Number(one), Value::Number(other)) if same(one, other) => None,
        _ if one == other && !one.is_number() => None,
        _ => Some(format!(": {} and {}", side(Some(one)), side(Some(other)))),
    }
}

fn same(one: &Number, other: &Number) -> bool {
    if one.is_f64() || other.is_f64() {
        one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
    } else {
        one == other
    }
}

fn side(value: Option<&Value>) -> String {
    let text = value.map_or("nothing".to_owned(), ToString::to_string);
    text.chars().take(200).collect()
}

/// Bytes as a person may look at them, cut where they get long.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(300).map(|byte| format!("{byte:02x}")).collect();
    let rest = bytes.len() - shown.len();
    if rest == 0 { shown.join(" ") } else { format!("{} … {rest} more", shown.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_by_its_path_and_numbers_are_compared_by_value() {
        let json = |text| serde_json::from_str::<Value>(text).expect("well-formed");
        let one = json(r#"{"a":[{"b":1.0},{"b":-0.0}],"c":"x"}"#);
        assert_eq!(difference(&one, &json(r#"{"c":"x","a":[{"b":1},{"b":-0.0}]}"#)), None);
        assert_eq!(
            difference(&one, &json(r#"{"a":[{"b":1},{"b":0.0}],"c":"x"}"#)),
            Some(".a.1.b: -0.0 and 0.0".to_owned())
        );
        assert_eq!(
            difference(&one, &json(r#"{"a":[{"b":1},{"b":-0.0}],"d":1}"#)),
            Some(".c: \"x\" and nothing".to_owned())
        );
    }
}
