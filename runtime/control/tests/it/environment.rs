//! `${NAME}` in values.
use crate::{ROUTES, UPSTREAMS, folder, lines, parse_in, report_in, same};

#[test]
fn values_are_replaced_and_defaults_used() {
    let text = lines(&[
        "workers: ${WORKERS}",
        "drain: \"${DRAIN:-7}s\"",
        "listeners: [{ bind: \"${HOST:-127.0.0.1}:${PORT}\" }]",
        UPSTREAMS,
        ROUTES,
        "admin: { token: \"a${EMPTY:-b}$${c}$d$\" }",
    ]);
    let variables = [("WORKERS", "3"), ("PORT", "8080"), ("HOST", "::1"), ("HOST", "0.0.0.0"), ("EMPTY", "")];
    let loaded = parse_in(folder(&[]).path(), &text, &variables[..2]).expect("it is right");
    let config = &loaded.config;
    assert_eq!(
        (
            config.workers,
            config.drain.as_secs(),
            config.listeners[0].bind.to_string(),
            loaded.admin.and_then(|a| a.token)
        ),
        (3, 7, "127.0.0.1:8080".to_owned(), Some("ab${c}$d$".to_owned()))
    );
}

#[test]
fn a_value_cannot_add_keys() {
    let text = lines(&["workers: ${W}", "listeners: [{ bind: 127.0.0.1:0 }]", UPSTREAMS, ROUTES]);
    let report = report_in(folder(&[]).path(), &text, &[("W", "1\nadmin: { bind: 0.0.0.0:1 }")]);
    same(
        &report,
        r#"
error: `workers` must be a number of threads, not `1 admin: { bind: 0.0.0.0:1 }`
 --> tidegate.yaml:1:10
  |
1 | workers: ${W}
  |          ^^^^ write `0` for one per core, or at most `1024`
"#,
    );
}

#[test]
fn keys_and_comments_are_left_alone() {
    let text =
        lines(&["# ${NOT_SET}", "listeners: [{ bind: 127.0.0.1:0 }] # ${NOT_SET}", UPSTREAMS, ROUTES, "${KEY}: 1"]);
    same(
        &report_in(folder(&[]).path(), &text, &[("KEY", "workers")]),
        r#"
error: unknown key `${KEY}`
 --> tidegate.yaml:5:1
  |
5 | ${KEY}: 1
  | ^^^^^^
  = help: the config file has `workers`, `drain`, `drain_delay`, `connections`, `memory`, `listeners`, `admin`, `upstreams`, `routes`, `stores`, `limits`, `rate_limit_service` and 3 more
"#,
    );
}

#[test]
fn what_is_not_set_or_not_well_formed_is_reported_where_it_stands() {
    let text = lines(&[
        "listeners:",
        "  - bind: ${HOST}:${PORT:-8080}",
        "  - bind: \"127.0.0.1:${1PORT}\"",
        UPSTREAMS,
        ROUTES,
        "admin: { token: \"${OPEN\" }",
    ]);
    same(
        &report_in(folder(&[]).path(), &text, &[]),
        r#"
error: the environment variable `HOST` is not set
 --> tidegate.yaml:2:11
  |
2 |   - bind: ${HOST}:${PORT:-8080}
  |           ^^^^^^^
  = help: set it, or give a default: `${HOST:-…}`

error: `${1PORT}` is no reference to a variable
 --> tidegate.yaml:3:22
  |
3 |   - bind: "127.0.0.1:${1PORT}"
  |                      ^^^^^^^^
  = help: write `${NAME}` or `${NAME:-default}`; a literal `${` is written `$${`

error: `${` without `}`
 --> tidegate.yaml:6:18
  |
6 | admin: { token: "${OPEN" }
  |                  ^^
  = help: a literal `${` is written `$${`
"#,
    );
}
