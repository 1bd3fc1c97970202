//! Endpoints that are paused, killed, and come and go, as processes.

use crate::running::Running;
use crate::{folder, program, tidegate};
use serde_json::Value;
use std::time::Duration;
use tempfile::TempDir;
use tidegate_source_rig::etcd::Etcd;
use tidegate_telemetry::clock;

/// What never comes fails a test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that answers everything with its name, and is well at `/healthz`.
struct Endpoint {
    running: Running,
    _folder: TempDir,
}

impl Endpoint {
    fn start(name: &str) -> Self {
        let config = format!(
            "listeners: [{{ bind: 127.0.0.1:0 }}]\nupstreams: {{ none: {{ endpoints: [127.0.0.1:1] }} }}\n\
             routes: [{{ path: /*, respond: {{ status: 200, body: {name} }} }}]\n"
        );
        let folder = folder(&[("tidegate.yaml", &config)]);
        Self { running: Running::start(program(folder.path(), &["run"])), _folder: folder }
    }

    fn address(&self) -> &str {
        &self.running.addresses[0]
    }
}

/// A gateway before an upstream like this, with an admin port.
struct Front {
    running: Running,
    folder: TempDir,
}

impl Front {
    fn start(upstream: &str) -> Self {
        let config = format!(
            "workers: 2\nlisteners: [{{ bind: 127.0.0.1:0 }}]\nadmin: {{ bind: 127.0.0.1:0 }}\n\
             upstreams: {{ web: {upstream} }}\nroutes: [{{ path: /*, upstream: web, timeout: 200ms }}]\n"
        );
        let folder = folder(&[("tidegate.yaml", &config)]);
        Self { running: Running::start_with(&mut program(folder.path(), &["run"]), 2), folder }
    }

    /// Status and body of an answer.
    fn get(&self) -> (String, String) {
        let answer = self.running.get(0, "/");
        let status = answer.get(9..12).unwrap_or_default().to_owned();
        (status, answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
    }

    /// Address and state of each endpoint.
    fn states(&self) -> Vec<(String, String)> {
        let answer = self.running.get(1, "/api/v1/upstreams");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let body: Value = serde_json::from_str(body).expect("JSON");
        let endpoints = body["upstreams"][0]["endpoints"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        endpoints.iter().map(|endpoint| (text(&endpoint["address"]), text(&endpoint["state"]))).collect()
    }

    fn state(&self, endpoint: &Endpoint) -> String {
        let found = self.states().into_iter().find(|(address, _)| address == endpoint.address());
        found.map_or_else(String::new, |(_, state)| state)
    }
}

#[track_caller]
fn until(mut done: impl FnMut() -> bool) {
    let began = clock::now();
    while !done() {
        assert!(clock::now() - began < PATIENCE, "waited in vain");
    }
}

#[test]
fn an_endpoint_that_is_paused_is_left_out_and_used_again_when_it_is_well() {
    let (one, two) = (Endpoint::start("one"), Endpoint::start("two"));
    let front = Front::start(&format!(
        "{{ endpoints: [\"{}\", \"{}\"], health: {{ http: /healthz, interval: 200ms, timeout: 200ms }}, \
         outlier: {{ consecutive_errors: 2 }} }}",
        one.address(),
        two.address()
    ));
    until(|| front.state(&one) == "healthy" && front.state(&two) == "healthy");
    one.running.signal("STOP");
    // By its calls or by its checks, whatever is first.
    until(|| {
        front.get();
        matches!(&*front.state(&one), "ejected" | "unhealthy")
    });
    for _ in 0..20 {
        assert_eq!(front.get(), ("200".into(), "two".into()));
    }
    until(|| front.state(&one) == "unhealthy");
    let (code, shown, errors) = tidegate(front.folder.path(), &["upstreams", "--admin", &front.running.addresses[1]]);
    assert_eq!((code, &*errors), (0, ""));
    let line = shown.lines().find(|line| line.contains(one.address())).expect("a line");
    assert!(
        line.starts_with("web ") && line.contains("unhealthy") && line.contains("no answer within 200ms"),
        "{shown}"
    );
    one.running.signal("CONT");
    until(|| front.get() == ("200".into(), "one".into()));
    assert_eq!(front.state(&one), "healthy");
}

#[test]
fn an_endpoint_that_is_killed_costs_no_call_that_came_later() {
    let (one, two) = (Endpoint::start("one"), Endpoint::start("two"));
    let front = Front::start(&format!("{{ endpoints: [\"{}\", \"{}\"] }}", one.address(), two.address()));
    until(|| front.get().1 == "one");
    let gone = one.address().to_owned();
    drop(one);
    for _ in 0..50 {
        assert_eq!(front.get(), ("200".into(), "two".into()));
    }
    let states = front.states();
    assert_eq!(states[0], (gone, "unreachable".to_owned()));
    drop(two);
    assert_eq!(front.get().0, "503");
}

#[test]
fn endpoints_that_register_in_etcd_come_and_go_without_a_failed_call() {
    let Some(etcd) = Etcd::start() else { return };
    let (one, two) = (Endpoint::start("one"), Endpoint::start("two"));
    etcd.put("/endpoints/web/1", one.address());
    let front = Front::start(&format!("{{ endpoints: {{ etcd: \"etcd://{}/endpoints/web/\" }} }}", etcd.address()));
    assert_eq!(front.get(), ("200".into(), "one".into()));
    etcd.put("/endpoints/web/2", &format!(r#"{{"address": "{}"}}"#, two.address()));
    let answers = |wanted: &str| {
        let (status, body) = front.get();
        assert_eq!(status, "200");
        body == wanted
    };
    until(|| answers("two"));
    etcd.delete("/endpoints/web/1");
    until(|| {
        answers("one");
        front.states() == [(two.address().to_owned(), "unknown".to_owned())]
    });
    for _ in 0..20 {
        assert!(answers("two"));
    }
}
