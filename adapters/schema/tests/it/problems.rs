use crate::{folder, paths, shown};
use tidegate_schema::Compiler;
use tidegate_transcode::ports::SchemaCompiler as _;

#[track_caller]
fn check(files: &[(&str, &str)], folders: &[&str], expected: &[&str]) {
    let files = folder(files);
    let problems = Compiler::new(None).compile(&paths(&files, folders)).expect_err("there is something wrong");
    assert_eq!(shown(&problems, files.path()), expected);
}

#[test]
fn a_missing_import_names_the_file_and_line_that_import_it() {
    check(
        &[("proto/a.proto", "syntax = \"proto3\";\n\nimport \"shop/missing.proto\";\n")],
        &["proto"],
        &[
            "proto/a.proto:3:1: import `shop/missing.proto` not found (it is not below `proto`: name the folder that it is relative to as well)",
        ],
    );
}

#[test]
fn an_import_from_a_folder_above_is_told_which_folder_to_name() {
    check(
        &[
            ("proto/shop/v1/a.proto", "syntax = \"proto3\";\nimport \"shop/v1/b.proto\";\n"),
            ("proto/shop/v1/b.proto", "syntax = \"proto3\";\n"),
        ],
        &["proto/shop/v1"],
        &[
            "proto/shop/v1/a.proto:2:1: import `shop/v1/b.proto` not found (it is below `proto`: name that folder in `proto`)",
        ],
    );
}

#[test]
fn errors_of_all_files_are_reported_each_once() {
    check(
        &[
            ("a.proto", "syntax = \"proto3\";\nmessage A { Missing m = 1; Absent n = 2; }\n"),
            ("b.proto", "syntax = \"proto3\";\nmessage {}\n"),
            ("c.proto", "syntax = \"proto3\";\nimport \"b.proto\";\n"),
            ("d.proto", "syntax = \"proto3\";\n\nmessage D { string é = 1; int32 x = 1; }\n"),
        ],
        &["."],
        &[
            "./a.proto:2:13: name `Missing` is not defined",
            "./a.proto:2:28: name `Absent` is not defined",
            "./b.proto:2:9: expected an identifier, but found `{`",
            "./d.proto:3:20: invalid token",
        ],
    );
}

#[test]
fn imports_in_a_circle_are_named() {
    check(
        &[
            ("a.proto", "syntax = \"proto3\"; import \"b.proto\";"),
            ("b.proto", "syntax = \"proto3\"; import \"a.proto\";"),
        ],
        &["."],
        &[
            "./a.proto: import cycle detected: a.proto -> b.proto -> a.proto",
            "./b.proto: import cycle detected: b.proto -> a.proto -> b.proto",
        ],
    );
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let files = folder(&[]);
    std::fs::write(files.path().join("a.proto"), b"\xff\xfe").expect("write a file");
    let problems = Compiler::new(None).compile(&paths(&files, &["."])).expect_err("no text");
    assert_eq!(shown(&problems, files.path()), ["./a.proto: file `a.proto` is not valid utf-8"]);
}
