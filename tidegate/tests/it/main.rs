//! The program as a user runs it.

mod bench;
mod breakers;
mod check;
#[expect(dead_code, reason = "what it may answer is for the tests of the exporter")]
#[path = "../../../adapters/otlp/tests/it/collector.rs"]
mod collector;
#[cfg(feature = "demo")]
mod demo;
mod drain;
mod drain_h2;
mod endpoints;
mod exit_codes;
mod from;
mod generations;
mod hot_telemetry;
mod limit_service;
mod limits;
mod mesh;
mod named_upstream;
mod one_generation;
mod rate_limits;
#[path = "../../../runtime/control/tests/it/reflecting.rs"]
mod reflecting;
mod reload;
mod routes;
mod run;
mod running;
mod schema;
mod shared_limits;
mod slow_upstream;
mod spanned;
mod supervisor;
mod together;
mod told;
mod traces;
mod users;
mod wrong;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A service with two bindings.
const ECHO: &str = r#"syntax = "proto3";
package demo.v1;

import "google/api/annotations.proto";

service Echo {
  rpc Say(Words) returns (Words) {
    option (google.api.http) = { get: "/v1/say/{text}" additional_bindings { post: "/v1/say" body: "*" } };
  }
}

message Words { string text = 1; }
"#;

/// A config that is right.
const CONFIG: &str = "\
listeners: [{ bind: 127.0.0.1:0 }]
upstreams:
  echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
routes:
  - { service: demo.v1.Echo, upstream: echo }
";

/// A folder with these files, and with the service.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("proto/echo.proto", ECHO)].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("create folders");
        fs::write(path, text).expect("write a file");
    }
    folder
}

/// Puts a file in the place of another at once, so that a program that watches never sees a part of it.
fn replace(file: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let file = file.as_ref();
    let beside = file.with_extension("new");
    fs::write(&beside, text).expect("write a file");
    fs::rename(beside, file).expect("rename a file");
}

/// The program in `folder`, with an environment of its own.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.current_dir(folder).args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// What a command did: exit code, standard output, standard error.
fn done(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

/// Runs the program to its end.
fn tidegate(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    done(program(folder, arguments).output().expect("it can be run"))
}

/// Checks a command whole.
#[track_caller]
fn check(folder: &Path, arguments: &[&str], expected: (i32, &str, &str)) {
    let (code, out, err) = tidegate(folder, arguments);
    let shown = format!("exit {code}\n--- out\n{out}--- err\n{err}");
    let expected = format!(
        "exit {}\n--- out\n{}--- err\n{}",
        expected.0,
        expected.1.trim_start_matches('\n'),
        expected.2.trim_start_matches('\n')
    );
    assert!(shown == expected, "it did\n{shown}\nand should have done\n{expected}");
}
