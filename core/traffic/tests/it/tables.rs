use crate::{get, headers};
use http::{HeaderName, Method};
use tidegate_traffic::{Conditions, Entry, PathPattern, RequestView, Shadow, Table, ValueMatch};

/// An entry of a line like `GET,POST /a/* x-kind=a ?v=2`.
fn entry(line: &str, order: usize) -> Entry {
    let mut conditions = Conditions::default();
    let mut pattern = None;
    for word in line.split(' ') {
        if word.starts_with('/') {
            pattern = Some(PathPattern::parse(word).expect("a pattern"));
        } else if let Some((name, value)) = word.split_once('=') {
            let value = ValueMatch::Exact(value.into());
            match name.strip_prefix('?') {
                Some(name) => conditions.query.push((name.to_owned(), value)),
                None => conditions.headers.push((name.parse::<HeaderName>().expect("a name"), value)),
            }
        } else {
            conditions.methods = word.split(',').map(|name| name.parse::<Method>().expect("a method")).collect();
        }
    }
    Entry { pattern: pattern.expect("a line has a path"), conditions, order }
}

fn table(lines: &[&str]) -> Table {
    Table::new(lines.iter().enumerate().map(|(order, line)| entry(line, order)).collect())
}

#[test]
fn the_most_specific_path_wins_and_among_equals_the_first_that_holds() {
    let table = table(&["/*", "/a/*", "/a/b/*", "/a/b/c", "POST /a/b/c", "/a/b/d x-kind=a", "/a/b/d ?v=2", "GET /e"]);
    let plain = headers(&[]);
    let kind = headers(&[("x-kind", "a")]);
    let find = |path: &str, view: RequestView<'_>| table.find(path, &view, None).ok();
    for (path, want) in [
        ("/", 0),
        ("/x", 0),
        ("/a", 0),
        ("/a/", 1),
        ("/a/x", 1),
        ("/a/b", 1),
        ("/a/b/", 2),
        ("/a/b/c", 3),
        ("/a/b/d", 2),
    ] {
        assert_eq!(find(path, get(&plain)), Some(want), "{path}");
    }
    assert_eq!(find("/a/b/d", get(&kind)), Some(5));
    assert_eq!(find("/a/b/d", RequestView { query: Some("v=2"), ..get(&plain) }), Some(6));
    assert_eq!(find("/e", RequestView { method: &Method::POST, ..get(&plain) }), Some(0));
}

#[test]
fn what_is_missed_by_its_method_alone_is_told() {
    let table = table(&["GET /a", "POST,GET /a", "PUT /a x-kind=a", "DELETE /*"]);
    let missed = |method: &Method, pairs: &[(&str, &str)]| {
        let headers = headers(pairs);
        let view = RequestView { method, ..get(&headers) };
        table.find("/a", &view, None).map_err(|missed| missed.methods)
    };
    assert_eq!(missed(&Method::PATCH, &[]), Err(vec![Method::GET, Method::POST, Method::DELETE]));
    assert_eq!(
        missed(&Method::PATCH, &[("x-kind", "a")]),
        Err(vec![Method::GET, Method::POST, Method::PUT, Method::DELETE])
    );
    assert_eq!(missed(&Method::POST, &[]), Ok(1));
}

#[test]
fn an_http_rule_gives_way_to_exact_paths_before_it_in_the_file() {
    let table = table(&["/*", "/a", "/a/*"]);
    let headers = headers(&[]);
    let find = |path: &str, rival| table.find(path, &get(&headers), rival).ok();
    assert_eq!([find("/a", Some(0)), find("/a", Some(2)), find("/a/b", Some(9))], [None, Some(1), None]);
}

#[test]
fn routes_that_can_never_be_reached_are_named() {
    let table = table(&[
        "GET /a",
        "GET,POST /a",
        "POST,GET /a",
        "POST /a x-kind=a",
        "/a",
        "DELETE /a",
        "/b/* x-kind=a",
        "/b/* x-kind=a ?v=2",
        "/b/* x-kind=b",
        "/b/*",
        "GET /c",
        "POST /c",
        "GET,POST /c",
        "/c",
    ]);
    let shadow = |entry, by, same| Shadow { entry, by, same };
    assert_eq!(
        table.shadows(),
        [shadow(2, 0, false), shadow(3, 1, false), shadow(5, 4, false), shadow(7, 6, false), shadow(12, 10, false),]
    );
}

#[test]
fn two_routes_that_ask_for_the_same_are_told_from_one_that_asks_for_more() {
    let table = table(&["GET,POST /a x=1 y=2", "POST,GET /a y=2 x=1"]);
    assert_eq!(table.shadows(), [Shadow { entry: 1, by: 0, same: true }]);
}
