//! Upstreams that tell their schema, seen from outside.
use crate::reflecting::{self, Port, Versions, tonic};
use crate::running::Running;
use crate::{folder, program, tidegate};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidegate_source_rig::etcd::Etcd;
use tower_service::Service as _;

fn config(port: &Port) -> String {
    format!(
        "\
listeners: [{{ bind: 127.0.0.1:0 }}]
admin: {{ bind: 127.0.0.1:0 }}
upstreams:
  echo: {{ endpoints: ['{}'], schema: {{ reflection: {{ interval: 1h }} }} }}
routes:
  - {{ service: demo.v1.Echo, upstream: echo }}
",
        port.address()
    )
}

fn echo(path: &str) -> String {
    crate::ECHO.replace("/v1/say/", path)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn body(answer: &str) -> &str {
    answer.split("\r\n\r\n").nth(1).unwrap_or_default()
}

#[test]
fn a_gateway_starts_without_its_upstream_and_follows_it() {
    let port = Port::new();
    let folder = folder(&[("tidegate.yaml", &config(&port))]);
    let mut running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    let unknown = running.get(0, "/v1/say/hello");
    assert_eq!(status(&unknown), "503");
    assert!(unknown.contains("\r\nretry-after: 1\r\n"), "{unknown}");
    assert_eq!(
        body(&unknown),
        r#"{"code":14,"message":"what is served here is not known yet: a service has not told its schema"}"#
    );
    let ready = running.get(1, "/readyz?verbose");
    let state = format!(
        "[!]schema of echo: unknown, its routes answer 503: {}: \
         cannot connect: cannot open the connection: Connection refused (os error 111)\nreadyz: ok\n",
        port.address()
    );
    assert_eq!(status(&ready), "200");
    assert!(ready.ends_with(&state), "{ready}");

    let server = port.serve(tonic(Versions::V1, &[("echo.proto", &echo("/before/"))]));
    running.wait_for_log("the schema that the upstream tells is in force");
    // The server reflects and does nothing else: that its answer is passed on shows that it was called.
    assert_eq!(status(&running.get(0, "/before/hello")), "501");
    assert_eq!(status(&running.get(0, "/after/hello")), "404");
    drop(server);
    let _server = port.serve(tonic(Versions::V1, &[("echo.proto", &echo("/after/"))]));
    running.wait_for_log("the schema that the upstream tells is in force");
    assert_eq!(status(&running.get(0, "/before/hello")), "404");
    assert_eq!(status(&running.get(0, "/after/hello")), "501");

    let ready = running.get(1, "/readyz?verbose");
    let state = format!("[+]schema of echo: 1 service, told by {}\nreadyz: ok\n", port.address());
    assert!(ready.ends_with(&state), "{ready}");
    let metrics = running.get(1, "/metrics");
    for line in [
        "tidegate_schema_in_force{upstream=\"echo\"} 1",
        "tidegate_schema_current{upstream=\"echo\"} 1",
        "tidegate_schema_fetches_total{upstream=\"echo\",result=\"accepted\"} 2",
        "tidegate_config_generation 3",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_service_that_registers_in_etcd_tells_its_schema_wherever_it_is() {
    let Some(etcd) = Etcd::start() else { return };
    let (one, two) = (Port::new(), Port::new());
    let found = format!("{{ etcd: 'etcd://{}/endpoints/echo/' }}", etcd.address());
    let folder = folder(&[("tidegate.yaml", &config(&one).replace(&format!("['{}']", one.address()), &found))]);
    let mut running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    assert_eq!(status(&running.get(0, "/one/hello")), "503", "nothing is registered");
    let ready = running.get(1, "/readyz?verbose");
    assert!(ready.contains(&format!("503: etcd etcd://{}/endpoints/echo/: ", etcd.address())), "{ready}");

    let server = one.serve(tonic(Versions::V1, &[("echo.proto", &echo("/one/"))]));
    etcd.put("/endpoints/echo/1", &one.address().to_string());
    running.wait_for_log("the schema that the upstream tells is in force");
    assert_eq!(status(&running.get(0, "/one/hello")), "501");

    let _server = two.serve(tonic(Versions::V1, &[("echo.proto", &echo("/two/"))]));
    etcd.put("/endpoints/echo/2", &two.address().to_string());
    etcd.delete("/endpoints/echo/1");
    drop(server);
    running.wait_for_log("the schema that the upstream tells is in force");
    assert_eq!(status(&running.get(0, "/one/hello")), "404");
    assert_eq!(status(&running.get(0, "/two/hello")), "501");

    let right = "tidegate.yaml is right: 1 listener, 1 upstream, 1 route, 2 http rules\n";
    assert_eq!(tidegate(folder.path(), &["check", "--online"]), (0, right.to_owned(), String::new()));
}

#[test]
fn a_gateway_that_starts_without_its_upstream_serves_the_schema_that_it_was_told_last() {
    let port = Port::new();
    let folder = folder(&[("tidegate.yaml", &config(&port))]);
    let arguments = ["run", "--state", "state"];
    let server = port.serve(tonic(Versions::V1, &[("echo.proto", &echo("/before/"))]));
    let running = Running::start_with(&mut program(folder.path(), &arguments), 2);
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
    drop(server);

    // Where it will be, nobody has listened yet.
    let port = Port::new();
    std::fs::write(folder.path().join("tidegate.yaml"), config(&port)).expect("written");
    let mut running = Running::start_with(&mut program(folder.path(), &arguments), 2);
    assert!(running.before.contains("the schema that the upstream told last is in force, from disk"));
    // The service is called, and is away: what it has is known.
    assert!(body(&running.get(0, "/before/hello")).contains("the upstream cannot serve the call"));
    assert_eq!(status(&running.get(0, "/after/hello")), "404");
    // A change of the config does not forget it, even one of the upstream itself.
    let (timeout, elsewhere) = (("upstream: echo }", "upstream: echo, timeout: 3s }"), Port::new());
    std::fs::write(folder.path().join("tidegate.yaml"), config(&port).replace(timeout.0, timeout.1)).expect("written");
    running.wait_for_log("the config is in force");
    assert_eq!(status(&running.get(0, "/after/hello")), "404");
    std::fs::write(folder.path().join("tidegate.yaml"), config(&elsewhere)).expect("written");
    running.wait_for_log("the schema that the upstream told last is in force, from disk");
    assert_eq!(status(&running.get(0, "/after/hello")), "404");

    let port = elsewhere;
    let _server = port.serve(tonic(Versions::V1, &[("echo.proto", &echo("/after/"))]));
    running.wait_for_log("the schema that the upstream tells is in force");
    assert_eq!(status(&running.get(0, "/before/hello")), "404");
    assert_eq!(status(&running.get(0, "/after/hello")), "501");
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
}

/// Before anything is served there is nothing to finish, and nobody need wait for an upstream that says nothing.
#[test]
fn a_signal_during_the_first_question_ends_the_program_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let config = format!(
        "\
listeners: [{{ bind: 127.0.0.1:0 }}]
upstreams:
  echo: {{ endpoints: ['{}'], connect_timeout: 60s, schema: {{ reflection: {{ timeout: 60s }} }} }}
routes:
  - {{ service: demo.v1.Echo, upstream: echo }}
",
        silent.local_addr().expect("an address")
    );
    let folder = folder(&[("tidegate.yaml", &config)]);
    let running = Running::start_with(&mut program(folder.path(), &["run"]), 0);
    let _asked = silent.accept().expect("the gateway asks");
    running.signal("TERM");
    let (code, _, log) = running.end();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("stopped before anything was served") && !log.contains("listening"), "{log}");
}

/// The server changes what it tells without a restart, as one behind a name does.
#[test]
fn a_new_schema_leaves_connections_alone() {
    let port = Port::new();
    let told = |path: &str| tonic(Versions::V1, &[("echo.proto", &echo(path))]);
    let (mut before, mut after) = (told("/before/"), told("/after/"));
    let changed = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&changed);
    let _server = port.serve(reflecting::service(move |request| match switch.load(Ordering::Relaxed) {
        false => before.call(request),
        true => after.call(request),
    }));
    let config = config(&port).replace("interval: 1h", "interval: 1s");
    let folder = folder(&[("tidegate.yaml", &format!("workers: 1\n{config}"))]);
    let mut running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    let opened = |running: &Running| {
        let metrics = running.get(1, "/metrics");
        let name = "tidegate_upstream_connections_opened_total{upstream=\"echo\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
    };
    assert_eq!(status(&running.get(0, "/before/hello")), "501");
    assert_eq!(opened(&running), "1");
    changed.store(true, Ordering::Relaxed);
    running.wait_for_log("the schema that the upstream tells is in force");
    assert_eq!(status(&running.get(0, "/before/hello")), "404");
    assert_eq!(status(&running.get(0, "/after/hello")), "501");
    assert_eq!(opened(&running), "1");
}

#[test]
fn what_only_an_upstream_can_tell_is_checked_online() {
    let port = Port::new();
    let text = config(&port).replace("demo.v1.Echo", "demo.v1.Ecko");
    let folder = folder(&[("tidegate.yaml", &config(&port)), ("typo.yaml", &text)]);
    let (code, out, err) = tidegate(folder.path(), &["check"]);
    assert_eq!((code, out.as_str()), (0, "tidegate.yaml is right: 1 listener, 1 upstream, 1 route, 0 http rules\n"));
    let warning = "warning: the schema of `echo` is not checked: the upstream tells it itself\n --> tidegate.yaml:4:";
    assert!(err.starts_with(warning), "{err}");
    assert!(err.ends_with("  = help: `check --online` asks the upstream\n"), "{err}");
    let (code, _, err) = tidegate(folder.path(), &["check", "--online"]);
    assert_eq!(code, 69);
    assert!(err.starts_with("error: `echo` does not tell its schema: "), "{err}");

    let _server = port.serve(tonic(Versions::V1, &[("echo.proto", &echo("/before/"))]));
    let right = "tidegate.yaml is right: 1 listener, 1 upstream, 1 route, 2 http rules\n";
    assert_eq!(tidegate(folder.path(), &["check", "--online"]), (0, right.to_owned(), String::new()));
    let (code, _, err) = tidegate(folder.path(), &["check", "--online", "-c", "typo.yaml"]);
    assert_eq!(code, 78);
    assert!(err.contains("the schema of `echo` has no service `demo.v1.Ecko`"), "{err}");
    assert!(err.contains("did you mean `demo.v1.Echo`?"), "{err}");
}
