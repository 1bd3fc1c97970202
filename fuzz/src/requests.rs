//! The requests that the rules of `fuzz.Modern` take.

use crate::schema::SCHEMA;
use std::sync::LazyLock;
use tidegate_transcode::{Router, RouterBuilder};

/// One for each rule: method and path.
pub(crate) const REQUESTS: [(&str, &str); 6] = [
    ("GET", "/q"),
    ("POST", "/w/7"),
    ("POST", "/b/text:part"),
    ("PUT", "/l"),
    ("GET", "/p/one/a/b/c"),
    ("GET", "/watch/me"),
];

/// The rules as annotated.
pub(crate) static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let mut builder = RouterBuilder::new();
    builder.add_service(&SCHEMA, "fuzz.Modern", &[], 0).expect("the rules are good");
    builder.build().expect("the rules differ")
});

/// The request that a byte chooses.
pub(crate) fn chosen(byte: u8) -> (&'static str, &'static str) {
    REQUESTS[usize::from(byte & 7) % REQUESTS.len()]
}
