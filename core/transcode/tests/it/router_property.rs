//! The router against the plainest reading of its rules.

use crate::harness::build;
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tidegate_transcode::Miss;

/// A template, as its parts.
#[derive(Clone, Debug)]
struct Template {
    method: &'static str,
    segments: Vec<&'static str>,
    verb: Option<&'static str>,
}

impl Template {
    fn text(&self) -> String {
        let verb = self.verb.map(|verb| format!(":{verb}")).unwrap_or_default();
        format!("/{}{verb}", self.segments.join("/"))
    }

    fn rule(&self) -> String {
        match self.method {
            "GET" => format!("get: {}", self.text()),
            "POST" => format!("post: {}", self.text()),
            other => format!("custom: {other} {}", self.text()),
        }
    }

    /// Whether it matches, read off the documentation.
    fn matches(&self, path: &str) -> bool {
        let path = match self.verb {
            None => path,
            Some(verb) => match path.rsplit_once(':') {
                Some((stem, found)) if found == verb => stem,
                _ => return false,
            },
        };
        let mut left: Vec<&str> = if path == "/" || path.is_empty() { vec![] } else { path[1..].split('/').collect() };
        for (index, segment) in self.segments.iter().enumerate() {
            match *segment {
                "**" => {
                    assert_eq!(index, self.segments.len() - 1);
                    return left.len() < 2 || !left[0].is_empty();
                }
                _ if left.is_empty() => return false,
                "*" if left[0].is_empty() => return false,
                "*" => {}
                literal if left[0] != literal => return false,
                _ => {}
            }
            left.remove(0);
        }
        left.is_empty()
    }

    /// What two matching templates are compared by; the lesser wins.
    fn rank(&self) -> (Vec<u8>, bool) {
        let rank = |segment: &&str| match *segment {
            "**" => 2,
            "*" => 1,
            _ => 0,
        };
        (self.segments.iter().map(rank).collect(), self.verb.is_none())
    }
}

/// The index of the template that a request gets, or the methods that it could have had.
fn naive(templates: &[Template], method: &str, path: &str) -> Result<usize, Vec<&'static str>> {
    let matching = || templates.iter().enumerate().filter(|(_, template)| template.matches(path));
    // For one method, for GET where HEAD is asked for, for every method.
    let fit = |template: &Template| match template.method {
        own if own == method => Some(0),
        "GET" if method == "HEAD" => Some(1),
        "*" => Some(2),
        _ => None,
    };
    let fitting = matching().filter_map(|(index, template)| Some((index, template.rank(), fit(template)?)));
    let best = fitting.min_by_key(|(_, rank, fit)| (rank.clone(), *fit));
    best.map(|(index, ..)| index).ok_or_else(|| {
        let mut methods: Vec<&str> = matching().map(|(_, template)| template.method).collect();
        if methods.is_empty() {
            return methods;
        }
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.sort_unstable();
        methods.dedup();
        methods
    })
}

fn templates() -> impl Strategy<Value = Vec<Template>> {
    let segment = prop::sample::select(vec!["a", "b", "c", "*", "*"]);
    let verb = prop::option::weighted(0.3, prop::sample::select(vec!["v", "w", "a"]));
    let method = prop::sample::select(vec!["GET", "GET", "POST", "HEAD", "*"]);
    let template = (method, prop::collection::vec(segment, 0..4), any::<bool>(), verb);
    let template = template.prop_map(|(method, mut segments, rest, verb)| {
        if rest || segments.is_empty() {
            segments.push("**");
        }
        Template { method, segments, verb }
    });
    prop::collection::vec(template, 1..12)
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "c", "x", "", "a:v", "b:w", ":v", "x:", "x:a", "a:v:w"]);
    prop::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn the_router_agrees_with_the_naive_matcher() {
    let method = prop::sample::select(vec!["GET", "POST", "HEAD", "HEAD", "PUT"]);
    let requests = prop::collection::vec((method, path()), 1..40);
    let property = |(mut templates, requests): (Vec<Template>, Vec<(&'static str, String)>)| {
        // What nobody could tell apart would be refused: keep the first.
        let mut seen = Vec::new();
        templates.retain(|template| {
            let key = (template.text(), template.method);
            let new = !seen.contains(&key);
            seen.push(key);
            new
        });
        let rules: Vec<String> = templates.iter().map(Template::rule).collect();
        let router = build(&rules.join("\n")).expect("the templates differ");
        for (method, path) in &requests {
            let found = router.find(&method.parse::<Method>().expect("a method"), path);
            let found = found.map(|found| found.index).map_err(|miss| match miss {
                Miss::NotFound => vec![],
                Miss::MethodNotAllowed { allow } => allow.split(", ").map(String::from).collect(),
                Miss::BadPath(status) => vec![status.message],
            });
            let want = naive(&templates, method, path);
            let want = want.map_err(|methods| methods.iter().map(ToString::to_string).collect());
            prop_assert_eq!(found, want, "{} {} under {:?}", method, path, rules);
        }
        Ok(())
    };
    runner(2000).run(&(templates(), requests), property).expect("the property holds");
}
