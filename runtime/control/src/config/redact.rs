//! What must not be shown of a config.

use crate::yaml::{Kind, Node};
use serde_json::{Map, Value};

/// What stands in the place of a secret.
pub(crate) const HIDDEN: &str = "(secret)";

/// Whether the value of this key is nobody's business. A reference to an environment variable is none.
pub(crate) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["token", "password", "secret", "private_key", "credential", "api_key", "authorization", "cookie"]
        .iter()
        .any(|word| key.contains(word))
}

/// The same for a key of the mapping `parent`: what is sent to a collector of telemetry is what it knows us by,
/// under whatever name.
pub(crate) fn is_secret_in(parent: &str, key: &str) -> bool {
    is_secret(key) || (key == "headers" && parent == "otlp")
}

/// `${NAME}` and nothing else: it names the secret and does not say it.
pub(crate) fn is_reference(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| !inner.is_empty() && inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// A URL without user and password.
pub(crate) fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => format!("{scheme}://***{}", &rest[user.len()..]),
        None => text.to_owned(),
    }
}

/// The tree as JSON, scalars as they are written, without what must not be shown.
pub(crate) fn json(node: &Node) -> Value {
    tree(node, "", false)
}

fn tree(node: &Node, parent: &str, secret: bool) -> Value {
    match &node.kind {
        Kind::Null | Kind::Unknown => Value::Null,
        Kind::Scalar(text) if secret && !is_reference(text) => HIDDEN.into(),
        Kind::Scalar(text) => url(text).into(),
        Kind::List(items) => items.iter().map(|item| tree(item, parent, secret)).collect(),
        Kind::Map(entries) => {
            let entry = |entry: &crate::yaml::Entry| {
                let secret = secret || is_secret_in(parent, &entry.key);
                (entry.key.clone(), tree(&entry.value, &entry.key, secret))
            };
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_reference, is_secret, json, url};
    use crate::diagnostics::Source;
    use crate::yaml;
    use std::sync::Arc;

    #[test]
    fn secrets_go_by_the_names_of_their_keys_and_references_are_none() {
        let text = "admin: { token: t, bind: b }\nset: { Authorization: x, x-a: y }\nkeys: { api_key: [k] }\n\
                    env: { password: '${P}', secret: '${P:-default}' }\nurl: amqp://u:p@h:1/v?x=a@b\n";
        let node = yaml::parse(&Arc::new(Source::new("a", text))).expect("YAML");
        let shown = json(&node).to_string();
        let expected = r#"{"admin":{"bind":"b","token":"(secret)"},"env":{"password":"${P}","secret":"(secret)"},"keys":{"api_key":["(secret)"]},"set":{"Authorization":"(secret)","x-a":"y"},"url":"amqp://***@h:1/v?x=a@b"}"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn headers_for_a_collector_are_secret_whatever_their_names() {
        let text = "headers: { x-team: a }\notlp: { endpoint: e, headers: { x-team: b, x-key: '${K}' } }\n";
        let node = yaml::parse(&Arc::new(Source::new("a", text))).expect("YAML");
        let expected =
            r#"{"headers":{"x-team":"a"},"otlp":{"endpoint":"e","headers":{"x-key":"${K}","x-team":"(secret)"}}}"#;
        assert_eq!(json(&node).to_string(), expected);
    }

    #[test]
    fn the_edges_of_names_references_and_urls() {
        assert_eq!(["identity_headers", "bind", "x-Token"].map(is_secret), [false, false, true]);
        assert_eq!(["${A_1}", "${}", "x${A}", "${A}${B}"].map(is_reference), [true, false, false, false]);
        let urls = ["http://h/a@b", "a@b", "x://u@h", "x://u:p@q@h/1"].map(url);
        assert_eq!(urls, ["http://h/a@b", "a@b", "x://***@h", "x://***@h/1"]);
    }
}
