//! `tidegate run`.
use crate::running::Running;
use crate::{CONFIG, check, folder, program};

fn with_admin() -> String {
    format!("{CONFIG}admin: {{ bind: 127.0.0.1:0 }}\n")
}

/// The first word after the protocol.
fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn it_serves_on_the_ports_that_it_logs() {
    let folder = folder(&[("tidegate.yaml", &with_admin())]);
    let running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    let answers = [running.get(0, "/nowhere"), running.get(0, "/v1/say/hello"), running.get(1, "/readyz")];
    assert_eq!(answers.each_ref().map(|answer| status(answer)), ["404", "503", "200"]);
    assert!(running.get(1, "/metrics").contains("tidegate_request_duration_seconds_count{"));
    running.signal("TERM");
    let (code, out, log) = running.end();
    assert_eq!(code, 0);
    let paths: Vec<_> = out.lines().filter_map(|line| line.split("\"path\":\"").nth(1)?.split('"').next()).collect();
    assert_eq!(paths, ["/nowhere", "/v1/say/hello"], "{out}");
    assert!(log.contains("\"message\":\"stopped\""), "{log}");
}

#[test]
fn the_access_log_can_go_to_a_file_and_be_off() {
    let log = format!("{CONFIG}telemetry: {{ access_log: {{ format: text, to: access.log }} }}\n");
    let off = format!("{CONFIG}telemetry: {{ access_log: off }}\n");
    for (config, lines) in [(log, 1), (off, 0)] {
        let folder = folder(&[("tidegate.yaml", &config)]);
        let running = Running::start(program(folder.path(), &["run"]));
        running.get(0, "/nowhere");
        running.signal("TERM");
        assert_eq!(running.end().1, "");
        let written = std::fs::read_to_string(folder.path().join("access.log")).unwrap_or_default();
        assert_eq!(written.lines().filter(|line| line.contains("/nowhere")).count(), lines, "{written}");
    }
}

/// The first gateway shares its port by `SO_REUSEPORT`, so a second could bind it as well.
#[test]
fn a_port_in_use_is_found_although_it_could_be_shared() {
    let folder = folder(&[("tidegate.yaml", CONFIG)]);
    let running = Running::start(program(folder.path(), &["run"]));
    let address = &running.addresses[0];
    let port = address.rsplit(':').next().unwrap_or_default();
    std::fs::write(folder.path().join("second.yaml"), CONFIG.replace("127.0.0.1:0", address)).expect("write a file");
    let carets = "^".repeat(address.len());
    let told = format!(
        "error: cannot listen on {address}: the port is in use\n \
         --> second.yaml:1:21\n  |\n\
         1 | listeners: [{{ bind: {address} }}]\n  |                     {carets}\n  \
         = help: another process listens there; `ss -ltnp 'sport = :{port}'` shows which\n"
    );
    check(folder.path(), &["run", "-c", "second.yaml"], (1, "", &told));
}

#[test]
fn an_admin_port_in_use_is_shown_where_the_config_asks_for_it() {
    let folder = folder(&[("tidegate.yaml", &with_admin())]);
    let running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    let address = &running.addresses[1];
    let second = format!("{CONFIG}admin: {{ bind: {address} }}\n");
    std::fs::write(folder.path().join("second.yaml"), second).expect("write a file");
    let port = address.rsplit(':').next().unwrap_or_default();
    let carets = "^".repeat(address.len());
    let told = format!(
        "error: cannot listen on {address}: the port is in use\n \
         --> second.yaml:6:16\n  |\n\
         6 | admin: {{ bind: {address} }}\n  |                {carets}\n  \
         = help: another process listens there; `ss -ltnp 'sport = :{port}'` shows which\n"
    );
    check(folder.path(), &["run", "-c", "second.yaml"], (1, "", &told));
}

#[test]
fn values_come_from_the_environment() {
    let folder = folder(&[("tidegate.yaml", &CONFIG.replace("127.0.0.1:0", "\"${TIDEGATE_TEST_BIND}\""))]);
    let mut command = program(folder.path(), &["check"]);
    let output = command.env("TIDEGATE_TEST_BIND", "127.0.0.1:0").output().expect("it can be run");
    assert_eq!(crate::done(output).0, 0);
    check(
        folder.path(),
        &["check"],
        (
            78,
            "",
            r#"
error: the environment variable `TIDEGATE_TEST_BIND` is not set
 --> tidegate.yaml:1:22
  |
1 | listeners: [{ bind: "${TIDEGATE_TEST_BIND}" }]
  |                      ^^^^^^^^^^^^^^^^^^^^^
  = help: set it, or give a default: `${TIDEGATE_TEST_BIND:-…}`

tidegate.yaml: 1 error
"#,
        ),
    );
}
