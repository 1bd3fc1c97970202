//! Plans of canaries that several gateways walk together, and that outlive a process.

use crate::running::Running;
use crate::{folder, program};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use tidegate_source_rig::etcd::Etcd;

/// An HTTP/1.1 server on loopback that answers everything with this status, as long as the test runs.
fn upstream(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut head = BufReader::new(stream.try_clone().expect("a socket")).lines();
                while head.by_ref().take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).count() > 0 {
                    let answer = format!("HTTP/1.1 {status} .\r\ncontent-length: 0\r\n\r\n");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// All requests with the cookie go to the new version, which answers with `status`.
fn config(status: u16) -> String {
    format!(
        "\
listeners: [{{ bind: 127.0.0.1:0 }}]
admin: {{ bind: 127.0.0.1:0 }}
upstreams: {{ web: {{ endpoints: ['{}'] }}, next: {{ endpoints: ['{}'] }} }}
routes:
  - path: /*
    upstream: web
    canary: [{{ to: next, name: orders, hash: {{ cookie: uid, plan: {{ steps: [99%], max_error_rate: 10% }} }} }}]
",
        upstream(200),
        upstream(status)
    )
}

fn run(folder: &Path, arguments: &[&str]) -> Running {
    Running::start_with(&mut program(folder, &[&["run"], arguments].concat()), 2)
}

/// The status for a user that the plan takes.
fn status(running: &Running) -> u16 {
    let answer = running.ask(0, "GET / HTTP/1.1\r\nhost: a\r\ncookie: uid=7\r\nconnection: close\r\n\r\n");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

fn plan(running: &Running) -> Value {
    let answer = running.get(1, "/api/v1/canaries/orders");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(body).expect("JSON")
}

/// Phase, share and role.
fn standing(running: &Running) -> [Value; 3] {
    let plan = plan(running);
    ["phase", "share", "role"].map(|key| plan[key].clone())
}

fn command(running: &Running, word: &str) -> (u16, Value) {
    let (status, body) = running.post(1, &format!("/api/v1/canaries/orders:{word}"), "", "");
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// What was decided, and whether another gateway did.
fn decisions(running: &Running) -> Vec<(String, bool)> {
    let plan = plan(running);
    let one = |one: &Value| (one["decision"].as_str().expect("text").to_owned(), one["by"].is_string());
    plan["decisions"].as_array().expect("a list").iter().map(one).collect()
}

#[test]
fn a_bad_version_rolls_back_in_both_gateways_for_what_both_saw() {
    let Some(etcd) = Etcd::start() else { return };
    let folder = folder(&[]);
    etcd.put("/tidegate", &config(500));
    let url = format!("etcd://{}/tidegate", etcd.address());
    let mut both = [(); 2].map(|()| run(folder.path(), &["--from", &url]));
    assert_eq!(sorted(&both, "role"), ["follows", "leads"]);
    assert_eq!(sorted(&both, "phase"), ["walking", "walking"]);
    // 50 of 500 may fail: neither sees more, both together do.
    for running in &both {
        let failed = (0..30).filter(|_| status(running) == 500).count();
        assert_eq!(failed, 30);
    }
    let lines = both.each_mut().map(|running| running.wait_for_log("canary rolled back from 99%"));
    assert_eq!(lines.iter().filter(|line| line.contains("\"by\"")).count(), 1, "{lines:?}");
    assert_eq!(sorted(&both, "role"), ["follows", "leads"]);
    for running in &both {
        let plan = plan(running);
        let [phase, share, role] = standing(running);
        assert_eq!((phase, share), (json!("rolled_back"), json!("0%")));
        assert_eq!(plan["leader"].is_string(), role == "follows");
        assert!(plan["standing"].as_str().is_some_and(|why| why.ends_with("calls failed, more than 10%")), "{plan}");
        assert_eq!(status(running), 200);
        let (line, metrics) =
            (format!(r#"canary_plan_role{{plan="orders",role={role}}} 1"#), running.get(1, "/metrics"));
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

/// What both show at a key of the plan.
fn sorted(both: &[Running; 2], key: &str) -> [String; 2] {
    let mut shown = both.each_ref().map(|running| plan(running)[key].as_str().expect("text").to_owned());
    shown.sort();
    shown
}

#[test]
fn a_command_to_the_follower_is_done_by_both_and_who_dies_is_followed() {
    let Some(etcd) = Etcd::start() else { return };
    let folder = folder(&[]);
    etcd.put("/tidegate", &config(201));
    let url = format!("etcd://{}/tidegate", etcd.address());
    let mut leader = run(folder.path(), &["--from", &url]);
    let mut follower = run(folder.path(), &["--from", &url]);
    let (code, answer) = command(&follower, "promote");
    assert_eq!((code, &answer["phase"], &answer["role"]), (200, &json!("promoted"), &json!("follows")));
    leader.wait_for_log("canary promoted from 99% to 100%");
    for (running, is_by_another) in [(&leader, true), (&follower, false)] {
        assert_eq!((status(running), &standing(running)[0]), (201, &json!("promoted")));
        assert_eq!(decisions(running), [("promoted from 99% to 100%".to_owned(), is_by_another)]);
    }
    let (code, answer) = command(&leader, "pause");
    assert_eq!((code, &answer["message"]), (409, &json!("cannot pause: the plan is promoted")));
    // As a crash: its end is seen when its lease is over.
    drop(leader);
    follower.wait_for_log("this gateway decides about the canary");
    assert_eq!(standing(&follower), [json!("promoted"), json!("100%"), json!("leads")]);
    let late = run(folder.path(), &["--from", &url]);
    assert_eq!(standing(&late), [json!("promoted"), json!("100%"), json!("follows")], "before it serves");
    // As it should stop: at once.
    follower.signal("TERM");
    assert_eq!(follower.end().0, 0);
    let mut late = late;
    late.wait_for_log("this gateway decides about the canary");
    assert_eq!(command(&late, "abort").1["phase"], json!("aborted"));
    assert_eq!(status(&late), 200);
}

#[test]
fn while_etcd_is_away_shares_stay_and_commands_are_refused() {
    let Some(mut etcd) = Etcd::start() else { return };
    let folder = folder(&[]);
    etcd.put("/tidegate", &config(201));
    let url = format!("etcd://{}/tidegate", etcd.address());
    let mut running = run(folder.path(), &["--from", &url, "--state", "state"]);
    etcd.kill();
    running.wait_for_log("the board of plans cannot be used; canaries stay where they are");
    assert_eq!(standing(&running), [json!("walking"), json!("99%"), json!("cut_off")]);
    assert_eq!(status(&running), 201);
    let (code, answer) = command(&running, "abort");
    assert_eq!((code, &answer["code"]), (503, &json!(14)));
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the board of plans cannot be used: etcd at "), "{message}");
    etcd.run();
    running.wait_for_log("the board of plans can be used again; canaries go on");
    assert_eq!(command(&running, "abort").1["phase"], json!("aborted"));
    // What was decided is known at the next start, even if etcd is not there.
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
    etcd.kill();
    let running = run(folder.path(), &["--from", &url, "--state", "state"]);
    assert_eq!(standing(&running), [json!("aborted"), json!("0%"), json!("cut_off")]);
    assert_eq!(status(&running), 200);
}

#[test]
fn an_etcd_that_has_lost_its_data_is_told_where_the_plan_is() {
    let Some(mut etcd) = Etcd::start() else { return };
    let folder = folder(&[]);
    let config = config(201);
    etcd.put("/tidegate", &config);
    let url = format!("etcd://{}/tidegate", etcd.address());
    let running = run(folder.path(), &["--from", &url]);
    assert_eq!(command(&running, "abort").0, 200);
    etcd.kill();
    etcd.wipe();
    etcd.run();
    etcd.put("/tidegate", &config);
    let posted = || etcd.ctl(&["get", "--prefix", "--print-value-only", "/tidegate-plans/state/"], "");
    let posted = (0..1000).map(|_| posted()).find(|posted| !posted.is_empty()).expect("it is posted again");
    assert!(posted.starts_with("tidegate-plan 1\nphase aborted\n"), "{posted}");
    assert_eq!(standing(&running), [json!("aborted"), json!("0%"), json!("leads")]);
}

#[test]
fn a_plan_of_a_single_gateway_outlives_it() {
    let folder = folder(&[("tidegate.yaml", &config(201))]);
    let arguments = ["--state", "state"];
    let running = run(folder.path(), &arguments);
    assert_eq!(command(&running, "abort").0, 200);
    // As a crash.
    drop(running);
    let running = run(folder.path(), &arguments);
    assert_eq!(standing(&running), [json!("aborted"), json!("0%"), json!("alone")]);
    assert_eq!(status(&running), 200);
    let running = run(folder.path(), &[]);
    assert_eq!(standing(&running)[..2], [json!("walking"), json!("99%")], "nothing is kept without a folder");
}
