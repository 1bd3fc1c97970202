use crate::{folder, names, paths};
use tidegate_schema::{Compiler, bundled_descriptor_set};
use tidegate_transcode::ports::SchemaCompiler as _;

const ALWAYS: [&str; 5] = [
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
    "google/rpc/code.proto",
    "google/api/annotations.proto",
    "google/api/httpbody.proto",
];

#[test]
fn a_schema_has_the_messages_of_error_details_without_importing_them() {
    let files = folder(&[("a.proto", "syntax = \"proto3\"; message A {}")]);
    let set = Compiler::new(None).compile(&paths(&files, &["."])).expect("compiles");
    let names = names(&set);
    let missing: Vec<_> = ALWAYS.iter().filter(|name| !names.iter().any(|n| n == *name)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    assert!(names.contains(&"a.proto".to_owned()));
}

#[test]
fn without_folders_the_bundled_set_is_compiled() {
    assert_eq!(Compiler::new(None).compile(&[]), Ok(bundled_descriptor_set()));
}

#[test]
fn files_of_the_user_come_before_bundled_ones() {
    let own = "syntax = \"proto3\"; package google.rpc; message Status { string own = 1; }";
    let files = folder(&[("google/rpc/status.proto", own)]);
    let set = Compiler::new(None).compile(&paths(&files, &["."])).expect("compiles");
    use prost::Message as _;
    let set = prost_types::FileDescriptorSet::decode(&*set).expect("a descriptor set");
    let status = set.file.iter().find(|file| file.name() == "google/rpc/status.proto").expect("it is there");
    let fields: Vec<_> = status.message_type[0].field.iter().map(prost_types::FieldDescriptorProto::name).collect();
    assert_eq!(fields, ["own"]);
}

#[test]
fn google_rpc_under_another_import_path_does_not_clash() {
    let own = "syntax = \"proto3\"; package google.rpc; message Status { string own = 1; }";
    let files = folder(&[("vendored/status.proto", own)]);
    let set = Compiler::new(None).compile(&paths(&files, &["."])).expect("compiles");
    assert!(!names(&set).contains(&"google/rpc/status.proto".to_owned()));
    assert!(names(&set).contains(&"vendored/status.proto".to_owned()));
}

#[test]
fn http_annotations_stay_in_the_options_of_methods() {
    let files = folder(&[(
        "a.proto",
        "syntax = \"proto3\"; import \"google/api/annotations.proto\"; message A {} \
         service S { rpc Get(A) returns (A) { option (google.api.http) = { get: \"/v1/needle\" }; } }",
    )]);
    let set = Compiler::new(None).compile(&paths(&files, &["."])).expect("compiles");
    // Field 72295728 of MethodOptions, then field 2 (get) of HttpRule.
    let needle = b"\xca\xbc\x22\x0c\x12\x0a/v1/needle";
    let expected = [&b"\x82\xd3\xe4\x93\x02"[..], &needle[3..]].concat();
    assert!(set.windows(expected.len()).any(|window| window == expected));
}
