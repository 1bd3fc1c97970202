//! Who goes where, as those who compose it ask for it.

mod balance;
mod breakers;
mod budgets;
mod bulkheads;
mod canaries;
mod conditions;
mod confusion;
mod discovery;
mod gradients;
mod health;
mod outliers;
mod paths;
mod plans;
mod retries;
mod shares;
mod tables;
mod together;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tidegate_traffic::RequestView;

/// A header map of these pairs.
fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        (name, HeaderValue::from_str(value).expect("a value"))
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

/// A GET with these headers, from a peer that is not trusted.
fn get(headers: &HeaderMap) -> RequestView<'_> {
    RequestView { method: &Method::GET, query: None, headers, trusted: false }
}
