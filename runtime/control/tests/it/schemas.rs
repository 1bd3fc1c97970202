//! From sources to schemas.
use crate::{LISTENERS, folder, lines, parse_in, same};
use prost::Message as _;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_control::{Report, Sources, schemas};
use tidegate_transcode::ports::{SchemaCompiler, SchemaProblem};

/// A set of one file with empty services.
fn set(file: &str, package: &str, services: &[&str]) -> Vec<u8> {
    let service = |name: &&str| ServiceDescriptorProto {
        name: Some((*name).to_owned()),
        method: vec![MethodDescriptorProto {
            name: Some("Get".to_owned()),
            input_type: Some(format!(".{package}.Empty")),
            output_type: Some(format!(".{package}.Empty")),
            ..MethodDescriptorProto::default()
        }],
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some(file.to_owned()),
        package: Some(package.to_owned()),
        message_type: vec![DescriptorProto { name: Some("Empty".to_owned()), ..DescriptorProto::default() }],
        service: services.iter().map(service).collect(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// Compiles any folders to a set of services, and none to a bundled set.
struct Fake(Result<Vec<u8>, Vec<SchemaProblem>>);

impl SchemaCompiler for Fake {
    fn compile(&self, folders: &[PathBuf]) -> Result<Vec<u8>, Vec<SchemaProblem>> {
        if folders.is_empty() { Ok(set("bundled.proto", "bundled", &["Always"])) } else { self.0.clone() }
    }
}

fn compiled(folder: &Path, text: &str, compiler: &Fake) -> Result<Vec<(String, Vec<String>)>, String> {
    let loaded = parse_in(folder, text, &[]).expect("the config itself is right");
    match schemas(&loaded.config, &loaded.source, compiler) {
        Ok(schemas) => Ok(schemas
            .into_iter()
            .map(|(name, schema)| (name, schema.services().iter().map(|s| s.full_name.to_string()).collect()))
            .collect()),
        Err(report) => Err(report.to_string().replace(&format!("{}/", folder.display()), "")),
    }
}

const UPSTREAMS: &str = "\
upstreams:
  shop: { endpoints: [a:1], schema: { proto: [proto] } }
  links: { endpoints: [a:1], schema: { descriptor_set: links.pb } }
  far: { endpoints: [a:1], schema: { like: next } }
  next: { endpoints: [a:1], schema: { like: shop } }
  plain: { endpoints: [a:1] }
";

fn shop() -> Fake {
    Fake(Ok(set("shop.proto", "shop.v1", &["Orders", "Customers"])))
}

fn files(links: &[u8]) -> tempfile::TempDir {
    let folder = folder(&[]);
    std::fs::write(folder.path().join("links.pb"), links).expect("write a file");
    folder
}

#[test]
fn each_upstream_gets_its_schema_with_the_bundled_files() {
    let folder = files(&set("links.proto", "links.v1", &["Links"]));
    let routes = "routes: [{ service: shop.v1.Orders, upstream: far }, { service: links.v1.Links, upstream: links }]";
    let services = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let of_shop = services(&["shop.v1.Orders", "shop.v1.Customers", "bundled.Always"]);
    assert_eq!(
        compiled(folder.path(), &(lines(&[LISTENERS, routes]) + UPSTREAMS), &shop()),
        Ok(vec![
            // What the gateway says by itself needs the bundled files alone.
            (String::new(), services(&["bundled.Always"])),
            ("far".to_owned(), of_shop.clone()),
            ("links".to_owned(), services(&["links.v1.Links", "bundled.Always"])),
            ("next".to_owned(), of_shop.clone()),
            ("shop".to_owned(), of_shop),
        ])
    );
}

#[test]
fn a_descriptor_set_that_declares_bundled_messages_elsewhere_stands_alone() {
    let folder = files(&set("vendored/links.proto", "bundled", &["Always", "Links"]));
    let routes = "routes: [{ service: bundled.Links, upstream: links }]";
    let found = compiled(folder.path(), &(lines(&[LISTENERS, routes]) + UPSTREAMS), &shop()).expect("it is right");
    assert_eq!(found[2], ("links".to_owned(), vec!["bundled.Always".to_owned(), "bundled.Links".to_owned()]));
}

#[test]
fn services_that_are_not_in_the_schema_are_reported_with_those_that_are() {
    let folder = files(&set("links.proto", "links.v1", &["Links"]));
    let routes = lines(&[
        "routes:",
        "  - { service: shop.v1.Order, upstream: shop }",
        "  - { service: Orders, upstream: shop }",
        "  - { service: warehouse.v2.Stock, upstream: far }",
    ]);
    same(
        &compiled(folder.path(), &(lines(&[LISTENERS]) + &routes + UPSTREAMS), &shop()).expect_err("it is wrong"),
        r#"
error: the schema of `shop` has no service `shop.v1.Order`
 --> tidegate.yaml:3:16
  |
3 |   - { service: shop.v1.Order, upstream: shop }
  |                ^^^^^^^^^^^^^ did you mean `shop.v1.Orders`?
  = help: it has `shop.v1.Orders`, `shop.v1.Customers`, `bundled.Always`

error: the schema of `shop` has no service `Orders`
 --> tidegate.yaml:4:16
  |
4 |   - { service: Orders, upstream: shop }
  |                ^^^^^^ did you mean `shop.v1.Orders`?
  = help: it has `shop.v1.Orders`, `shop.v1.Customers`, `bundled.Always`

error: the schema of `far` has no service `warehouse.v2.Stock`
 --> tidegate.yaml:5:16
  |
5 |   - { service: warehouse.v2.Stock, upstream: far }
  |                ^^^^^^^^^^^^^^^^^^
  = help: it has `shop.v1.Orders`, `shop.v1.Customers`, `bundled.Always`
"#,
    );
}

#[test]
fn problems_of_all_upstreams_are_reported_where_they_are() {
    let folder = files(b"\xff\xff no descriptor set");
    std::fs::write(folder.path().join("proto/a.proto"), "syntax = \"proto3\";\nimport \"missing.proto\";\n")
        .expect("write a file");
    let problem = |file: String, line, message: &str| SchemaProblem {
        file,
        line,
        column: line,
        message: message.to_owned(),
        help: Some("do this".to_owned()),
    };
    let proto = folder.path().join("proto/a.proto").display().to_string();
    let compiler = Fake(Err(vec![
        problem(proto, Some(2), "import `missing.proto` not found"),
        problem("google/rpc/odd.proto".to_owned(), None, "file not found"),
        problem(String::new(), None, "nothing there"),
    ]));
    let routes = "routes: [{ service: shop.v1.Orders, upstream: far }, { service: links.v1.Links, upstream: links }]";
    same(
        &compiled(folder.path(), &(lines(&[LISTENERS, routes]) + UPSTREAMS), &compiler).expect_err("it is wrong"),
        r#"
error: import `missing.proto` not found
 --> proto/a.proto:2:2
  |
2 | import "missing.proto";
  |  ^^^^^
 ::: tidegate.yaml:4:37
  |
4 |   shop: { endpoints: [a:1], schema: { proto: [proto] } }
  |                                     - for this schema
  = help: do this

error: file not found
 --> google/rpc/odd.proto
 ::: tidegate.yaml:4:37
  |
4 |   shop: { endpoints: [a:1], schema: { proto: [proto] } }
  |                                     - for this schema
  = help: do this

error: nothing there
 --> tidegate.yaml:4:37
  |
4 |   shop: { endpoints: [a:1], schema: { proto: [proto] } }
  |                                     ^
  = help: do this

error: the descriptor set `links.pb`: not a FileDescriptorSet
 --> tidegate.yaml:5:38
  |
5 |   links: { endpoints: [a:1], schema: { descriptor_set: links.pb } }
  |                                      ^
"#,
    );
}

#[test]
fn retries_of_a_service_of_streams_are_warned_of() {
    let folder = folder(&[("proto/a.proto", "")]);
    let text = lines(&[
        LISTENERS,
        "upstreams: { shop: { endpoints: [a:1], schema: { proto: [proto] } } }",
        "routes:",
        "  - { service: shop.v1.Orders, upstream: shop, retry: {} }",
        "  - { service: shop.v1.Orders, host: a.example.com, upstream: shop }",
    ]);
    let loaded = parse_in(folder.path(), &text, &[]).expect("a config");
    let warnings = |streaming: bool| {
        let mut file = FileDescriptorSet::decode(&*set("shop.proto", "shop.v1", &["Orders"])).expect("a set");
        file.file[0].service[0].method[0].server_streaming = Some(streaming);
        let compiler = Fake(Ok(file.encode_to_vec()));
        let sources = Sources::load(Arc::new(loaded.config.clone()), &loaded.source, &compiler).expect("schemas");
        Report::new(sources.warnings()).to_string()
    };
    same(&warnings(true), RETRIED_STREAMS);
    assert_eq!(warnings(false), "");
}

const RETRIED_STREAMS: &str = "
warning: `retry` does nothing here: all methods of `shop.v1.Orders` are streams
 --> tidegate.yaml:4:16
  |
4 |   - { service: shop.v1.Orders, upstream: shop, retry: {} }
  |                ^^^^^^^^^^^^^^
  = help: streams are never made again: remove it
";
