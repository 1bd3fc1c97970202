//! The kinds, and what is said of each.

use crate::CONFIG;
use std::fmt::Write as _;

/// A config with one thing wrong. `NAME` stands for what the place where it is kept is called.
pub(super) struct Wrong {
    pub(super) kind: &'static str,
    pub(super) text: String,
    /// `:line:column`
    pub(super) place: &'static str,
    /// In a log, behind the place.
    pub(super) line: &'static str,
    /// On the admin port, beside the place.
    pub(super) admin: &'static str,
    /// All that `tidegate check` prints.
    pub(super) check: &'static str,
}

fn with(line: &str) -> String {
    format!("{CONFIG}{line}\n")
}

fn replaced(from: &str, to: &str) -> String {
    CONFIG.replace(from, to)
}

/// With a second upstream, and a canary rule that leads there.
fn canary(rule: &str) -> String {
    let route = format!("upstream: echo, canary: [{{ to: next, {rule} }}] }}");
    let next = "  next: { endpoints: [127.0.0.1:2], schema: { like: echo } }\nroutes:";
    replaced("upstream: echo }", &route).replace("routes:", next)
}

/// A few lines that are 10¹² values.
fn bomb() -> String {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let _ = writeln!(bomb, "a{level}: &a{level} [{}]", [before.as_str(); 10].join(", "));
    }
    bomb
}

/// One of each kind.
pub(super) fn kinds() -> Vec<Wrong> {
    [of_values(), of_shares(), of_names(), of_things(), of_texts()].into_iter().flatten().collect()
}

/// Values that cannot be.
fn of_values() -> Vec<Wrong> {
    vec![
        Wrong {
            kind: "wrong type",
            text: with("drain: soon"),
            place: ":6:8",
            line: "`drain` must be a duration, not `soon` (write for example `250ms`, `2s` or `1m`)",
            admin: "`drain` must be a duration, not `soon`; write for example `250ms`, `2s` or `1m`",
            check: r#"
error: `drain` must be a duration, not `soon`
 --> NAME:6:8
  |
6 | drain: soon
  |        ^^^^ write for example `250ms`, `2s` or `1m`

NAME: 1 error
"#,
        },
        Wrong {
            kind: "bad regex",
            text: canary("header: { x-v: { regex: '(' } }"),
            place: ":6:91",
            line: "`regex` is no regular expression: unclosed group",
            admin: "`regex` is no regular expression: unclosed group; it has to match the whole value; see docs/routing.md",
            check: r#"
error: `regex` is no regular expression: unclosed group
 --> NAME:6:91
  |
6 |   - { service: demo.v1.Echo, upstream: echo, canary: [{ to: next, header: { x-v: { regex: '(' } } }] }
  |                                                                                           ^^^
  = help: it has to match the whole value; see docs/routing.md

NAME: 1 error
"#,
        },
    ]
}

/// Shares that cannot be.
fn of_shares() -> Vec<Wrong> {
    vec![
        Wrong {
            kind: "more than all",
            text: canary("weight: 110%"),
            place: ":6:75",
            line: "`weight` must be a percentage, not `110%` (it can be at most `100%`)",
            admin: "`weight` must be a percentage, not `110%`; it can be at most `100%`",
            check: r#"
error: `weight` must be a percentage, not `110%`
 --> NAME:6:75
  |
6 |   - { service: demo.v1.Echo, upstream: echo, canary: [{ to: next, weight: 110% }] }
  |                                                                           ^^^^ it can be at most `100%`

NAME: 1 error
"#,
        },
        Wrong {
            kind: "less than nothing",
            text: canary("weight: -5%"),
            place: ":6:75",
            line: "`weight` must be a percentage, not `-5%` (it is at least `0%`)",
            admin: "`weight` must be a percentage, not `-5%`; it is at least `0%`",
            check: r#"
error: `weight` must be a percentage, not `-5%`
 --> NAME:6:75
  |
6 |   - { service: demo.v1.Echo, upstream: echo, canary: [{ to: next, weight: -5% }] }
  |                                                                           ^^^ it is at least `0%`

NAME: 1 error
"#,
        },
        Wrong {
            kind: "steps that go down",
            text: canary("hash: { header: x-user-id, plan: { steps: [10%, 5%, 100%], hold: 1m } }"),
            place: ":6:115",
            line: "the steps of a plan go up, and 5% is not more than 10% (the step before: NAME:6:110)",
            admin: "the steps of a plan go up, and 5% is not more than 10%; the step before: NAME:6:110",
            check: r#"
error: the steps of a plan go up, and 5% is not more than 10%
 --> NAME:6:115
  |
6 |   - { service: demo.v1.Echo, upstream: echo, canary: [{ to: next, hash: { header: x-user-id, plan: { steps: [10%, 5%, 100%], hold: 1m } } }] }
  |                                                                                                                   ^^
 ::: NAME:6:110
  |
6 |   - { service: demo.v1.Echo, upstream: echo, canary: [{ to: next, hash: { header: x-user-id, plan: { steps: [10%, 5%, 100%], hold: 1m } } }] }
  |                                                                                                              --- the step before

NAME: 1 error
"#,
        },
    ]
}

/// Names that nothing has, or two things.
fn of_names() -> Vec<Wrong> {
    vec![
        Wrong {
            kind: "unknown key",
            text: with("rutes: []"),
            place: ":6:1",
            line: "unknown key `rutes` (did you mean `routes`?)",
            admin: "unknown key `rutes`; did you mean `routes`?",
            check: r#"
error: unknown key `rutes`
 --> NAME:6:1
  |
6 | rutes: []
  | ^^^^^ did you mean `routes`?

NAME: 1 error
"#,
        },
        Wrong {
            kind: "unknown upstream",
            text: replaced("upstream: echo", "upstream: ecco"),
            place: ":5:40",
            line: "unknown upstream `ecco` (did you mean `echo`?)",
            admin: "unknown upstream `ecco`; did you mean `echo`?",
            check: r#"
error: unknown upstream `ecco`
 --> NAME:5:40
  |
5 |   - { service: demo.v1.Echo, upstream: ecco }
  |                                        ^^^^ did you mean `echo`?

NAME: 1 error
"#,
        },
        Wrong {
            kind: "duplicate name",
            text: replaced("routes:", "  echo: { endpoints: [127.0.0.1:2] }\nroutes:"),
            place: ":4:3",
            line: "`echo` is given twice (again here; first here: NAME:3:3)",
            admin: "`echo` is given twice; again here; first here: NAME:3:3",
            check: r#"
error: `echo` is given twice
 --> NAME:4:3
  |
4 |   echo: { endpoints: [127.0.0.1:2] }
  |   ^^^^ again here
 ::: NAME:3:3
  |
3 |   echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
  |   ---- first here

NAME: 1 error
"#,
        },
    ]
}

/// What is not there.
fn of_things() -> Vec<Wrong> {
    vec![
        Wrong {
            kind: "unknown service",
            text: replaced("demo.v1.Echo", "demo.v1.Eco"),
            place: ":5:16",
            line: "the schema of `echo` has no service `demo.v1.Eco` (did you mean `demo.v1.Echo`?)",
            admin: "the schema of `echo` has no service `demo.v1.Eco`; did you mean `demo.v1.Echo`?; it has `demo.v1.Echo`",
            check: r#"
error: the schema of `echo` has no service `demo.v1.Eco`
 --> NAME:5:16
  |
5 |   - { service: demo.v1.Eco, upstream: echo }
  |                ^^^^^^^^^^^ did you mean `demo.v1.Echo`?
  = help: it has `demo.v1.Echo`

NAME: 1 error
"#,
        },
        Wrong {
            kind: "a file that is not there",
            text: replaced("proto: [proto]", "descriptor_set: missing.pb"),
            place: ":3:63",
            line: "there is no file `missing.pb`",
            admin: "there is no file `missing.pb`; paths are relative to the folder of the config file",
            check: r#"
error: there is no file `missing.pb`
 --> NAME:3:63
  |
3 |   echo: { endpoints: [127.0.0.1:1], schema: { descriptor_set: missing.pb } }
  |                                                               ^^^^^^^^^^
  = help: paths are relative to the folder of the config file

NAME: 1 error
"#,
        },
    ]
}

/// Texts that are no config.
fn of_texts() -> Vec<Wrong> {
    vec![
        Wrong {
            kind: "no YAML",
            text: with("x: ["),
            place: ":6:4",
            line: "not valid YAML: unclosed bracket '['",
            admin: "not valid YAML: unclosed bracket '['",
            check: r#"
error: not valid YAML: unclosed bracket '['
 --> NAME:6:4
  |
6 | x: [
  |    ^

NAME: 1 error
"#,
        },
        Wrong {
            kind: "YAML bomb",
            text: bomb(),
            place: ":6:10",
            line: "the config is too large or too complex",
            admin: "the config is too large or too complex; it may have 250000 values, each counted as often as aliases repeat it, and 64 levels",
            check: r#"
error: the config is too large or too complex
 --> NAME:6:10
  |
6 | a5: &a5 [*a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4]
  |          ^^^
  = help: it may have 250000 values, each counted as often as aliases repeat it, and 64 levels

NAME: 1 error
"#,
        },
        Wrong {
            kind: "empty",
            text: "\n".to_owned(),
            place: "",
            line: "the config file is empty",
            admin: "the config file is empty; it needs at least `listeners`, `upstreams` and `routes`",
            check: r#"
error: the config file is empty
 --> NAME
  = help: it needs at least `listeners`, `upstreams` and `routes`

NAME: 1 error
"#,
        },
    ]
}
