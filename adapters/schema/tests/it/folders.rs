use crate::{folder, names, paths, shown};
use tidegate_schema::Compiler;
use tidegate_transcode::ports::SchemaCompiler as _;

const A: &str = "syntax = \"proto3\"; package a; import \"b/b.proto\"; message A { b.B b = 1; }";
const B: &str = "syntax = \"proto3\"; package b; message B {}";

fn own(set: &[u8]) -> Vec<String> {
    names(set).into_iter().filter(|name| !name.starts_with("google/")).collect()
}

#[test]
fn files_of_all_folders_are_compiled_in_the_order_of_their_imports() {
    let files =
        folder(&[("one/a.proto", A), ("two/b/b.proto", B), ("two/.hidden/x.proto", "nonsense"), ("two/y.txt", "")]);
    let set = Compiler::new(None).compile(&paths(&files, &["one", "two"])).expect("compiles");
    assert_eq!(own(&set), ["b/b.proto", "a.proto"]);
}

#[test]
fn of_files_with_one_import_path_the_first_counts() {
    let files = folder(&[("one/b/b.proto", B), ("two/b/b.proto", "nonsense")]);
    let set = Compiler::new(None).compile(&paths(&files, &["one", "two"])).expect("compiles");
    assert_eq!(own(&set), ["b/b.proto"]);
}

#[test]
fn a_folder_without_files_and_one_that_is_missing_are_both_named() {
    let files = folder(&[("empty/readme.txt", "")]);
    let problems = Compiler::new(None).compile(&paths(&files, &["empty", "missing"])).expect_err("nothing there");
    assert_eq!(
        shown(&problems, files.path()),
        [
            "empty: there is no .proto file in this folder or below (name the folder that imports are relative to)",
            "missing: cannot read the folder: No such file or directory (os error 2)",
        ]
    );
}
