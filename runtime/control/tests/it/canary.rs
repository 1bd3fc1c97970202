//! `canary` of a route.

use crate::{LISTENERS, lines, parse, rejects, same};
use std::time::Duration;
use tidegate_gateway::config::CanaryRule;
use tidegate_traffic::{Share, SplitKey};

const UPSTREAMS: &str = "upstreams: { shop: { endpoints: [a:1], schema: { proto: [proto] } }, next: { endpoints: [b:1], schema: { like: shop } } }";

/// A config with one route whose canary has these rules.
fn canary(rules: &[&str]) -> String {
    let head = [LISTENERS, UPSTREAMS, "routes:", "  - service: shop.v1.Orders", "    upstream: shop", "    canary:"];
    lines(&[&head[..], rules].concat())
}

#[test]
fn rules_say_who_goes_elsewhere() {
    let loaded = parse(&canary(&[
        "      - { to: next, header: { x-app-version: v2 } }",
        "      - { to: next, hash: { header: x-user-id, below: 10% }, peers: trusted }",
        "      - { to: next, hash: { cookie: uid, below: 0.5%, salt: pepper } }",
        "      - { to: next, hash: { cookie: uid, below: 0% } }",
        "      - { to: next, name: orders, header: { x-region: shanghai }, weight: 5%, peers: trusted }",
        "      - { to: next }",
    ]))
    .expect("a config");
    let rules: &[CanaryRule] = &loaded.config.routes[0].canary;
    let names: Vec<&str> = rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["header:x-app-version", "hash:x-user-id", "cookie:uid", "cookie:uid.2", "orders", "rest"]);
    let salts: Vec<&str> = rules.iter().filter_map(|rule| Some(&*rule.rule.split.as_ref()?.salt)).collect();
    assert_eq!(salts, ["next", "pepper", "next"], "the salt is the name in `to`");
    let shares: Vec<Option<Share>> = rules.iter().map(|rule| rule.rule.below).collect();
    let half: Share = "0.5%".parse().expect("a share");
    assert_eq!(shares, [None, Some(Share::percent(10)), Some(half), Some(Share::NONE), None, None]);
    assert_eq!(rules[2].rule.split.as_ref().map(|split| &split.key), Some(&SplitKey::Cookie("uid".into())));
    assert_eq!((rules[4].rule.weight, rules[4].rule.trusted_only), (Some(Share::percent(5)), true));
    assert_eq!(loaded.warnings.to_string(), "");
}

#[test]
fn a_plan_stands_in_place_of_a_share() {
    let loaded = parse(&canary(&[
        "      - to: next",
        "        peers: trusted",
        "        hash:",
        "          header: x-user-id",
        "          plan: { steps: [1%, 10%, 50%, 100%], hold: 5m, min_samples: 50, max_error_rate: 2%, max_p99_ratio: 1.5 }",
        "      - { to: next, name: second, hash: { cookie: uid, plan: { steps: [5%] } } }",
    ]))
    .expect("a config");
    let plans: Vec<_> = loaded.config.routes[0].canary.iter().filter_map(|rule| rule.plan.as_ref()).collect();
    let names: Vec<&str> = plans.iter().map(|plan| &*plan.name).collect();
    assert_eq!(names, ["shop.v1.Orders/hash:x-user-id", "second"]);
    let figures = |plan: &tidegate_traffic::plan::Plan| {
        (plan.steps().len(), plan.hold, plan.min_samples, plan.max_error_rate, plan.max_p99_ratio_milli)
    };
    assert_eq!(figures(&plans[0].plan), (4, Duration::from_secs(300), 50, Share::percent(2), 1500));
    assert_eq!(figures(&plans[1].plan), (1, Duration::from_secs(600), 500, Share::percent(1), 1200));
}

#[test]
fn every_mistake_of_a_rule_is_told_with_its_place() {
    rejects(
        &canary(&[
            "      - { to: nxt, weight: 101% }",
            "      - { header: { x-a: b } }",
            "      - { to: next, header: { x-a: { regex: \"(\" } } }",
            "      - { to: next, peers: trusted-ones }",
        ]),
        r#"
error: unknown upstream `nxt`
 --> tidegate.yaml:7:15
  |
7 |       - { to: nxt, weight: 101% }
  |               ^^^ did you mean `next`?

error: `weight` must be a percentage, not `101%`
 --> tidegate.yaml:7:28
  |
7 |       - { to: nxt, weight: 101% }
  |                            ^^^^ it can be at most `100%`

error: a canary rule needs `to`
 --> tidegate.yaml:8:9
  |
8 |       - { header: { x-a: b } }
  |         ^

error: `regex` is no regular expression: unclosed group
 --> tidegate.yaml:9:45
  |
9 |       - { to: next, header: { x-a: { regex: "(" } } }
  |                                             ^^^
  = help: it has to match the whole value; see docs/routing.md

error: `peers` must be `trusted`, not `trusted-ones`
  --> tidegate.yaml:10:28
   |
10 |       - { to: next, peers: trusted-ones }
   |                            ^^^^^^^^^^^^ write `trusted`
"#,
    );
}

#[test]
fn every_mistake_of_a_split_is_told_with_its_place() {
    rejects(
        &canary(&[
            "      - { to: next, hash: { below: 10% } }",
            "      - { to: next, hash: { cookie: a, header: x-a, below: 10%, plan: { steps: [1%] } } }",
            "      - { to: next, hash: { cookie: a } }",
            "      - { to: next, hash: { cookie: a, below: -1% } }",
        ]),
        r#"
error: `hash` needs `header` or `cookie`: what stays with a user
 --> tidegate.yaml:7:27
  |
7 |       - { to: next, hash: { below: 10% } }
  |                           ^

error: `hash` has both `header` and `cookie`
 --> tidegate.yaml:8:29
  |
8 |       - { to: next, hash: { cookie: a, header: x-a, below: 10%, plan: { steps: [1%] } } }
  |                             ^^^^^^

error: `hash` has both `below` and `plan`
 --> tidegate.yaml:8:65
  |
8 |       - { to: next, hash: { cookie: a, header: x-a, below: 10%, plan: { steps: [1%] } } }
  |                                                                 ^^^^

error: `hash` needs `below` or `plan`: how many users it takes
 --> tidegate.yaml:9:27
  |
9 |       - { to: next, hash: { cookie: a } }
  |                           ^

error: `below` must be a percentage, not `-1%`
  --> tidegate.yaml:10:47
   |
10 |       - { to: next, hash: { cookie: a, below: -1% } }
   |                                               ^^^ it is at least `0%`
"#,
    );
}

#[test]
fn every_mistake_of_a_plan_is_told_with_its_place() {
    rejects(
        &canary(&[
            "      - { to: next, hash: { cookie: a, plan: { steps: [1%, 10%, 5%] } } }",
            "      - { to: next, hash: { cookie: a, plan: { steps: [0%, 10%] } } }",
            "      - { to: next, hash: { cookie: a, plan: { steps: [] } } }",
            "      - { to: next, hash: { cookie: a, plan: { steps: [ten%], max_p99_ratio: 0.5, hold: 10, max_eror_rate: 1% } } }",
        ]),
        r#"
error: the steps of a plan go up, and 5% is not more than 10%
 --> tidegate.yaml:7:65
  |
7 |       - { to: next, hash: { cookie: a, plan: { steps: [1%, 10%, 5%] } } }
  |                                                                 ^^
 ::: tidegate.yaml:7:60
  |
7 |       - { to: next, hash: { cookie: a, plan: { steps: [1%, 10%, 5%] } } }
  |                                                            --- the step before

error: a step of `0%` takes nobody
 --> tidegate.yaml:8:56
  |
8 |       - { to: next, hash: { cookie: a, plan: { steps: [0%, 10%] } } }
  |                                                        ^^ begin for example with `1%`

error: `steps` is empty: a plan needs at least one
 --> tidegate.yaml:9:55
  |
9 |       - { to: next, hash: { cookie: a, plan: { steps: [] } } }
  |                                                       ^

error: each of `steps` must be a percentage, not `ten%`
  --> tidegate.yaml:10:56
   |
10 |       - { to: next, hash: { cookie: a, plan: { steps: [ten%], max_p99_ratio: 0.5, hold: 10, max_eror_rate: 1% } } }
   |                                                        ^^^^ write for example `10%` or `0.5%`

error: `max_p99_ratio` must be a ratio, not `0.5`
  --> tidegate.yaml:10:78
   |
10 |       - { to: next, hash: { cookie: a, plan: { steps: [ten%], max_p99_ratio: 0.5, hold: 10, max_eror_rate: 1% } } }
   |                                                                              ^^^ from `1` to `100`, with up to three decimals: `1.2`

error: `hold` must be a duration, not `10`
  --> tidegate.yaml:10:89
   |
10 |       - { to: next, hash: { cookie: a, plan: { steps: [ten%], max_p99_ratio: 0.5, hold: 10, max_eror_rate: 1% } } }
   |                                                                                         ^^ it needs a unit: `10s` or `10ms`

error: unknown key `max_eror_rate`
  --> tidegate.yaml:10:93
   |
10 |       - { to: next, hash: { cookie: a, plan: { steps: [ten%], max_p99_ratio: 0.5, hold: 10, max_eror_rate: 1% } } }
   |                                                                                             ^^^^^^^^^^^^^ did you mean `max_error_rate`?
"#,
    );
}

#[test]
fn names_are_not_given_twice_and_upstreams_of_services_speak_h2() {
    rejects(
        &lines(&[
            LISTENERS,
            "upstreams: { shop: { endpoints: [a:1], schema: { proto: [proto] } }, next: { endpoints: [b:1] } }",
            "routes:",
            "  - service: shop.v1.Orders",
            "    upstream: shop",
            "    canary:",
            "      - { to: shop, name: first, hash: { cookie: a, plan: { steps: [1%] } } }",
            "      - { to: shop, name: first, weight: 1% }",
            "      - { to: next, weight: 1% }",
            "  - service: shop.v1.Stock",
            "    upstream: shop",
            "    canary: [{ to: shop, name: first, hash: { cookie: a, plan: { steps: [1%] } } }]",
        ]),
        r#"
error: two canary rules are named `first`
 --> tidegate.yaml:8:27
  |
8 |       - { to: shop, name: first, weight: 1% }
  |                           ^^^^^ again here
 ::: tidegate.yaml:7:9
  |
7 |       - { to: shop, name: first, hash: { cookie: a, plan: { steps: [1%] } } }
  |         - first here

error: the upstream `next` speaks HTTP/1.1, and calls of services need HTTP/2
 --> tidegate.yaml:9:15
  |
9 |       - { to: next, weight: 1% }
  |               ^^^^
 ::: tidegate.yaml:2:70
  |
2 | upstreams: { shop: { endpoints: [a:1], schema: { proto: [proto] } }, next: { endpoints: [b:1] } }
  |                                                                      ---- declared here
  = help: give it the schema of the route's upstream, `schema: { like: … }`, or `protocol: h2`

error: two plans are named `first`
  --> tidegate.yaml:12:14
   |
12 |     canary: [{ to: shop, name: first, hash: { cookie: a, plan: { steps: [1%] } } }]
   |              ^ again here
  ::: tidegate.yaml:7:9
   |
 7 |       - { to: shop, name: first, hash: { cookie: a, plan: { steps: [1%] } } }
   |         - first here
   = help: give one another `name`
"#,
    );
}

#[test]
fn a_header_that_clients_cannot_choose_is_no_warning() {
    let listeners = |names: &str| format!("listeners: [{{ bind: 127.0.0.1:0, identity_headers: [x-user-id] }}{names}]");
    let warnings = |listeners: String| {
        let text =
            canary(&["      - { to: next, hash: { header: X-User-Id, below: 10% } }"]).replace(LISTENERS, &listeners);
        parse(&text).expect("a config").warnings.diagnostics.len()
    };
    assert_eq!(warnings(listeners("")), 0);
    assert_eq!(warnings(listeners(", { bind: 127.0.0.2:0 }")), 1);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let loaded = parse(&canary(&[
        "      - { to: next, hash: { header: x-user-id, below: 10% } }",
        "      - { to: next }",
        "      - { to: next, weight: 10% }",
    ]))
    .expect("a config");
    same(
        &loaded.warnings.to_string(),
        r#"
warning: any client can choose the header `x-user-id`, and so its side of the split
 --> tidegate.yaml:7:37
  |
7 |       - { to: next, hash: { header: x-user-id, below: 10% } }
  |                                     ^^^^^^^^^
  = help: name it in `identity_headers` of the listeners, or limit the rule to `peers: trusted`

warning: the canary rule `weight` can never be reached
 --> tidegate.yaml:9:9
  |
9 |       - { to: next, weight: 10% }
  |         ^
 ::: tidegate.yaml:8:9
  |
8 |       - { to: next }
  |         - this one takes all requests that come so far
"#,
    );
}
