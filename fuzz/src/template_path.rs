//! Templates and paths, against the plainest reading of them.

use crate::naive::{Template, decode, is_encoded};
use crate::schema::{SCHEMA, canonical, message, printed};
use http::Method;
use tidegate_protojson::PrintOptions;
use tidegate_transcode::frame::FRAME_HEADER_LEN;
use tidegate_transcode::{HttpRule, Match, Miss, Router, RouterBuilder, RuleMethod, TranscodeOptions};

/// Templates of one input; further lines do not count.
const TEMPLATES: usize = 8;

/// Lines: `METHOD /template` each, and the last one `METHOD /path`. Methods are those of `g`et, `p`ost, `a`ny.
///
/// Rules that nobody can tell apart are refused, others are not. The router finds the template that a plain matcher
/// finds, with the same captures, and writes them into the message.
pub fn template_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines: Vec<&str> = text.split('\n').collect();
    let Some((method, path)) = lines.pop().and_then(|line| line.split_once(' ')) else { return };
    let mut templates: Vec<(HttpRule, Template)> = Vec::new();
    for line in lines.into_iter().take(TEMPLATES) {
        let Some((method, template)) = line.split_once(' ') else { continue };
        let rule = rule(method, template);
        if let Ok(router) = build(std::slice::from_ref(&rule)) {
            let method = router.bindings().next().expect("one rule, one binding").method_str();
            templates.push((rule, Template::read(method, template)));
        }
    }
    let indexed = || templates.iter().enumerate();
    let conflict = indexed().any(|(at, one)| templates[..at].iter().any(|other| one.1.is_same_as(&other.1)));
    let rules: Vec<HttpRule> = templates.iter().map(|(rule, _)| rule.clone()).collect();
    let Ok(router) = build(&rules) else {
        assert!(conflict, "these can be told apart: {rules:?}");
        return;
    };
    assert!(!conflict, "these cannot be told apart: {rules:?}");

    let method = rule(method, "").method.as_str().parse().unwrap_or(Method::PUT);
    let matching = || indexed().filter_map(|(at, (_, template))| Some((at, template, template.captures(path)?)));
    let fits = |template: &Template| template.method == "*" || template.method == method.as_str();
    let best = matching().filter(|(_, template, _)| fits(template)).min_by_key(|(_, template, _)| template.rank());
    match (router.find(&method, path), best) {
        (Err(Miss::BadPath(_)), _) => assert!(!is_encoded(path.as_bytes()) && path.starts_with('/')),
        (Ok(found), Some((at, template, captures))) => {
            assert_eq!(found.index, at, "{method} {path}");
            assert_eq!(found.captures.as_slice(), captures, "{method} {path}");
            write(&found, template, &captures);
        }
        (Err(Miss::NotFound), None) => assert_eq!(matching().count(), 0, "{method} {path}"),
        (Err(Miss::MethodNotAllowed { allow }), None) => {
            let allowed: Vec<&str> = allow.split(", ").collect();
            assert!(matching().count() > 0, "{method} {path}");
            matching().for_each(|(_, template, _)| assert!(allowed.contains(&template.method.as_str()), "{allow}"));
        }
        (found, best) => panic!("{method} {path}: {found:?} in place of {best:?}"),
    }
}

fn rule(method: &str, template: &str) -> HttpRule {
    let method = match method {
        "g" => RuleMethod::Get,
        "p" => RuleMethod::Post,
        _ => RuleMethod::Custom("*".to_owned()),
    };
    HttpRule { selector: "fuzz.Bare.Do".to_owned(), method, template: template.to_owned(), ..HttpRule::default() }
}

/// A router of these rules, in their order.
fn build(rules: &[HttpRule]) -> Result<Router, ()> {
    let mut builder = RouterBuilder::new();
    if let Some((first, more)) = rules.split_first() {
        let rule = HttpRule { additional: more.to_vec(), ..first.clone() };
        builder.add_service(&SCHEMA, "fuzz.Bare", &[rule], 0).map_err(|problems| assert!(!problems.is_empty()))?;
    }
    builder.build().map_err(|problems| assert!(!problems.is_empty()))
}

/// What was captured is what the message has.
fn write(found: &Match<'_>, template: &Template, captures: &[&str]) {
    let mut out = Vec::new();
    let written = found.write_request(&SCHEMA, None, None, b"", &TranscodeOptions::default(), &mut out);
    let Err(refusal) = written else {
        // A mask may name fields that JSON's form of it cannot say (`a__b`).
        if template.variables.iter().any(|variable| variable.name.ends_with("fm")) {
            return;
        }
        let json =
            printed(message(false), &canonical(message(false), &out[FRAME_HEADER_LEN..]), &PrintOptions::default());
        let json: serde_json::Value = serde_json::from_slice(&json).expect("what is printed is JSON");
        for (variable, capture) in template.variables.iter().zip(captures) {
            // Fields whose text is their value.
            let place = match variable.name.as_str() {
                "s" => &json["s"],
                "m.s" => &json["m"]["s"],
                "ws" => &json["ws"],
                _ => continue,
            };
            let decoded = decode(capture.as_bytes(), variable.multi);
            assert_eq!(place.as_str().unwrap_or_default().as_bytes(), decoded, "{capture:?}");
        }
        return;
    };
    assert!(out.is_empty() && refusal.http == http::StatusCode::BAD_REQUEST, "{refusal}");
    let plain = template.variables.iter().all(|variable| matches!(variable.name.as_str(), "s" | "m.s" | "ws"));
    let is_text = |capture: &&str| std::str::from_utf8(&decode(capture.as_bytes(), false)).is_ok();
    assert!(!(plain && captures.iter().all(is_text)), "{refusal}");
}
