//! Configs that change while `tidegate run` serves.
use crate::running::Running;
use crate::{CONFIG, ECHO, folder, program, replace};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// With an admin port; the second address of [`Running`].
fn with_admin(config: &str) -> String {
    format!("{config}admin: {{ bind: 127.0.0.1:0 }}\n")
}

/// The same config, whose routes are for another host: a path that was served is not any more.
fn elsewhere(config: &str) -> String {
    config.replace("upstream: echo }", "upstream: echo, host: other.test }")
}

fn run(folder: &Path, arguments: &[&str]) -> Running {
    Running::start_with(&mut program(folder, &[&["run"], arguments].concat()), 2)
}

/// The status of the one path: 503 where it is routed, for its upstream is down, else 404.
fn status(running: &Running) -> String {
    running.get(0, "/v1/say/hello").split(' ').nth(1).unwrap_or_default().to_owned()
}

/// The lines of `/readyz?verbose` that are about the config.
fn told(running: &Running) -> Vec<String> {
    let answer = running.get(1, "/readyz?verbose");
    assert!(answer.starts_with("HTTP/1.1 200 "), "readiness does not depend on it: {answer}");
    answer
        .lines()
        .filter(|line| line.contains("]config: ") || line.contains("]config source"))
        .map(String::from)
        .collect()
}

/// The value of a metric without labels.
fn metric(running: &Running, name: &str) -> String {
    let answer = running.get(1, "/metrics");
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is shown")).to_owned()
}

#[test]
fn a_changed_file_is_in_force_and_connections_stay_open() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("tidegate.yaml", &config)]);
    let mut running = run(folder.path(), &[]);
    let before = running.connect("GET /v1/say/a HTTP/1.1\r\nhost: localhost\r\n\r\n", "\r\n\r\n");
    assert_eq!(status(&running), "503");
    replace(folder.path().join("tidegate.yaml"), elsewhere(&config));
    let line = running.wait_for_log("the config is in force");
    assert!(line.contains(r#""generation":2,"origin":"file tidegate.yaml""#), "{line}");
    assert_eq!((status(&running), metric(&running, "tidegate_config_generation")), ("404".into(), "2".into()));
    before.set_nonblocking(true).expect("a socket");
    let mut rest = [0; 1024];
    let open = loop {
        match std::io::Read::read(&mut &before, &mut rest) {
            // The rest of its answer.
            Ok(1..) => {}
            other => break other,
        }
    };
    assert_eq!(open.expect_err("not closed").kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_config_that_is_wrong_changes_nothing_and_says_why_until_it_is_mended() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("tidegate.yaml", &config)]);
    let file = folder.path().join("tidegate.yaml");
    let mut running = run(folder.path(), &[]);
    replace(&file, config.replace("upstream: echo", "upstream: ecco"));
    let line = running.wait_for_log("the config is refused");
    let why = "tidegate.yaml:5:40: unknown upstream `ecco` (did you mean `echo`?)";
    assert!(line.contains(why) && line.contains(r#""generation":1"#), "{line}");
    assert_eq!(status(&running), "503");
    let verbose = told(&running);
    assert!(verbose[0].starts_with("[+]config: generation 1, revision "), "{verbose:?}");
    assert!(verbose[1].starts_with("[!]config: revision ") && verbose[1].ends_with(why), "{verbose:?}");
    assert_eq!(metric(&running, "tidegate_config_last_load_accepted"), "0");
    replace(&file, elsewhere(&config));
    running.wait_for_log("the config is in force");
    assert_eq!((status(&running), told(&running).len()), ("404".to_owned(), 1));
    assert_eq!(metric(&running, "tidegate_config_last_load_accepted"), "1");
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("tidegate.yaml", &config)]);
    let file = folder.path().join("tidegate.yaml");
    let mut running = run(folder.path(), &[]);
    fs::remove_file(&file).expect("removed");
    let line = running.wait_for_log("the source of the config cannot be read");
    assert!(line.contains("there is no config file `tidegate.yaml`"), "{line}");
    assert_eq!((status(&running), told(&running).len()), ("503".to_owned(), 2));
    assert_eq!(metric(&running, "tidegate_config_source_up"), "0");
    replace(&file, &config);
    running.wait_for_log("the source of the config can be read again");
    assert_eq!(metric(&running, "tidegate_config_source_up"), "1");
    assert_eq!(metric(&running, "tidegate_config_generation"), "1", "it says what it said before");
}

#[test]
fn a_link_that_is_swapped_as_kubernetes_does_is_a_change() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("..1/tidegate.yaml", &config), ("..2/tidegate.yaml", &elsewhere(&config))]);
    let at = |name: &str| folder.path().join(name);
    symlink("..1", at("..data")).expect("linked");
    symlink("..data/tidegate.yaml", at("tidegate.yaml")).expect("linked");
    let mut running = run(folder.path(), &[]);
    assert_eq!(status(&running), "503");
    symlink("..2", at("..data_tmp")).expect("linked");
    fs::rename(at("..data_tmp"), at("..data")).expect("swapped");
    running.wait_for_log("the config is in force");
    assert_eq!(status(&running), "404");
}

#[test]
fn files_that_the_config_names_are_followed() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("tidegate.yaml", &config)]);
    let mut running = run(folder.path(), &[]);
    replace(folder.path().join("proto/echo.proto"), ECHO.replace("/v1/say/{text}", "/v2/say/{text}"));
    running.wait_for_log("the config is in force");
    assert_eq!(status(&running), "404");
    replace(folder.path().join("proto/echo.proto"), "syntax = \"proto3\";\nservice {");
    let line = running.wait_for_log("the config is refused");
    assert!(line.contains("proto/echo.proto:2:"), "{line}");
    replace(folder.path().join("proto/echo.proto"), ECHO);
    running.wait_for_log("the config is in force");
    assert_eq!(status(&running), "503");
}

#[test]
fn the_files_of_a_folder_are_one_config() {
    let (listeners, rest) = CONFIG.split_once('\n').expect("lines");
    let admin = format!("{listeners}\nadmin: {{ bind: 127.0.0.1:0 }}\n");
    let folder = folder(&[("conf/10-listen.yaml", &admin), ("conf/20-routes.yml", rest)]);
    // Paths are relative to the folder.
    fs::rename(folder.path().join("proto"), folder.path().join("conf/proto")).expect("moved");
    let mut running = run(folder.path(), &["-c", "conf"]);
    assert_eq!(status(&running), "503");
    replace(folder.path().join("conf/30-more.yaml"), "routes: [{ service: demo.v1.Eco, upstream: echo }]\n");
    let line = running.wait_for_log("the config is refused");
    assert!(line.contains("conf/30-more.yaml:1:21: the schema of `echo` has no service `demo.v1.Eco`"), "{line}");
    replace(folder.path().join("conf/20-routes.yml"), elsewhere(rest));
    fs::remove_file(folder.path().join("conf/30-more.yaml")).expect("removed");
    running.wait_for_log("the config is in force");
    assert_eq!(status(&running), "404");
}

#[test]
fn listeners_come_and_go() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("tidegate.yaml", &config)]);
    let mut running = run(folder.path(), &[]);
    let first = running.addresses[0].clone();
    let other = config.replace("[{ bind: 127.0.0.1:0 }]", "[{ bind: 127.0.0.2:0 }]");
    replace(folder.path().join("tidegate.yaml"), other);
    let line = running.wait_for_log("listening on http://127.0.0.2:");
    running.addresses[0] =
        line.split(" on http://").nth(1).expect("an address").split('"').next().expect("its end").into();
    let line = running.wait_for_log("listening no more");
    assert!(line.contains(&first), "{line}");
    assert_eq!(status(&running), "503");
}

#[test]
fn sighup_reads_the_config_again() {
    let folder = folder(&[("tidegate.yaml", &with_admin(CONFIG))]);
    let mut running = run(folder.path(), &[]);
    running.signal("HUP");
    let line = running.wait_for_log("the config is in force");
    assert!(line.contains(r#""generation":2"#), "{line}");
    assert_eq!(status(&running), "503");
}

#[test]
fn what_takes_effect_with_the_next_start_is_said() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("tidegate.yaml", &config)]);
    let mut running = run(folder.path(), &[]);
    replace(folder.path().join("tidegate.yaml"), format!("{config}workers: 3\n"));
    let line = running.wait_for_log("takes effect with the next start");
    assert!(line.contains(r#""key":"workers""#), "{line}");
}

#[test]
fn the_last_good_config_serves_when_the_file_is_wrong_at_the_start() {
    let config = with_admin(CONFIG);
    let folder = folder(&[("tidegate.yaml", &config)]);
    let file = folder.path().join("tidegate.yaml");
    let arguments = ["--state", "state"];
    let running = run(folder.path(), &arguments);
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
    for broken in [Some("listeners: ["), None] {
        match broken {
            Some(text) => replace(&file, text),
            None => fs::remove_file(&file).expect("removed"),
        }
        let mut running = run(folder.path(), &arguments);
        assert!(running.before.contains("the one that was in force last is served"), "{}", running.before);
        assert_eq!(status(&running), "503");
        let verbose = told(&running);
        assert!(verbose[0].ends_with(", from saved, file tidegate.yaml"), "{verbose:?}");
        replace(&file, elsewhere(&config));
        running.wait_for_log("the config is in force");
        assert_eq!((status(&running), told(&running).len()), ("404".to_owned(), 1));
        replace(&file, &config);
        running.wait_for_log("the config is in force");
    }
}
