//! The order in which rules are looked at, beside the words of envoyproxy/ratelimit's README.

use tidegate_limit::Keys;

use super::{Rules, Tallies};
use crate::config::{Algorithm, Config, Descriptor, Domain, Headers, Limit, OnFailure, Quota, Unit};

/// A level with a limit of so many a minute; 0 is none.
fn level(key: &str, value: &str, limit: u32, below: Vec<Descriptor>) -> Descriptor {
    let quota = Some(Quota { requests_per_unit: limit, unit: Unit::Minute });
    let limit = (limit > 0).then(|| Limit { quota, name: String::new(), replaces: Vec::new() });
    Descriptor { key: key.to_owned(), value: value.to_owned(), limit, descriptors: below, ..Default::default() }
}

fn rules(descriptors: Vec<Descriptor>) -> Rules {
    let config = Config {
        bind: None,
        resp: None,
        resp_password: None,
        algorithm: Algorithm::SlidingWindow,
        keys: 16,
        headers: Headers::Never,
        on_failure: OnFailure::Error,
        domains: vec![Domain { name: "d".to_owned(), descriptors }],
    };
    Rules::compile(&config, &Keys::new(0), &Tallies::new()).0
}

/// The limit that was found, by its number.
fn found(rules: &Rules, entries: &[(&str, &str)]) -> Option<u32> {
    let found = rules.domain("d").expect("the domain").find(entries)?;
    Some(found.limit.counted.as_ref().expect("a quota").quota.requests_per_unit)
}

#[test]
fn an_exact_value_goes_before_patterns_in_their_order_and_those_before_any_value() {
    let rules = rules(vec![
        level("a", "", 1, vec![]),
        level("a", "v*", 2, vec![]),
        level("a", "v1*", 3, vec![]),
        level("a", "v1", 4, vec![]),
        level("a", "/api/*/x/*/y", 5, vec![]),
    ]);
    let cases = [
        ("v1", Some(4)),
        ("v12", Some(2)),
        ("v", Some(2)),
        ("w", Some(1)),
        ("", Some(1)),
        ("/api/1/x/2/y", Some(5)),
        ("/api//x//y", Some(5)),
        ("/api/x/y", Some(1)),
    ];
    for (value, limit) in cases {
        assert_eq!(found(&rules, &[("a", value)]), limit, "{value}");
    }
    assert_eq!(found(&rules, &[("b", "v1")]), None);
}

#[test]
fn a_list_must_end_where_the_limit_stands_and_no_choice_is_taken_back() {
    let rules = rules(vec![
        level("a", "1", 7, vec![level("b", "", 8, vec![])]),
        level("a", "", 9, vec![level("b", "2", 10, vec![]), level("c", "", 11, vec![])]),
        level("d", "", 0, vec![level("e", "", 12, vec![])]),
    ]);
    let cases: [(&[(&str, &str)], Option<u32>); 7] = [
        (&[("a", "1")], Some(7)),
        (&[("a", "1"), ("b", "2")], Some(8)),
        (&[("a", "1"), ("c", "2")], None),
        (&[("a", "3"), ("b", "2")], Some(10)),
        (&[("a", "3"), ("b", "3")], None),
        (&[("d", "1")], None),
        (&[("d", "1"), ("e", "2"), ("f", "3")], None),
    ];
    for (entries, limit) in cases {
        assert_eq!(found(&rules, entries), limit, "{entries:?}");
    }
}

#[test]
fn each_list_of_values_has_a_budget_of_its_own_unless_a_pattern_shares_it() {
    let shared = Descriptor { share_threshold: true, ..level("s", "files/*", 1, vec![level("u", "", 1, vec![])]) };
    let rules = rules(vec![level("a", "", 1, vec![level("b", "", 1, vec![])]), shared]);
    let key = |entries: &[(&str, &str)]| rules.domain("d").expect("the domain").find(entries).expect("a limit").key;
    // What joins keys and values by a letter takes these for one.
    assert_ne!(key(&[("a", "b_c"), ("b", "d")]), key(&[("a", "b"), ("b", "c_d")]));
    assert_eq!(key(&[("s", "files/1")]), key(&[("s", "files/2")]));
    assert_eq!(key(&[("s", "files/1"), ("u", "1")]), key(&[("s", "files/2"), ("u", "1")]));
    assert_ne!(key(&[("s", "files/1"), ("u", "1")]), key(&[("s", "files/1"), ("u", "2")]));
    assert_ne!(key(&[("s", "files/1")]), key(&[("s", "files/1"), ("u", "1")]));
}
