//! `tidegate demo`, and what the README says of it.

use crate::tidegate;
use std::path::Path;
use tidegate_shop::tour::STEPS;

#[test]
fn the_tour_is_made_and_every_answer_is_right() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, out, err) = tidegate(folder.path(), &["demo", "--once"]);
    assert_eq!(code, 0, "{err}{out}");
    let logged: Vec<&str> = err.lines().map(decision).collect();
    let rolled_back = "canary rolled back from 20%: ";
    let (logged, of_breaker) = logged.split_at(logged.len().saturating_sub(3));
    let of_breaker_want = [
        "circuit breaker is open: 10 of 10 calls failed",
        "circuit breaker is half_open: the open interval is over",
        "circuit breaker is closed: the probes ended well",
    ];
    assert_eq!(of_breaker, of_breaker_want);
    let [first, second, third, last] = logged[..] else { panic!("four decisions are logged: {err}") };
    assert_eq!(
        [first, second, third],
        ["canary advanced from 10% to 50%", "canary advanced from 50% to 100%", "canary completed at 100%"]
    );
    assert!(last.starts_with(rolled_back), "{last}");
    let want = format!("\nThe tour's {} answers were all as they should be.\n", STEPS.len());
    assert!(out.ends_with(&want), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("ok  ")).count(), STEPS.len() + 4);
    for canary in [
        "next: advanced from 10% to 50%, advanced from 50% to 100%, completed at 100%",
        "broken: rolled back from 20%: ",
    ] {
        assert!(out.contains(&format!("ok  canary {canary}")), "{out}");
    }
    let breaker =
        "ok  breaker flaky: opened after 10 calls that failed; others were served; closed after 2 good ones\n";
    assert!(out.contains(breaker), "{out}");
    let limit = "ok  limit per-tenant: 3 calls of a tenant passed, the next one is told to come again within an hour; ";
    assert!(out.contains(limit), "{out}");
}

/// The message of a line of the log.
fn decision(line: &str) -> &str {
    let message = line.split_once(r#""message":""#).map(|(_, rest)| rest);
    message.and_then(|rest| rest.split_once('"')).map_or(line, |(message, _)| message)
}

/// The README's console block: commands and answers as the tour has them.
#[test]
fn the_readme_shows_what_the_demo_prints_and_what_comes_back() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    for step in STEPS.iter().filter(|step| step.readme) {
        let answer = step.expect.to_string();
        let want = format!("$ {}\n{}\n", step.curl("http://127.0.0.1:8080"), answer.trim_end());
        assert!(readme.contains(&want), "README.md lacks:\n{want}");
    }
    // What `--once` checks as well.
    let want = "$ for i in $(seq 11); do curl -s 'http://127.0.0.1:8080/v1/faults/14?message=flaky'; echo; done | tail -1\n\
                {\"code\":14,\"message\":\"the service fails too often and is not called for now: try again in 1 s\"}\n";
    assert!(readme.contains(want), "README.md lacks:\n{want}");
    let want = "$ for i in $(seq 4); do curl -s -o /dev/null -w '%{http_code} ' 'http://127.0.0.1:8080/v1/tenants/busy/orders'; done\n\
                200 200 200 429\n";
    assert!(readme.contains(want), "README.md lacks:\n{want}");
}
