//! `upstreams` and their schemas.
use crate::{LISTENERS, ROUTES, lines, rejects, rejects_with};
use std::time::Duration;
use tidegate_gateway::config::{Reflection, SchemaSource};

fn with(upstreams: &[&str]) -> String {
    lines(&[LISTENERS, ROUTES, "upstreams:"]) + &lines(upstreams)
}

#[test]
fn a_schema_has_one_source() {
    rejects(
        &with(&[
            "  shop: { endpoints: [a:1], schema: { proto: [proto], like: other } }",
            "  other: { endpoints: [a:1], schema: {} }",
        ]),
        r#"
error: `schema` has more than one source
 --> tidegate.yaml:4:55
  |
4 |   shop: { endpoints: [a:1], schema: { proto: [proto], like: other } }
  |                                                       ^^^^
  = help: keep one of `proto`, `descriptor_set`, `reflection` and `like`

error: `schema` needs one of `proto`, `descriptor_set`, `reflection` and `like`
 --> tidegate.yaml:5:38
  |
5 |   other: { endpoints: [a:1], schema: {} }
  |                                      ^
"#,
    );
}

#[test]
fn files_and_folders_that_are_missing_are_named() {
    rejects_with(
        &[("file.proto", "")],
        &with(&[
            "  shop:",
            "    endpoints: [a:1]",
            "    schema: { proto: [missing, file.proto], http_rules: [rules.yaml] }",
            "  set:",
            "    endpoints: [a:1]",
            "    schema: { descriptor_set: shop.pb }",
            "  folder: { endpoints: [a:1], schema: { descriptor_set: proto } }",
        ]),
        r#"
error: there is no folder `missing`
 --> tidegate.yaml:6:23
  |
6 |     schema: { proto: [missing, file.proto], http_rules: [rules.yaml] }
  |                       ^^^^^^^
  = help: paths are relative to the folder of the config file

error: `file.proto` is a file, not a folder
 --> tidegate.yaml:6:32
  |
6 |     schema: { proto: [missing, file.proto], http_rules: [rules.yaml] }
  |                                ^^^^^^^^^^
  = help: name the folder that imports are relative to; all .proto files below it are compiled

error: there is no file `rules.yaml`
 --> tidegate.yaml:6:58
  |
6 |     schema: { proto: [missing, file.proto], http_rules: [rules.yaml] }
  |                                                          ^^^^^^^^^^
  = help: paths are relative to the folder of the config file

error: there is no file `shop.pb`
 --> tidegate.yaml:9:31
  |
9 |     schema: { descriptor_set: shop.pb }
  |                               ^^^^^^^
  = help: paths are relative to the folder of the config file

error: `proto` is no file
  --> tidegate.yaml:10:57
   |
10 |   folder: { endpoints: [a:1], schema: { descriptor_set: proto } }
   |                                                         ^^^^^
"#,
    );
}

#[test]
fn like_names_another_upstream_and_goes_in_no_circle() {
    rejects(
        &with(&[
            "  shop: { endpoints: [a:1], schema: { proto: [proto] } }",
            "  typo: { endpoints: [a:1], schema: { like: shp } }",
            "  self: { endpoints: [a:1], schema: { like: self } }",
            "  one: { endpoints: [a:1], schema: { like: two } }",
            "  two: { endpoints: [a:1], schema: { like: one } }",
        ]),
        r#"
error: unknown upstream `shp`
 --> tidegate.yaml:5:45
  |
5 |   typo: { endpoints: [a:1], schema: { like: shp } }
  |                                             ^^^ did you mean `shop`?

error: the schema of `self` is like itself
 --> tidegate.yaml:6:45
  |
6 |   self: { endpoints: [a:1], schema: { like: self } }
  |                                             ^^^^

error: the schema of `one` is like itself
 --> tidegate.yaml:7:44
  |
7 |   one: { endpoints: [a:1], schema: { like: two } }
  |                                            ^^^

error: the schema of `two` is like itself
 --> tidegate.yaml:8:44
  |
8 |   two: { endpoints: [a:1], schema: { like: one } }
  |                                            ^^^
"#,
    );
}

#[test]
fn endpoints_are_a_list_of_distinct_addresses() {
    rejects(
        &with(&[
            "  shop: { endpoints: 127.0.0.1:50051, schema: { proto: [proto] } }",
            "  twice: { endpoints: [\"[::1]:80\", a:1, \"[0:0::1]:80\"], schema: { proto: [] } }",
            "  empty: { endpoints: [], schema: { proto: proto } }",
            "  dns: { endpoints: { dns: shop.local:50051 } }",
            "  a b: { endpoints: [a:1] }",
        ]),
        r#"
error: `endpoints` must be a list
 --> tidegate.yaml:4:22
  |
4 |   shop: { endpoints: 127.0.0.1:50051, schema: { proto: [proto] } }
  |                      ^^^^^^^^^^^^^^^ put it in brackets: `[127.0.0.1:50051]`

error: the endpoint ::1:80 is listed twice
 --> tidegate.yaml:5:41
  |
5 |   twice: { endpoints: ["[::1]:80", a:1, "[0:0::1]:80"], schema: { proto: [] } }
  |                                         ^^^^^^^^^^^^^ again here
 ::: tidegate.yaml:5:24
  |
5 |   twice: { endpoints: ["[::1]:80", a:1, "[0:0::1]:80"], schema: { proto: [] } }
  |                        ---------- first here

error: `proto` is empty: name at least one folder
 --> tidegate.yaml:5:74
  |
5 |   twice: { endpoints: ["[::1]:80", a:1, "[0:0::1]:80"], schema: { proto: [] } }
  |                                                                          ^

error: `endpoints` is empty: an upstream needs at least one
 --> tidegate.yaml:6:23
  |
6 |   empty: { endpoints: [], schema: { proto: proto } }
  |                       ^

error: `proto` must be a list
 --> tidegate.yaml:6:44
  |
6 |   empty: { endpoints: [], schema: { proto: proto } }
  |                                            ^^^^^ put it in brackets: `[proto]`

error: `a b` cannot name an upstream
 --> tidegate.yaml:8:3
  |
8 |   a b: { endpoints: [a:1] }
  |   ^^^ up to 64 letters, digits, `-`, `_` and `.`
"#,
    );
}

#[test]
fn reflection_is_switched_on_or_says_how_to_ask() {
    let loaded = crate::parse(&lines(&[
        LISTENERS,
        "routes: [{ service: a.B, upstream: plain }]",
        "upstreams:",
        "  plain: { endpoints: [a:1], schema: { reflection: true } }",
        "  slow: { endpoints: [a:1], schema: { reflection: { interval: 5m, timeout: 20s } } }",
        "  part: { endpoints: [a:1], schema: { reflection: { timeout: 20s } } }",
    ]));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    let sources: Vec<_> = loaded.config.upstreams.iter().map(|upstream| upstream.schema.source.clone()).collect();
    let asked = |interval, timeout| {
        let (interval, timeout) = (Duration::from_secs(interval), Duration::from_secs(timeout));
        SchemaSource::Reflection(Reflection { interval, timeout })
    };
    assert_eq!(sources, [asked(30, 5), asked(300, 20), asked(30, 20)]);
    rejects(
        &with(&[
            "  shop: { endpoints: [a:1], schema: { reflection: false } }",
            "  fast: { endpoints: [a:1], schema: { reflection: { interval: 500ms } } }",
            "  word: { endpoints: [a:1], schema: { reflection: v1 } }",
            "  key: { endpoints: [a:1], schema: { reflection: { intervall: 5s } } }",
        ]),
        r#"
error: `reflection` must be `true` or a mapping, not `false`
 --> tidegate.yaml:4:51
  |
4 |   shop: { endpoints: [a:1], schema: { reflection: false } }
  |                                                   ^^^^^ remove the key

error: `interval` must be at least 1s
 --> tidegate.yaml:5:63
  |
5 |   fast: { endpoints: [a:1], schema: { reflection: { interval: 500ms } } }
  |                                                               ^^^^^
  = help: an upstream that was restarted is asked at once, whatever the interval

error: `reflection` must be `true` or a mapping, not `v1`
 --> tidegate.yaml:6:51
  |
6 |   word: { endpoints: [a:1], schema: { reflection: v1 } }
  |                                                   ^^ for example `{ interval: 30s, timeout: 5s }`

error: unknown key `intervall`
 --> tidegate.yaml:7:52
  |
7 |   key: { endpoints: [a:1], schema: { reflection: { intervall: 5s } } }
  |                                                    ^^^^^^^^^ did you mean `interval`?
"#,
    );
}
