use crate::{get, headers};
use http::{HeaderName, Method};
use tidegate_traffic::{Conditions, Entry, PathPattern, RequestView, Table, Unmet, ValueMatch};
use tidegate_traffic::{cookie, header_value, query_value};

fn exact(text: &str) -> ValueMatch {
    ValueMatch::Exact(text.into())
}

#[test]
fn values_are_exact_prefixes_whole_expressions_or_there() {
    let regex = |text: &str| ValueMatch::regex(text).expect("an expression");
    for (want, value, holds) in [
        (exact("v2"), Some("v2"), true),
        (exact("v2"), Some("V2"), false),
        (exact("v2"), Some("v2 "), false),
        (exact(""), None, false),
        (ValueMatch::Prefix("mob".into()), Some("mobile"), true),
        (ValueMatch::Prefix("mob".into()), Some("a mobile"), false),
        (regex("v[0-9]+"), Some("v10"), true),
        (regex("v[0-9]+"), Some("xv10"), false),
        (regex("v[0-9]+"), Some("v10x"), false),
        (regex("v[0-9]+"), Some("v1\n"), false),
        (regex("a|b"), Some("ab"), false),
        (regex("a|b"), Some("b"), true),
        (regex("(?m)^a$"), Some("a\nb"), false),
        (regex("(?x) a # a comment"), Some("a"), true),
        (regex("(?x) a # a comment"), Some("ab"), false),
        (regex(""), Some(""), true),
        (ValueMatch::Present, Some(""), true),
        (ValueMatch::Present, None, false),
    ] {
        assert_eq!(want.holds(value.map(str::as_bytes)), holds, "{want} {value:?}");
    }
}

#[test]
fn an_expression_that_is_none_says_why() {
    let reason = |text: &str| ValueMatch::regex(text).expect_err("no expression").reason;
    assert_eq!(reason("a(b"), "unclosed group");
    assert_eq!(reason("a)|(b"), "unopened group");
    assert_eq!(reason(r"(a)\1"), "backreferences are not supported");
    assert_eq!(reason("a(?=b)"), "look-around, including look-ahead and look-behind, is not supported");
    assert_eq!(reason("(a{1000}){1000}"), "the expression takes more than 1048576 bytes once compiled");
}

#[test]
fn repeated_headers_are_joined_by_commas() {
    let map = headers(&[("x-kind", "a"), ("x-other", "c"), ("X-Kind", "b")]);
    let value = |name: &str| header_value(&map, &name.parse::<HeaderName>().expect("a name"));
    assert_eq!(value("x-kind").as_deref(), Some(&b"a,b"[..]));
    assert_eq!(value("x-other").as_deref(), Some(&b"c"[..]));
    assert_eq!(value("x_kind"), None);
}

#[test]
fn parameters_are_decoded_once_and_joined() {
    let value = |query: &str| query_value(Some(query), "v").map(|value| String::from_utf8_lossy(&value).into_owned());
    for (query, want) in [
        ("v=2", Some("2")),
        ("a=1&v=2&b", Some("2")),
        ("v", Some("")),
        ("v=", Some("")),
        ("%76=a%2Bb+c", Some("a+b c")),
        ("v=%2532", Some("%32")),
        ("v=%zz%", Some("%zz%")),
        ("v=1&v=2", Some("1,2")),
        ("V=2&vv=3&=4", None),
        ("", None),
    ] {
        assert_eq!(value(query).as_deref(), want, "{query}");
    }
    assert_eq!(query_value(None, "v"), None);
}

#[test]
fn the_first_cookie_of_a_name_counts() {
    let map = headers(&[("cookie", "a=1; uid=\"u7\"; uid=u8"), ("cookie", "b=x=y;uids=3")]);
    let value = |name: &str| cookie(&map, name).map(|value| String::from_utf8_lossy(value).into_owned());
    assert_eq!(
        [value("a"), value("uid"), value("b"), value("uids"), value("ui")],
        [Some("1".into()), Some("u7".into()), Some("x=y".into()), Some("3".into()), None]
    );
}

#[test]
fn the_method_is_what_is_missed_last() {
    let conditions = Conditions {
        methods: vec![Method::POST, Method::PUT],
        headers: vec![(HeaderName::from_static("x-kind"), exact("a"))],
        query: vec![("v".into(), exact("2"))],
    };
    let check = |pairs: &[(&str, &str)], query| {
        let headers = headers(pairs);
        let view = RequestView { query, ..get(&headers) };
        conditions.check(&view).map_err(|unmet| unmet.to_string())
    };
    assert_eq!(check(&[], None), Err("header `x-kind` is `a`".into()));
    assert_eq!(check(&[("x-kind", "a")], None), Err("query parameter `v` is `2`".into()));
    assert_eq!(check(&[("x-kind", "a")], Some("v=2")), Err("the method is POST or PUT".into()));
    let headers = headers(&[("x-kind", "a")]);
    let view = RequestView { method: &Method::PUT, query: Some("v=2"), ..get(&headers) };
    assert_eq!(conditions.check(&view), Ok(()));
    let methods = [Method::POST, Method::PUT];
    assert_eq!(conditions.check(&RequestView { method: &Method::GET, ..view }), Err(Unmet::Method(&methods)));
}

#[test]
fn patterns_are_in_normal_form() {
    let parse = |text: &str| PathPattern::parse(text).map(|pattern| pattern.to_string()).map_err(|e| e.to_string());
    for text in ["/", "/*", "/a", "/a/", "/a/*", "/a%20b"] {
        assert_eq!(parse(text), Ok(text.to_owned()));
    }
    for (text, want) in [
        ("a", "it begins with a slash"),
        ("", "it begins with a slash"),
        ("/a*", "`*` can only be the whole last segment, as in `/assets/*`"),
        ("/*/a", "`*` can only be the whole last segment, as in `/assets/*`"),
        ("/a/**", "`*` can only be the whole last segment, as in `/assets/*`"),
        ("/a?b", "it ends before `?` and `#`: match parameters with `query`"),
        ("/a//b/*", "paths are matched in normal form: write `/a/b/*`"),
        ("/%61", "paths are matched in normal form: write `/a`"),
        ("/a%2fb", "path: an escaped slash (`%2F`) at byte 2: such a path is refused"),
    ] {
        assert_eq!(parse(text), Err(want.to_owned()), "{text}");
    }
    let assets = PathPattern::parse("/assets/*").expect("a pattern");
    let matched: Vec<bool> = ["/assets", "/assets/", "/assets/a/b", "/assetsx"].map(|path| assets.matches(path)).into();
    assert_eq!(matched, [false, true, true, false]);
}

#[test]
fn an_empty_table_takes_nothing() {
    let table = Table::new(Vec::<Entry>::new());
    let headers = headers(&[]);
    assert!(table.is_empty());
    assert_eq!(table.find("/", &get(&headers), None).map_err(|missed| missed.methods), Err(vec![]));
}
