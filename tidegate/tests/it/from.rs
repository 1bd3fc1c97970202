//! Configs that are kept elsewhere: `tidegate run --from`.

use crate::running::Running;
use crate::{CONFIG, check, folder, program};
use std::path::Path;
use tidegate_source_rig::apollo::Apollo;
use tidegate_source_rig::etcd::Etcd;

/// With an admin port; the second address of [`Running`].
fn with_admin(config: &str) -> String {
    format!("{config}admin: {{ bind: 127.0.0.1:0 }}\n")
}

/// The same config, whose routes are for another host: a path that was served is not any more.
fn elsewhere(config: &str) -> String {
    config.replace("upstream: echo }", "upstream: echo, host: other.test }")
}

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Running {
    let mut command = program(folder, &[&["run"], arguments].concat());
    Running::start_with(command.envs(environment.iter().copied()), 2)
}

/// The status of the one path: 503 where it is routed, for its upstream is down, else 404.
fn status(running: &Running) -> String {
    running.get(0, "/v1/say/hello").split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_config_in_etcd_is_served_and_followed_and_a_wrong_one_is_refused_by_its_key() {
    let Some(etcd) = Etcd::start() else { return };
    let folder = folder(&[]);
    let (listeners, rest) = CONFIG.split_once('\n').expect("lines");
    etcd.put("/tidegate/10-listen.yaml", &with_admin(&format!("{listeners}\n")));
    etcd.put("/tidegate/20-routes.yaml", rest);
    let url = format!("etcd://{}/tidegate/", etcd.address());
    let mut running = run(folder.path(), &["--from", &url], &[]);
    assert_eq!(status(&running), "503");
    etcd.put("/tidegate/20-routes.yaml", &elsewhere(rest));
    let line = running.wait_for_log("the config is in force");
    assert!(line.contains(&format!(r#""generation":2,"origin":"{url}","revision":"4""#)), "{line}");
    assert_eq!(status(&running), "404");
    etcd.put("/tidegate/20-routes.yaml", &rest.replace("upstream: echo", "upstream: ecco"));
    let line = running.wait_for_log("the config is refused");
    assert!(line.contains("/tidegate/20-routes.yaml:4:40: unknown upstream `ecco` (did you mean `echo`?)"), "{line}");
    assert_eq!(status(&running), "404");
    for key in ["/tidegate/10-listen.yaml", "/tidegate/20-routes.yaml"] {
        etcd.delete(key);
    }
    let line = running.wait_for_log("no key begins with /tidegate/");
    assert!(line.contains("the config in force stays"), "{line}");
    assert_eq!(status(&running), "404");
}

#[test]
fn the_last_good_config_serves_while_etcd_is_away_and_its_own_when_it_is_back() {
    let Some(mut etcd) = Etcd::start() else { return };
    let folder = folder(&[]);
    let config = with_admin(CONFIG);
    etcd.put("/tidegate", &config);
    etcd.lock();
    etcd.ctl(&["role", "grant-permission", "reader", "read", "/tidegate"], "");
    let url = format!("etcd://{}/tidegate", etcd.address());
    let arguments = ["--from", &url, "--state", "state"];
    let credentials = [("TIDEGATE_ETCD_USER", "gateway"), ("TIDEGATE_ETCD_PASSWORD", "hush")];
    let running = run(folder.path(), &arguments, &credentials);
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
    etcd.kill();
    let mut running = run(folder.path(), &arguments, &credentials);
    assert!(running.before.contains("the one that was in force last is served"), "{}", running.before);
    assert!(!running.before.contains("hush"), "{}", running.before);
    assert_eq!(status(&running), "503");
    etcd.run();
    etcd.put("/tidegate", &elsewhere(&config));
    // What etcd had before may come into force first.
    while status(&running) != "404" {
        running.wait_for_log("the config is in force");
    }
}

#[test]
fn a_config_in_apollo_is_served_and_followed() {
    let Some(mut apollo) = Apollo::start(&["tidegate.yaml"]) else { return };
    let folder = folder(&[]);
    let config = with_admin(CONFIG);
    apollo.put("tidegate.yaml", &config);
    let url = format!("apollo://{}/gateway/tidegate.yaml", apollo.address());
    let mut running = run(folder.path(), &["--from", &url], &[]);
    assert_eq!(status(&running), "503");
    apollo.put("tidegate.yaml", &elsewhere(&config));
    let line = running.wait_for_log("the config is in force");
    assert!(line.contains(&format!(r#""generation":2,"origin":"{url}""#)), "{line}");
    assert_eq!(status(&running), "404");
}

#[test]
fn a_source_that_cannot_be_read_at_the_start_is_named() {
    let folder = folder(&[]);
    check(
        folder.path(),
        &["run", "--from", "etcd://127.0.0.1:1/tidegate/"],
        (
            69,
            "",
            "\
error: etcd at 127.0.0.1:1: no connection: Connection refused (os error 111)
  = help: with `--state FOLDER` the config that was in force last is served until the source is back
",
        ),
    );
    check(
        folder.path(),
        &["run", "--from", "apollo://127.0.0.1:1/gateway/tidegate.yaml"],
        (
            69,
            "",
            "\
error: apollo at 127.0.0.1:1: no connection: Connection refused (os error 111)
  = help: with `--state FOLDER` the config that was in force last is served until the source is back
",
        ),
    );
}

#[test]
fn credentials_in_arguments_are_wrong_usage() {
    let folder = folder(&[]);
    let (code, out, err) = crate::tidegate(folder.path(), &["run", "--from", "etcd://me:hush@a:1/x"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("set TIDEGATE_ETCD_USER and TIDEGATE_ETCD_PASSWORD in the environment"), "{err}");
}
