//! `rate_limit_service`: limits for others, and the rules of envoyproxy/ratelimit.

use crate::{LISTENERS, ROUTES, UPSTREAMS, folder, lines, parse_in, rejects_with};
use tidegate_control::Loaded;
use tidegate_limiter::config::{Algorithm, Config, Descriptor, Domain, Headers, Limit, OnFailure, Quota, Unit};

const ALONE: &str = "rate_limit_service: { bind: 127.0.0.1:8081, config: [rules] }\n";
const EMPTY: (&str, &str) = ("rules/a.yaml", "domain: a\n");

#[track_caller]
fn loaded(files: &[(&str, &str)], text: &str) -> Loaded {
    parse_in(folder(files).path(), text, &[]).unwrap_or_else(|report| panic!("{report}"))
}

/// The domains of one file of rules, and what is warned of.
#[track_caller]
fn rules(text: &str) -> (Vec<Domain>, Vec<String>) {
    let folder = folder(&[("rules/a.yaml", text)]);
    let loaded = parse_in(folder.path(), ALONE, &[]).unwrap_or_else(|report| panic!("{report}"));
    let prefix = format!("{}/", folder.path().display());
    let warnings = loaded.warnings.diagnostics.iter();
    let warnings = warnings.map(|warning| warning.in_one_line().replace(&prefix, "")).collect();
    (loaded.rate_limit_service.expect("the service").config.domains, warnings)
}

fn level(key: &str, value: &str, limit: Option<Limit>) -> Descriptor {
    Descriptor { key: key.to_owned(), value: value.to_owned(), limit, ..Default::default() }
}

fn limit(requests_per_unit: u32, unit: Unit) -> Option<Limit> {
    let quota = Some(Quota { requests_per_unit, unit });
    Some(Limit { quota, name: String::new(), replaces: Vec::new() })
}

#[test]
fn the_service_has_defaults_and_needs_no_gateway() {
    let loaded = loaded(&[EMPTY], ALONE);
    assert_eq!((loaded.config.listeners.len(), loaded.config.upstreams.len()), (0, 0));
    let service = loaded.rate_limit_service.expect("the service");
    let want = Config {
        bind: Some(([127, 0, 0, 1], 8081).into()),
        resp: None,
        resp_password: None,
        algorithm: Algorithm::SlidingWindow,
        keys: 65_536,
        headers: Headers::Never,
        on_failure: OnFailure::Error,
        domains: vec![Domain { name: "a".to_owned(), descriptors: vec![] }],
    };
    assert_eq!((service.config, service.store), (want, None));
}

#[test]
fn all_that_is_said_of_it_arrives_and_the_password_is_not_shown() {
    let service = "rate_limit_service: { bind: 127.0.0.1:1, resp: 127.0.0.1:2, resp_password: geheim, config: [rules/a.yaml], \
                   store: r, algorithm: token_bucket, keys: 7, headers: always, on_failure: closed }";
    let stores = "stores: { r: { url: redis://127.0.0.1:6379 } }";
    let loaded = loaded(&[EMPTY], &lines(&[LISTENERS, UPSTREAMS, ROUTES, stores, service]));
    let service = loaded.rate_limit_service.expect("the service");
    assert!(!format!("{service:?}").contains("geheim"));
    let want = Config {
        bind: Some(([127, 0, 0, 1], 1).into()),
        resp: Some(([127, 0, 0, 1], 2).into()),
        resp_password: Some("geheim".to_owned()),
        algorithm: Algorithm::TokenBucket,
        keys: 7,
        headers: Headers::Always,
        on_failure: OnFailure::Closed,
        domains: vec![Domain { name: "a".to_owned(), descriptors: vec![] }],
    };
    assert_eq!((service.config, service.store.as_deref()), (want, Some("r")));
}

#[test]
fn what_envoyproxy_takes_is_taken() {
    let text = "\
domain: messaging
descriptors:
  - key: message_type
    value: marketing
    descriptors:
      - key: to_number
        rate_limit: { unit: day, requests_per_unit: 5, name: numbers }
  - key: to_number
    value:
    detailed_metric: yes
    metadata: { a: [1, { b: c }] }
    rate_limit:
      unit: SECOND
      requests_per_unit: 100
      replaces: [{ name: numbers }, { name: others }]
  - { key: path, value: /api/*/x, share_threshold: true, value_to_metric: true, rate_limit: { unit: Week, requests_per_unit: 4294967295 } }
  - { key: port, value: 8080, shadow_mode: true, rate_limit: { unit: month, requests_per_unit: 0 } }
  - { key: ldap, quota_mode: true, rate_limit: { unlimited: true } }
  - { key: nothing }
";
    let (domains, warnings) = rules(text);
    let named = limit(5, Unit::Day).map(|limit| Limit { name: "numbers".to_owned(), ..limit });
    let replaces = vec!["numbers".to_owned(), "others".to_owned()];
    let replacing = limit(100, Unit::Second).map(|limit| Limit { replaces, ..limit });
    let unlimited = Some(Limit { quota: None, name: String::new(), replaces: Vec::new() });
    let most = limit(u32::MAX, Unit::Week);
    let want = vec![
        Descriptor { descriptors: vec![level("to_number", "", named)], ..level("message_type", "marketing", None) },
        Descriptor { detailed_metric: true, ..level("to_number", "", replacing) },
        Descriptor { share_threshold: true, value_to_metric: true, ..level("path", "/api/*/x", most) },
        Descriptor { shadow: true, ..level("port", "8080", limit(0, Unit::Month)) },
        Descriptor { quota: true, ..level("ldap", "", unlimited) },
        level("nothing", "", None),
    ];
    assert_eq!(domains, [Domain { name: "messaging".to_owned(), descriptors: want }]);
    let expected = "rules/a.yaml:16:126: a sliding window counts at most 268435455: this limit is a fixed window";
    assert_eq!(warnings, [expected]);
}

#[test]
fn every_file_of_a_folder_is_a_domain_and_hidden_ones_are_none() {
    let files = [
        ("rules/b.yml", "domain: b\n"),
        ("rules/a.yaml", "domain: a\n"),
        ("rules/.c.yaml", "domain: c\n"),
        ("rules/d.txt", "x"),
    ];
    let service = loaded(&files, ALONE).rate_limit_service.expect("the service");
    let names: Vec<&str> = service.config.domains.iter().map(|domain| domain.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

/// The first line of each error, with its place.
#[track_caller]
fn errors(files: &[(&str, &str)], text: &str) -> Vec<String> {
    let folder = folder(files);
    let report = parse_in(folder.path(), text, &[]).expect_err("it is wrong");
    let prefix = format!("{}/", folder.path().display());
    report.diagnostics.iter().map(|diagnostic| diagnostic.in_one_line().replace(&prefix, "")).collect()
}

#[test]
fn mistakes_in_rules_are_told_with_their_file_and_line() {
    let of = |rest: &str| format!("domain: d\ndescriptors:\n{rest}");
    let cases = [
        (String::new(), "rules/a.yaml: the file is empty: it needs a `domain`"),
        ("descriptors: []\n".to_owned(), "rules/a.yaml: a file of rules needs `domain`"),
        (
            "domain: ''\n".to_owned(),
            "rules/a.yaml:1:9: `domain` must be a name and is empty (for example `remote_address`)",
        ),
        (of("  - value: a\n"), "rules/a.yaml:3:5: a descriptor needs `key`"),
        (
            of("  - key: a\n    rate_limit: { requests_per_unit: 1 }\n"),
            "rules/a.yaml:4:17: `rate_limit` needs `unit`, or `unlimited: true`",
        ),
        (
            of("  - key: a\n    rate_limit: { unit: secnd, requests_per_unit: 1 }\n"),
            "rules/a.yaml:4:25: `unit` must be `second`, `minute`, `hour`, `day`, `week`, `month` or `year`, not `secnd` (did you mean `second`?)",
        ),
        (
            of("  - key: a\n    rate_limit: { unit: day, requests_per_unit: -1 }\n"),
            "rules/a.yaml:4:49: `requests_per_unit` must be a number, not `-1` (from `0` to `4294967295`)",
        ),
        (
            of("  - key: a\n    rate_limit: { unit: day, unlimited: true }\n"),
            "rules/a.yaml:4:25: a limit is `unlimited` or has a `unit`, not both",
        ),
        (
            of("  - { key: a, share_threshold: true }\n"),
            "rules/a.yaml:3:32: `share_threshold` is for values with a `*`: other values have one budget each",
        ),
        (
            of("  - { key: a, shadow_mod: true }\n"),
            "rules/a.yaml:3:15: unknown key `shadow_mod` (did you mean `shadow_mode`?)",
        ),
        (
            of("  - { key: a, value: b }\n  - { key: a, value: b }\n"),
            "rules/a.yaml:4:12: the key `a` with the value `b` is there twice (again here; first here: rules/a.yaml:3:12)",
        ),
        (
            of("  - key: a\n    rate_limit: { unit: day, requests_per_unit: 1, name: n, replaces: [{ name: n }] }\n"),
            "rules/a.yaml:4:80: the limit `n` cannot replace itself",
        ),
        (
            of("  - key: a\n    rate_limit: { unit: day, requests_per_unit: 1, replaces: [{ name: '' }] }\n"),
            "rules/a.yaml:4:71: `name` must be a name and is empty (for example `remote_address`)",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(errors(&[("rules/a.yaml", &text)], ALONE), [wanted], "{text}");
    }
    let twice = [("rules/a.yaml", "domain: d\n"), ("rules/b.yaml", "# two\ndomain: d\n")];
    let wanted = "rules/b.yaml:2:9: two files have the domain `d` (again here; first here: rules/a.yaml:1:9)";
    assert_eq!(errors(&twice, ALONE), [wanted]);
}

#[test]
fn a_key_where_it_has_no_meaning_is_passed_over_with_a_warning() {
    let text = "domain: d\nunit: day\ndescriptors:\n  - key: a\n    rate_limit: { unit: day, requests_per_unit: 1, shadow_mode: true }\n";
    let wanted = [
        "rules/a.yaml:2:1: `unit` has no meaning in a file of rules, and does nothing",
        "rules/a.yaml:5:52: `shadow_mode` has no meaning in `rate_limit`, and does nothing",
    ];
    assert_eq!(rules(text).1, wanted);
}

#[test]
fn mistakes_in_the_config_itself_are_told() {
    let of = |rest: &str| format!("rate_limit_service: {{ {rest} }}\n");
    let cases = [
        (
            "keys: 1",
            "tidegate.yaml:1:21: `rate_limit_service` needs `bind`, for Envoy, or `resp`, for clients of Redis",
        ),
        ("bind: 127.0.0.1:1", "tidegate.yaml:1:29: `rate_limit_service` with `bind` needs `config`: files with rules"),
        (
            "resp: 127.0.0.1:1, config: [rules]",
            "tidegate.yaml:1:42: `config` has no meaning without `bind`: `CL.THROTTLE` brings its limit along",
        ),
        (
            "bind: 127.0.0.1:1, config: []",
            "tidegate.yaml:1:50: `config` is empty: name files with rules, or folders of them",
        ),
        ("bind: 127.0.0.1:1, config: [other]", "tidegate.yaml:1:51: there is no file or folder `other`"),
        ("bind: 127.0.0.1:1, config: [proto]", "tidegate.yaml:1:51: there is no .yaml file in the folder `proto`"),
        ("bind: 127.0.0.1:1, config: [rules], store: r", "tidegate.yaml:1:66: unknown store `r`"),
        (
            "bind: 127.0.0.1:1, config: [rules], on_failure: open",
            "tidegate.yaml:1:21: `on_failure` of `rate_limit_service` has no meaning without a `store`",
        ),
        (
            "bind: 127.0.0.1:1, config: [rules], resp_password: x",
            "tidegate.yaml:1:59: `resp_password` has no meaning without `resp`",
        ),
        (
            "bind: 127.0.0.1:1, config: [rules], resp: 127.0.0.1:1",
            "tidegate.yaml:1:65: `127.0.0.1:1` is bound twice (again here; first here: tidegate.yaml:1:29)",
        ),
    ];
    for (rest, wanted) in cases {
        assert_eq!(errors(&[EMPTY], &of(rest)), [wanted], "{rest}");
    }
    let open = of("bind: 0.0.0.0:1, config: [rules]");
    let warnings = loaded(&[EMPTY], &open).warnings;
    let wanted = "tidegate.yaml:1:29: `0.0.0.0:1`: everybody who can connect can use limits up";
    assert_eq!(warnings.diagnostics.iter().map(|warning| warning.in_one_line()).collect::<Vec<_>>(), [wanted]);
}

#[test]
fn yaml_that_is_none_is_told_with_its_line() {
    let expected = "
error: not valid YAML: unclosed bracket '['
 --> rules/a.yaml:2:14
  |
2 | descriptors: [
  |              ^
";
    rejects_with(&[("rules/a.yaml", "domain: d\ndescriptors: [\n")], ALONE, expected);
}
