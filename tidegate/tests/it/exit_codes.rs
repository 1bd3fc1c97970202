//! Each exit code that the help documents.
use crate::running::Running;
use crate::{CONFIG, check, folder, program, tidegate};

#[test]
fn the_help_documents_the_exit_codes() {
    let (code, out, err) = tidegate(folder(&[]).path(), &["--help"]);
    let codes = out.split("Exit codes:\n").nth(1).unwrap_or_default();
    assert_eq!(
        (code, codes, err.as_str()),
        (
            0,
            "  0   done; for `run` also after SIGTERM or SIGINT\n\
             \x20 1   failed while running, or a port could not be had\n\
             \x20 2   wrong usage\n\
             \x20 69  something that is needed is not there (protoc for files of protobuf editions, or\n\
             \x20     an upstream that was asked for its schema, or the admin port of a running gateway)\n\
             \x20 78  the config, or a schema that it names, is wrong\n",
            ""
        )
    );
}

#[test]
fn version_is_0() {
    let version = concat!("tidegate ", env!("CARGO_PKG_VERSION"), "\n");
    check(folder(&[]).path(), &["version"], (0, version, ""));
    check(folder(&[]).path(), &["--version"], (0, version, ""));
}

#[test]
fn wrong_usage_is_2() {
    let folder = folder(&[]);
    let codes: Vec<i32> =
        [&[][..], &["serve"], &["run", "--colour"], &["check", "--log", "loud"], &["check", "--log", "info,h2=x"]]
            .into_iter()
            .map(|arguments| tidegate(folder.path(), arguments).0)
            .collect();
    assert_eq!(codes, [2; 5]);
}

#[test]
fn a_config_that_is_not_there_is_78() {
    for command in ["run", "check", "routes"] {
        let (code, out, err) = tidegate(folder(&[]).path(), &[command]);
        let told = "error: there is no config file `tidegate.yaml`\n  = help: name it with `-c FILE`\n";
        assert_eq!((code, out.as_str()), (78, ""), "{command}");
        assert!(err.starts_with(told), "{command}: {err}");
    }
}

#[test]
fn files_of_an_edition_without_protoc_are_69() {
    let folder = folder(&[("tidegate.yaml", CONFIG), ("proto/new.proto", "edition = \"2023\";\n")]);
    check(
        folder.path(),
        &["run"],
        (
            69,
            "",
            r#"
error: the file is of edition 2023, and that needs `protoc`
 --> proto/new.proto:1:1
  |
1 | edition = "2023";
  | ^^^^^^^
 ::: tidegate.yaml:3:45
  |
3 |   echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
  |                                             - for this schema
  = help: install protoc, or compile elsewhere (`protoc --include_imports -o schema.pb …`) and use `schema: { descriptor_set: schema.pb }`
"#,
        ),
    );
}

#[test]
fn sigterm_and_sigint_are_0() {
    for signal in ["TERM", "INT"] {
        let folder = folder(&[("tidegate.yaml", CONFIG)]);
        let running = Running::start(program(folder.path(), &["run"]));
        running.signal(signal);
        assert_eq!(running.end().0, 0, "SIG{signal}");
    }
}
