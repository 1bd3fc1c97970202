use crate::{folder, names, paths, shown, write};
use tidegate_schema::{Compiler, bundled_descriptor_set};
use tidegate_transcode::ports::SchemaCompiler as _;

const PLAIN: &str = "syntax = \"proto3\"; message Plain {}";
const EDITION: &str = "// A comment.\n/* edition = \"no\" */\n  edition = '2023';\nmessage E {}\n";

#[test]
fn without_protoc_one_error_names_the_file_and_what_to_do() {
    let files = folder(&[("a.proto", PLAIN), ("b.proto", EDITION), ("c.proto", EDITION)]);
    let compiler = Compiler::new(None);
    let problems = compiler.compile(&paths(&files, &["."])).expect_err("needs protoc");
    assert!(compiler.lacked_protoc());
    assert_eq!(
        shown(&problems, files.path()),
        ["./b.proto:3:3: the file is of edition 2023, as is 1 other file, and that needs `protoc` \
          (install protoc, or compile elsewhere (`protoc --include_imports -o schema.pb …`) and use \
          `schema: { descriptor_set: schema.pb }`)"]
    );
}

#[test]
fn the_word_edition_elsewhere_does_not_ask_for_protoc() {
    let text = "syntax = \"proto3\"; message edition { string edition = 1; }";
    let files = folder(&[("a.proto", text)]);
    let compiler = Compiler::new(None);
    let set = compiler.compile(&paths(&files, &["."])).expect("compiles in process");
    assert!(!compiler.lacked_protoc());
    assert!(names(&set).contains(&"a.proto".to_owned()));
}

/// A stand-in for protoc that records how it was called.
#[cfg(unix)]
mod stand_in {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    fn script(folder: &Path, text: &str) -> PathBuf {
        write(folder, "bin/protoc", &format!("#!/bin/sh\n{text}"));
        let path = folder.join("bin/protoc");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("make it a program");
        path
    }

    #[test]
    fn protoc_is_found_in_the_path_and_gets_the_folders_and_the_bundled_files() {
        let files = folder(&[("proto/e.proto", EDITION), ("other/a.proto", PLAIN)]);
        std::fs::write(files.path().join("bundled.pb"), bundled_descriptor_set()).expect("write a file");
        let root = files.path().display();
        script(
            files.path(),
            &format!(
                "for argument; do case $argument in\n\
                 --descriptor_set_out=*) cp {root}/bundled.pb ${{argument#*=}};;\n\
                 --proto_path=*/include) test -f ${{argument#*=}}/google/api/http.proto || exit 9;;\n\
                 esac; echo \"$argument\" >> {root}/arguments; done\n"
            ),
        );
        let search = std::env::join_paths([files.path().join("none"), files.path().join("bin")]).expect("a path");
        let set = Compiler::with_protoc_from(Some(&search)).compile(&paths(&files, &["proto", "other"]));
        assert_eq!(set, Ok(bundled_descriptor_set()));
        let arguments = std::fs::read_to_string(files.path().join("arguments")).expect("it was called");
        let own: Vec<_> = arguments.lines().filter_map(|line| line.split(&format!("{root}/")).nth(1)).collect();
        assert_eq!(own, ["proto", "other", "proto/e.proto", "other/a.proto"]);
    }

    #[test]
    fn what_protoc_complains_about_keeps_its_places() {
        let files = folder(&[("e.proto", EDITION)]);
        let protoc = script(
            files.path(),
            "echo 'e.proto:4:9: \"Missing\" is not defined.' >&2\n\
             echo 'e.proto:1:1: warning: Import x.proto is unused.' >&2\n\
             echo 'x/y.proto: File not found.' >&2\n\
             echo 'something else' >&2\n\
             exit 1\n",
        );
        let problems = Compiler::new(Some(protoc)).compile(&[files.path().to_owned()]).expect_err("refused");
        assert_eq!(
            shown(&problems, files.path()),
            ["e.proto:4:9: \"Missing\" is not defined.", "x/y.proto: File not found.", "bin/protoc: something else"]
        );
    }

    #[test]
    fn a_protoc_that_cannot_be_run_is_named() {
        let files = folder(&[("e.proto", EDITION), ("bin/protoc", "")]);
        let protoc = files.path().join("bin/protoc");
        let problems = Compiler::new(Some(protoc)).compile(&[files.path().to_owned()]).expect_err("no program");
        assert_eq!(
            shown(&problems, files.path()),
            ["bin/protoc: cannot be run: Permission denied (os error 13) \
              (it is needed for files of protobuf editions; `descriptor_set` works without it)"]
        );
    }
}
