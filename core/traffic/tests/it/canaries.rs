use crate::{get, headers};
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_traffic::{Canary, Choice, RequestView, Rule, Share, Split, SplitKey, ValueMatch, Verdict};

/// Users of the tests of shares.
const USERS: u64 = 1_000_000;

const NO_PLAN: fn(usize) -> Share = |_| Share::NONE;

fn name(text: &'static str) -> HeaderName {
    HeaderName::from_static(text)
}

fn split(salt: &str) -> Split {
    Split { key: SplitKey::Header(name("x-user-id")), salt: salt.to_owned() }
}

fn sticky(below: Option<Share>) -> Rule {
    Rule { split: Some(split("shop-next")), below, ..Rule::default() }
}

fn rule(choice: Choice) -> Option<usize> {
    choice.rule
}

#[test]
fn the_first_rule_whose_conditions_all_hold_decides() {
    let version = |value: &str| (name("x-app-version"), ValueMatch::Exact(value.into()));
    let canary = Canary {
        rules: vec![
            Rule { headers: vec![version("v2")], weight: Some(Share::ALL), ..Rule::default() },
            Rule { headers: vec![version("v3")], ..sticky(Some(Share::ALL)) },
            Rule { headers: vec![version("v4")], trusted_only: true, ..Rule::default() },
            sticky(Some(Share::NONE)),
        ],
    };
    let decide = |pairs: &[(&str, &str)], trusted| {
        let headers = headers(pairs);
        rule(canary.decide(&RequestView { trusted, ..get(&headers) }, 0, &NO_PLAN))
    };
    assert_eq!(decide(&[("x-app-version", "v2")], false), Some(0));
    assert_eq!(decide(&[("x-app-version", "v2"), ("x-app-version", "v2")], false), None, "joined by a comma");
    assert_eq!(decide(&[("x-app-version", "v3"), ("x-user-id", "7")], false), Some(1));
    assert_eq!(decide(&[("x-app-version", "v3"), ("x-user-id", "")], false), None, "an empty key is none");
    assert_eq!(decide(&[("x-app-version", "v3")], false), None);
    assert_eq!(decide(&[("x-app-version", "v4")], true), Some(2));
    assert_eq!(decide(&[("x-app-version", "v4")], false), None);
    assert_eq!(decide(&[("x-user-id", "7")], false), None);
}

#[test]
fn a_split_is_xxh3_of_salt_and_value() {
    // As the xxhash package of Python has them, of the bytes `shop-next` and the value. Fixed for ever.
    let place = |salt: &str, value: &str| split(salt).place_of(value.as_bytes());
    assert_eq!(place("", ""), 0x2D06_8005_38D3_94C2);
    assert_eq!(place("shop-next", ""), 0xC0B9_2EEB_AD0F_33D4);
    assert_eq!(place("shop-next", "user-1"), 0x7A5F_81AC_6C62_37AE);
    assert_eq!(place("shop-next", &"x".repeat(300)), 0x89B4_18B3_9F24_396B);
}

#[test]
fn a_cookie_can_be_the_key() {
    let split = Split { key: SplitKey::Cookie("uid".into()), salt: "s".into() };
    let with = headers(&[("cookie", "a=1; uid=u7")]);
    let without = headers(&[("cookie", "a=1; uid=")]);
    assert_eq!(split.place(&get(&with)), Some(split.place_of(b"u7")));
    assert_eq!(split.place(&get(&without)), None);
}

#[test]
fn a_million_users_split_as_asked_and_a_larger_share_moves_only_those_it_adds() {
    let side = |share: u32| {
        let canary = Canary { rules: vec![sticky(Some(Share::percent(share)))] };
        let mut headers = HeaderMap::new();
        let mut side = Vec::new();
        for user in 0..USERS {
            headers.insert("x-user-id", HeaderValue::from_str(&format!("user-{user}")).expect("a value"));
            side.push(canary.decide(&get(&headers), user, &NO_PLAN).rule.is_some());
        }
        side
    };
    let (ten, again, twenty) = (side(10), side(10), side(20));
    let count = |side: &[bool]| side.iter().filter(|canary| **canary).count() as u64;
    for (share, side) in [(10, &ten), (20, &twenty)] {
        let off = count(side).abs_diff(USERS / 100 * share);
        assert!(off <= USERS / 1000, "{share} %: {} of {USERS} users", count(side));
    }
    assert_eq!(ten, again, "nobody changes sides");
    let left = ten.iter().zip(&twenty).filter(|(before, after)| **before && !**after).count();
    assert_eq!(left, 0, "whoever was in 10 % is in 20 %");
}

#[test]
fn canaries_with_other_salts_do_not_share_their_first_users() {
    let (one, other) = (split("a"), split("b"));
    let within = |split: &Split, user: u64| Share::percent(10).takes(split.place_of(user.to_string().as_bytes()));
    let both = (0..USERS / 10).filter(|user| within(&one, *user) && within(&other, *user)).count();
    assert!((800..1200).contains(&both), "{both} of 100000 users are in both, 1000 were expected");
}

#[test]
fn a_weight_takes_its_part_and_rules_draw_apart() {
    let weight = |percent| Rule { weight: Some(Share::percent(percent)), ..Rule::default() };
    let canary = Canary { rules: vec![weight(5), weight(50)] };
    let headers = headers(&[]);
    let mut taken = [0_u64; 3];
    let mut bits = 1_u64;
    for _ in 0..USERS {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match canary.decide(&get(&headers), bits, &NO_PLAN).rule {
            Some(rule) => taken[rule] += 1,
            None => taken[2] += 1,
        }
    }
    // Half of what the first left: 47.5 %.
    for (taken, want) in taken.into_iter().zip([50_000, 475_000, 475_000]) {
        assert!(taken.abs_diff(want) <= USERS / 500, "{taken} for {want}");
    }
}

#[test]
fn a_rule_that_follows_a_plan_has_the_share_of_the_plan_and_counts_both_sides() {
    let canary = Canary { rules: vec![sticky(None)] };
    let user = headers(&[("x-user-id", "7")]);
    let nobody = headers(&[]);
    let decide = |headers: &HeaderMap, share| canary.decide(&get(headers), 0, &|_: usize| share);
    assert_eq!(decide(&user, Share::ALL), Choice { rule: Some(0), beside: None });
    assert_eq!(decide(&user, Share::NONE), Choice { rule: None, beside: Some(0) });
    assert_eq!(decide(&nobody, Share::ALL), Choice { rule: None, beside: None });
    let fixed = Canary { rules: vec![sticky(Some(Share::NONE))] };
    assert_eq!(fixed.decide(&get(&user), 0, &NO_PLAN), Choice { rule: None, beside: None });
}

#[test]
fn every_rule_says_why_up_to_the_one_that_decides() {
    let canary = Canary {
        rules: vec![
            Rule { headers: vec![(name("x-a"), ValueMatch::Prefix("v".into()))], ..Rule::default() },
            Rule { trusted_only: true, ..Rule::default() },
            sticky(Some(Share::NONE)),
            Rule { weight: Some(Share::NONE), ..Rule::default() },
            Rule::default(),
            Rule::default(),
        ],
    };
    let headers = headers(&[("x-user-id", "7")]);
    let said = canary.explain(&get(&headers), 0, &NO_PLAN);
    let place = split("shop-next").place_of(b"7");
    assert_eq!(said[2], Verdict::Outside { place, below: Share::NONE });
    let said: Vec<String> = said.iter().map(Verdict::to_string).collect();
    let percent = place as f64 / 2_f64.powi(64) * 100.0;
    assert_eq!(
        said,
        [
            "asks that header `x-a` begins with `v`".to_owned(),
            "is for trusted peers alone".to_owned(),
            format!("takes those below 0%: the value stands at {percent:.4}%"),
            "takes 0% of the requests at random, and not this one".to_owned(),
            "holds".to_owned(),
        ]
    );
    assert_eq!(canary.unreachable(), 5..6);
    assert_eq!(Canary { rules: vec![sticky(Some(Share::ALL)), Rule::default()] }.unreachable(), 2..2);
}
