//! Every kind of wrong config is one clear error with its line, wherever the config comes from, and changes nothing.
mod kinds;

use crate::running::Running;
use crate::{CONFIG, folder, program, tidegate};
use kinds::{Wrong, kinds};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tidegate_source_rig::apollo::Apollo;
use tidegate_source_rig::etcd::Etcd;

/// More than any config may have.
const LARGE: usize = 10 << 20;

fn good() -> String {
    format!("{CONFIG}admin: {{ bind: 127.0.0.1:0 }}\n")
}

fn run(folder: &Path, arguments: &[&str]) -> Running {
    Running::start_with(&mut program(folder, &[&["run"], arguments].concat()), 2)
}

/// The reason in the next line of the log that has this text.
fn reason(running: &mut Running, text: &str) -> String {
    let line: Value = serde_json::from_str(&running.wait_for_log(text)).expect("JSON");
    line["reason"].as_str().expect("a reason").to_owned()
}

/// The config is still the good one: its path is routed, and its upstream down.
#[track_caller]
fn serves_on(running: &Running, kind: &str) {
    assert!(running.get(0, "/v1/say/a").starts_with("HTTP/1.1 503 "), "{kind}: the config before it stays");
}

/// What a log says of it.
fn told(wrong: &Wrong, name: &str) -> String {
    format!("{name}{}: {}", wrong.place, wrong.line.replace("NAME", name))
}

#[test]
fn check_admin_port_and_reload_say_the_same() {
    let folder = folder(&[("tidegate.yaml", &good())]);
    let file = folder.path().join("tidegate.yaml");
    let mut running = run(folder.path(), &[]);
    let admin = running.addresses[1].clone();
    for wrong in kinds() {
        let Wrong { kind, text, place, .. } = &wrong;
        fs::write(folder.path().join("bad.yaml"), text).expect("written");
        let checked = tidegate(folder.path(), &["check", "-c", "bad.yaml"]);
        let shown = wrong.check.trim_start_matches('\n').replace("NAME", "bad.yaml");
        assert_eq!(checked, (78, String::new(), shown), "{kind}");

        let description = wrong.admin.replace("NAME", "request body");
        let violation = json!({ "field": format!("request body{place}"), "description": description });
        let request = json!([{ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation] }]);
        let status = json!({ "code": 3, "message": "the config is wrong: 1 error", "details": request });
        for method in ["check", "apply"] {
            let (code, answer) = running.post(1, &format!("/api/v1/config:{method}"), "", text);
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!((code, answer), (400, status.clone()), "{kind}: {method}");
        }
        assert_eq!(reason(&mut running, "the config is refused"), told(&wrong, "request body"), "{kind}: apply");

        fs::rename(folder.path().join("bad.yaml"), &file).expect("renamed");
        assert_eq!(reason(&mut running, "the config is refused"), told(&wrong, "tidegate.yaml"), "{kind}: the file");
        let reloaded = tidegate(folder.path(), &["reload", "--admin", &admin]);
        let description = wrong.admin.replace("NAME", "tidegate.yaml");
        let shown = format!("error: the config is wrong: 1 error\n  tidegate.yaml{place}: {description}\n");
        assert_eq!(reloaded, (78, String::new(), shown), "{kind}: reload");
        assert_eq!(reason(&mut running, "the config is refused"), told(&wrong, "tidegate.yaml"), "{kind}: reload");
        serves_on(&running, kind);
    }
}

#[test]
fn a_config_in_etcd_is_refused_in_the_same_words() {
    let Some(etcd) = Etcd::start() else { return };
    let folder = folder(&[]);
    etcd.put("/tidegate.yaml", &good());
    let mut running = run(folder.path(), &["--from", &format!("etcd://{}/tidegate.yaml", etcd.address())]);
    for wrong in kinds() {
        etcd.put("/tidegate.yaml", &wrong.text);
        assert_eq!(reason(&mut running, "the config is refused"), told(&wrong, "/tidegate.yaml"), "{}", wrong.kind);
        serves_on(&running, wrong.kind);
    }
}

#[test]
fn a_config_in_apollo_is_refused_in_the_same_words() {
    let Some(mut apollo) = Apollo::start(&["tidegate.yaml"]) else { return };
    let folder = folder(&[]);
    apollo.put("tidegate.yaml", &good());
    let mut running = run(folder.path(), &["--from", &format!("apollo://{}/gateway/tidegate.yaml", apollo.address())]);
    for wrong in kinds() {
        apollo.put("tidegate.yaml", &wrong.text);
        assert_eq!(reason(&mut running, "the config is refused"), told(&wrong, "tidegate.yaml"), "{}", wrong.kind);
        serves_on(&running, wrong.kind);
    }
}

/// Its content does not matter, and is not looked at.
#[test]
fn a_config_of_ten_megabytes_is_refused_for_its_size() {
    let folder = folder(&[("tidegate.yaml", &good())]);
    fs::write(folder.path().join("large.yaml"), "#".repeat(LARGE)).expect("written");
    let size = "it has 10485760 bytes; 4194304 is the most";
    for command in ["check", "run"] {
        let (code, _, err) = tidegate(folder.path(), &[command, "-c", "large.yaml"]);
        let first = format!("error: cannot read the config file `large.yaml`: {size}");
        assert_eq!((code, err.lines().next()), (78, Some(first.as_str())), "{command}");
    }
    let mut running = run(folder.path(), &[]);
    for method in ["check", "apply"] {
        // The rest of it is not waited for.
        let head = format!("POST /api/v1/config:{method} HTTP/1.1\r\nhost: localhost\r\nconnection: close");
        let body = "#".repeat((4 << 20) + 1);
        let answer = running.ask(1, &format!("{head}\r\ncontent-length: {LARGE}\r\n\r\n{body}"));
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let body: Value = serde_json::from_str(body).expect("JSON");
        let status = json!({ "code": 8, "message": "the body is too large: 4194304 bytes is the most" });
        assert_eq!((head.split(' ').nth(1), body), (Some("413"), status), "{method}");
    }
    fs::rename(folder.path().join("large.yaml"), folder.path().join("tidegate.yaml")).expect("renamed");
    let unread = reason(&mut running, "the source of the config cannot be read");
    assert_eq!(unread, format!("cannot read the config file `tidegate.yaml`: {size}"));
    serves_on(&running, "the file");
}

#[test]
fn ten_megabytes_in_etcd_or_apollo_are_refused_for_their_size() {
    let (Some(etcd), Some(mut apollo)) = (Etcd::start(), Apollo::start(&["tidegate.yaml"])) else { return };
    let folder = folder(&[]);
    etcd.put("/tidegate/a.yaml", &good());
    apollo.put("tidegate.yaml", &good());
    let unread = "the source of the config cannot be read";
    let mut running = run(folder.path(), &["--from", &format!("etcd://{}/tidegate/", etcd.address())]);
    // Values of etcd have 1.5 MiB at the most.
    for key in ["b", "c", "d", "e", "f", "g", "h", "i"] {
        etcd.put(&format!("/tidegate/{key}.yaml"), &"#".repeat(LARGE / 8));
    }
    let told = format!("etcd at {}: the keys below /tidegate/ have more than 4194304 bytes", etcd.address());
    assert_eq!(reason(&mut running, unread), told);
    serves_on(&running, "etcd");
    let mut running = run(folder.path(), &["--from", &format!("apollo://{}/gateway/tidegate.yaml", apollo.address())]);
    apollo.put("tidegate.yaml", &"#".repeat(LARGE));
    let told = format!("apollo at {}: tidegate.yaml has more than 4194304 bytes", apollo.address());
    assert_eq!(reason(&mut running, unread), told);
    serves_on(&running, "Apollo");
}

#[test]
fn a_file_that_is_no_text_is_told_with_the_line_that_is_none() {
    let folder = folder(&[("tidegate.yaml", &good())]);
    let bytes = b"# a comment\nlisteners: \xff\n";
    fs::write(folder.path().join("binary.yaml"), bytes).expect("written");
    let shown = "\
error: the config is no UTF-8 text: byte 23
 --> binary.yaml:2:12
  |
2 | listeners: \u{fffd}
  |            ^

binary.yaml: 1 error
";
    let checked = tidegate(folder.path(), &["check", "-c", "binary.yaml"]);
    assert_eq!(checked, (78, String::new(), shown.to_owned()));
    let mut running = run(folder.path(), &[]);
    fs::rename(folder.path().join("binary.yaml"), folder.path().join("tidegate.yaml")).expect("renamed");
    let refused = reason(&mut running, "the config is refused");
    assert_eq!(refused, "tidegate.yaml:2:12: the config is no UTF-8 text: byte 23");
    serves_on(&running, "the file");
}

#[test]
fn a_folder_without_a_config_is_one_line() {
    let folder = folder(&[]);
    fs::create_dir(folder.path().join("empty")).expect("made");
    for command in ["check", "run"] {
        let (code, _, err) = tidegate(folder.path(), &[command, "-c", "empty"]);
        let first = "error: there is no .yaml file in the folder `empty`";
        assert_eq!((code, err.lines().next()), (78, Some(first)), "{command}");
    }
}
