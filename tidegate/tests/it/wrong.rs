//! Every kind of wrong config is one clear error with its line, wherever the config comes from.
use crate::running::Running;
use crate::{CONFIG, folder, program, tidegate};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

/// Name, text, place in it, and how the message begins.
fn kinds() -> Vec<(&'static str, String, &'static str, &'static str)> {
    let with = |line: &str| format!("{CONFIG}{line}\n");
    let replaced = |from: &str, to: &str| CONFIG.replace(from, to);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let _ = writeln!(bomb, "a{level}: &a{level} [{}]", [before.as_str(); 10].join(", "));
    }
    let twice = "  echo: { endpoints: [127.0.0.1:2] }\nroutes:";
    vec![
        ("unknown key", with("rutes: []"), ":6:1", "unknown key `rutes`"),
        ("wrong type", with("drain: soon"), ":6:8", "`drain` must be a duration"),
        ("unknown upstream", replaced("upstream: echo", "upstream: ecco"), ":5:40", "unknown upstream `ecco`"),
        ("duplicate name", replaced("routes:", twice), ":4:3", "`echo` is given twice"),
        ("unknown service", replaced("demo.v1.Echo", "demo.v1.Eco"), ":5:16", "the schema of `echo` has no service"),
        ("no YAML", with("x: ["), "", "not valid YAML"),
        ("YAML bomb", bomb, "", "not valid YAML"),
        ("empty", String::new(), "", "the config file is empty"),
    ]
}

#[test]
fn check_admin_port_and_reload_say_the_same() {
    let good = format!("{CONFIG}admin: {{ bind: 127.0.0.1:0 }}\n");
    let folder = folder(&[("tidegate.yaml", &good)]);
    let file = folder.path().join("tidegate.yaml");
    let mut running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    for (kind, text, place, message) in kinds() {
        fs::write(folder.path().join("bad.yaml"), &text).expect("written");
        let (code, _, err) = tidegate(folder.path(), &["check", "-c", "bad.yaml"]);
        let mut lines = err.lines();
        let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default().trim_start());
        assert!(code == 78 && first.starts_with(&format!("error: {message}")), "{kind}: {err}");
        assert!(second.starts_with(&format!("--> bad.yaml{place}")), "{kind}: {err}");
        assert!(err.ends_with("\nbad.yaml: 1 error\n"), "{kind}: {err}");

        let (status, answer) = running.post(1, "/api/v1/config:check", "", &text);
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let violations = answer["details"][0]["fieldViolations"].as_array().expect("violations");
        let [one] = violations.as_slice() else { panic!("{kind}: {answer}") };
        let (field, description) = (one["field"].as_str().expect("text"), one["description"].as_str().expect("text"));
        assert!(status == 400 && field.starts_with(&format!("request body{place}")), "{kind}: {answer}");
        assert!(description.starts_with(message), "{kind}: {answer}");

        crate::replace(&file, &text);
        let line = running.wait_for_log("the config is refused");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        let reason = line["reason"].as_str().expect("a reason");
        assert!(reason.starts_with(&format!("tidegate.yaml{place}")) && reason.contains(message), "{kind}: {reason}");
        assert!(running.get(0, "/v1/say/a").starts_with("HTTP/1.1 503 "), "{kind}: the config before it stays");
    }
}

#[test]
fn a_file_that_is_no_config_at_all_is_one_line() {
    let folder = folder(&[("tidegate.yaml", CONFIG)]);
    let told = |arguments: &[&str]| {
        let (code, _, err) = tidegate(folder.path(), arguments);
        (code, err.lines().next().unwrap_or_default().to_owned())
    };
    fs::write(folder.path().join("large.yaml"), "#".repeat(10 << 20)).expect("written");
    let large = "error: cannot read the config file `large.yaml`: it has 10485760 bytes; 4194304 is the most";
    fs::write(folder.path().join("binary.yaml"), b"listeners: \xff\n").expect("written");
    fs::create_dir(folder.path().join("empty")).expect("made");
    for command in ["check", "run"] {
        assert_eq!(told(&[command, "-c", "large.yaml"]), (78, large.into()));
        assert_eq!(told(&[command, "-c", "binary.yaml"]), (78, "error: the config is no UTF-8 text: byte 11".into()));
        assert_eq!(told(&[command, "-c", "empty"]), (78, "error: there is no .yaml file in the folder `empty`".into()));
    }
}
