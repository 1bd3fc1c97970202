//! Requests made to look like others: what a route decided on is what its upstream gets.

use crate::headers;
use http::{HeaderName, Method};
use proptest::prelude::*;
use proptest::test_runner::Config;
use tidegate_traffic::{
    Canary, Conditions, Entry, NormalPath, PathPattern, RequestView, Rule, Share, Table, ValueMatch,
};

/// A million in all; fewer where checks of arithmetic make each of them slow.
const REQUESTS: u32 = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };

/// The routes: what is below `/admin/` and `/assets/private/` is guarded.
const PATTERNS: [&str; 5] = ["/*", "/admin", "/admin/*", "/assets/*", "/assets/private/*"];

fn table() -> Table {
    let entry = |(order, pattern): (usize, &&str)| Entry {
        pattern: PathPattern::parse(pattern).expect("a pattern"),
        conditions: Conditions::default(),
        order,
    };
    Table::new(PATTERNS.iter().enumerate().map(entry).collect())
}

/// Which of the patterns a server behind us would say a path belongs to. It is a careless one: it decodes until
/// there is nothing to decode, cuts parameters off, takes backslashes for slashes, and ends at a NUL.
fn careless_server(path: &str) -> usize {
    let mut bytes = path.as_bytes().to_vec();
    while let Some(decoded) = decode_once(&bytes) {
        bytes = decoded;
    }
    bytes.truncate(bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()));
    let text = String::from_utf8_lossy(&bytes).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    let mut below = false;
    for segment in text.split('/') {
        let name = segment.split(';').next().unwrap_or_default();
        below = matches!(name, "" | "." | "..");
        match name {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    match segments.as_slice() {
        ["admin"] if !below => 1,
        ["admin", ..] => 2,
        ["assets", "private", _, ..] => 4,
        ["assets", "private"] if below => 4,
        ["assets", _, ..] => 3,
        ["assets"] if below => 3,
        _ => 0,
    }
}

fn decode_once(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut any = false;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = digits.filter(|_| bytes[at] == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
        any |= byte.is_some();
    }
    any.then_some(out)
}

/// What attackers put together.
fn paths() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "//",
        "/./",
        "/../",
        "/..",
        "/.",
        "..",
        ".",
        "%2e",
        "%2E%2e",
        "%2F",
        "%2f",
        "%5C",
        "\\",
        "%00",
        ";",
        ";x=1",
        "..;",
        "/..;/",
        "/.;/",
        "%3B",
        "admin",
        "%61dmin",
        "ad%6Din",
        "assets",
        "/assets/",
        "private",
        "priv%61te",
        "/admin/",
        "/admin",
        "x",
        "%",
        "%zz",
        "%20",
        "é",
        "%c3%a9",
        "?",
        "ADMIN",
        "*",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(Config { cases: REQUESTS, ..Config::default() })]

    #[test]
    fn no_path_reaches_what_another_route_guards(raw in paths()) {
        let table = table();
        let raw = raw.split('?').next().unwrap_or_default();
        let headers = headers(&[]);
        let view = RequestView { method: &Method::GET, query: None, headers: &headers, trusted: false };
        if let Ok(path) = NormalPath::new(raw) {
            let route = table.find(&path, &view, None).expect("the first takes all");
            // Of parameters and escaped percent signs a server may think what it likes, as long as it does not
            // find another place by them.
            let odd = path.contains(';') || path.contains("%25") || path.contains("%3B");
            prop_assert!(odd || careless_server(&path) == route, "{} is {}: {}", raw, &*path, route);
            // And it never climbs out of what was matched.
            prop_assert!(path.split('/').all(|segment| !matches!(segment.split(';').next(), Some("." | ".."))));
        }
    }

    #[test]
    fn no_spelling_of_a_name_stands_for_another(
        name in prop::sample::select(vec!["x_user_id", "x-user_id", "X_USER-ID", "x-user-id-", "x--user-id", "-x-user-id", "xuserid", "x.user.id", "X-User-Id", "x-user-id"]),
        value in "[a-z0-9,;= ]{0,12}",
    ) {
        let id = HeaderName::from_static("x-user-id");
        let canary = Canary { rules: vec![Rule { headers: vec![(id, ValueMatch::Present)], ..Rule::default() }] };
        let map = headers(&[(name, &value)]);
        let view = RequestView { method: &Method::GET, query: None, headers: &map, trusted: false };
        let decided = canary.decide(&view, 0, &|_: usize| Share::NONE).rule.is_some();
        prop_assert_eq!(decided, name.eq_ignore_ascii_case("x-user-id"));
    }

    #[test]
    fn what_is_for_trusted_peers_no_other_gets(
        name in prop::sample::select(vec!["x-region", "X-Region", "x_region", "forwarded", "x-forwarded-for", "x-trusted"]),
        value in "[a-z0-9.:\"=;,]{0,16}",
        bits in any::<u64>(),
    ) {
        let region = HeaderName::from_static("x-region");
        let rule = Rule { headers: vec![(region, ValueMatch::Present)], trusted_only: true, ..Rule::default() };
        let canary = Canary { rules: vec![rule] };
        let map = headers(&[(name, &value)]);
        let view = RequestView { method: &Method::GET, query: None, headers: &map, trusted: false };
        prop_assert_eq!(canary.decide(&view, bits, &|_: usize| Share::ALL).rule, None);
    }
}
