//! `tidegate schema`.
use crate::reflecting::{Port, Versions, tonic};
use crate::{CONFIG, check, folder, program, tidegate};

/// Every kind of method, rules of every form, and a second file.
pub(crate) const KINDS: &str = r#"syntax = "proto3";
package kinds.v1;

import "google/api/annotations.proto";
import "thing.proto";

service Kinds {
  rpc Get(Thing) returns (Thing) {
    option (google.api.http) = {
      get: "/v1/{name}"
      additional_bindings { patch: "/v1/{name}" body: "*" response_body: "name" }
    };
  }
  rpc Watch(Thing) returns (stream Thing) { option (google.api.http) = { get: "/v1/{name}:watch" }; }
  rpc Upload(stream Thing) returns (Thing);
  rpc Talk(stream Thing) returns (stream Thing);
}
"#;
pub(crate) const THING: &str = "syntax = \"proto3\";\npackage kinds.v1;\nmessage Thing { string name = 1; }\n";

const FILES: [(&str, &str); 2] = [("kinds.proto", KINDS), ("thing.proto", THING)];

/// A config with the server at `port`, and with an upstream of files.
fn config(port: &Port) -> String {
    format!(
        "\
listeners: [{{ bind: 127.0.0.1:0 }}]
upstreams:
  kinds: {{ endpoints: ['{}'], schema: {{ reflection: true, http_rules: [rules.yaml] }} }}
  echo: {{ endpoints: [127.0.0.1:1], schema: {{ proto: [proto] }} }}
routes:
  - {{ service: kinds.v1.Kinds, upstream: kinds }}
  - {{ service: demo.v1.Echo, upstream: echo }}
",
        port.address()
    )
}

const RULES: &str = "\
http:
  rules:
    - { selector: kinds.v1.Kinds.Upload, post: /v2/things, body: '*' }
";

/// The files that come with the gateway and are in every schema, after those of `first`.
fn with_google(first: &[&str]) -> Vec<String> {
    let google = [
        "google/protobuf/any.proto",
        "google/rpc/status.proto",
        "google/protobuf/duration.proto",
        "google/rpc/error_details.proto",
        "google/rpc/code.proto",
        "google/api/httpbody.proto",
    ];
    first.iter().chain(&google).map(|name| (*name).to_owned()).collect()
}

const API: [&str; 3] = ["google/api/http.proto", "google/protobuf/descriptor.proto", "google/api/annotations.proto"];

#[test]
fn a_servers_schema_is_shown_with_its_services_and_files() {
    let port = Port::new();
    let _server = port.serve(tonic(Versions::V1Alpha, &FILES));
    let from = format!("grpc://{}", port.address());
    let (code, out, err) = tidegate(folder(&[]).path(), &["schema", "--from", &from]);
    let files: String = with_google(&[API[0], API[1], API[2], "thing.proto", "kinds.proto"])
        .iter()
        .map(|name| format!("    {name}\n"))
        .collect();
    let expected = format!(
        "\
{address}: 1 service, 11 files, told by {address} (grpc.reflection.v1alpha)

  kinds.v1.Kinds
    Get     unary             GET /v1/{{name}}
                              PATCH /v1/{{name}}  body: *  response_body: name
    Watch   server streaming  GET /v1/{{name}}:watch
    Upload  client streaming  no http rule
    Talk    bidirectional     no http rule

  files
{files}",
        address = port.address()
    );
    assert_eq!((code, out.as_str(), err.as_str()), (0, expected.as_str(), ""));
}

#[test]
fn the_schemas_of_a_config_are_those_that_the_gateway_would_use() {
    let port = Port::new();
    let _server = port.serve(tonic(Versions::V1, &FILES));
    let folder = folder(&[("tidegate.yaml", &config(&port)), ("rules.yaml", RULES)]);
    let (code, out, err) = tidegate(folder.path(), &["schema"]);
    let lines: Vec<_> = out.lines().filter(|line| line.contains(':') || line.ends_with("service")).collect();
    let told = format!("kinds: 1 service, 11 files, told by {} (grpc.reflection.v1)", port.address());
    assert_eq!(
        (code, lines, err.as_str()),
        (
            0,
            vec![
                told.as_str(),
                "    Get     unary             GET /v1/{name}",
                "                              PATCH /v1/{name}  body: *  response_body: name",
                "    Watch   server streaming  GET /v1/{name}:watch",
                "    Upload  client streaming  POST /v2/things  body: *",
                "echo: 1 service, 10 files, from proto",
                "    Say  unary             GET /v1/say/{text}",
                "                           POST /v1/say  body: *",
            ]
            .into_iter()
            .filter(|line| line.contains(':'))
            .collect(),
            ""
        )
    );
}

#[test]
fn programs_read_json_and_lists_of_files() {
    let port = Port::new();
    let _server = port.serve(tonic(Versions::V1, &FILES));
    let folder = folder(&[("tidegate.yaml", &config(&port)), ("rules.yaml", RULES)]);
    let (code, out, _) = tidegate(folder.path(), &["schema", "--upstream", "kinds", "--format", "json"]);
    let seen: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let method = |name: &str, kind: &str, http: serde_json::Value| {
        let thing = "kinds.v1.Thing";
        serde_json::json!({ "name": name, "kind": kind, "input": thing, "output": thing, "http": http })
    };
    let rule = |method: &str, path: &str, body: &str, response_body: &str| serde_json::json!({ "method": method, "path": path, "body": body, "responseBody": response_body });
    let methods = [
        method("Get", "unary", [rule("GET", "/v1/{name}", "", ""), rule("PATCH", "/v1/{name}", "*", "name")].into()),
        method("Watch", "server streaming", [rule("GET", "/v1/{name}:watch", "", "")].into()),
        method("Upload", "client streaming", [rule("POST", "/v2/things", "*", "")].into()),
        method("Talk", "bidirectional", serde_json::json!([])),
    ];
    let service =
        serde_json::json!({ "name": "kinds.v1.Kinds", "file": "kinds.proto", "routed": true, "methods": methods });
    let files = with_google(&[API[0], API[1], API[2], "thing.proto", "kinds.proto"]);
    let origin = format!("told by {} (grpc.reflection.v1)", port.address());
    let upstream = serde_json::json!({ "name": "kinds", "origin": origin, "services": [service], "files": files });
    assert_eq!((code, seen), (0, serde_json::json!({ "upstreams": [upstream] })));

    let mut names = with_google(&[API[0], API[1], API[2], "thing.proto", "kinds.proto", "echo.proto"]);
    names.sort();
    let list: String = names.iter().map(|name| format!("{name}\n")).collect();
    check(folder.path(), &["schema", "--format", "proto-list"], (0, &list, ""));
}

#[test]
fn what_is_written_to_a_file_is_a_descriptor_set_that_a_config_can_name() {
    let port = Port::new();
    let server = port.serve(tonic(Versions::V1, &FILES));
    let from = port.address().to_string();
    let by_file = "\
listeners: [{ bind: 127.0.0.1:0 }]
upstreams: { kinds: { endpoints: [127.0.0.1:1], schema: { descriptor_set: kinds.pb } } }
routes: [{ service: kinds.v1.Kinds, upstream: kinds }]
";
    let folder = folder(&[("tidegate.yaml", by_file)]);
    check(folder.path(), &["schema", "--from", &from, "-o", "kinds.pb"], (0, "", ""));
    drop(server);
    let table = "\
METHOD  PATH              RPC                   UPSTREAM
GET     /v1/{name}        kinds.v1.Kinds/Get    kinds
PATCH   /v1/{name}        kinds.v1.Kinds/Get    kinds
GET     /v1/{name}:watch  kinds.v1.Kinds/Watch  kinds
";
    check(folder.path(), &["routes"], (0, table, ""));
    let written = std::fs::read(folder.path().join("kinds.pb")).expect("it is there");
    let output = program(folder.path(), &["schema", "--format", "descriptor"]).output().expect("it can be run");
    assert_eq!((output.status.code(), output.stdout), (Some(0), written));
}

#[test]
fn what_cannot_be_had_is_told_with_its_exit_code() {
    let (down, without) = (Port::new(), Port::new());
    let _server = without.serve(tonic(Versions::None, &FILES));
    let alike = "  alike: { endpoints: [a:1], schema: { like: echo } }\nroutes:\n  \
                 - { service: demo.v1.Echo, upstream: alike, host: alike.test }";
    let folder = folder(&[
        ("tidegate.yaml", &config(&down)),
        ("rules.yaml", RULES),
        ("two.yaml", &CONFIG.replace("routes:", alike)),
    ]);
    let refused = "cannot connect: cannot open the connection: Connection refused (os error 111)";
    let address = down.address();
    let from = address.to_string();
    check(folder.path(), &["schema", "--from", &from], (69, "", &format!("error: {address}: {refused}\n")));
    let from = without.address().to_string();
    let no = "it has no server reflection, neither grpc.reflection.v1 nor v1alpha";
    check(folder.path(), &["schema", "--from", &from], (69, "", &format!("error: {from}: {no}\n")));
    let config = config(&down);
    let line = config.lines().nth(2).expect("the upstream");
    let column = line.find("{ reflection").expect("its schema");
    let told = format!(
        "error: `kinds` does not tell its schema: {address}: {refused}\n \
         --> tidegate.yaml:3:{}\n  |\n3 | {line}\n  | {:column$}^\n  \
         = help: is it up, and is server reflection switched on in it? `proto` and `descriptor_set` need neither\n",
        column + 1,
        ""
    );
    for command in ["schema", "routes"] {
        check(folder.path(), &[command], (69, "", &told));
    }
    let arguments = |extra: &'static [&'static str]| [&["schema", "-c", "two.yaml"], extra].concat();
    check(
        folder.path(),
        &arguments(&["--upstream", "ech"]),
        (2, "", "error: no upstream `ech` with a schema\n  = help: `two.yaml` has `echo`, `alike`\n"),
    );
    check(
        folder.path(),
        &arguments(&["-o", "x.pb"]),
        (
            2,
            "",
            "error: a descriptor set is that of one upstream\n  \
             = help: name it with `--upstream`: there is `echo`, `alike`\n",
        ),
    );
    let (code, _, err) = tidegate(folder.path(), &["schema", "--from", "http://a:1"]);
    assert_eq!(code, 2);
    assert!(err.contains("expected `grpc://HOST:PORT`"), "{err}");
    let nowhere = arguments(&["--upstream", "echo", "-o", "no/where.pb"]);
    let (code, out, err) = tidegate(folder.path(), &nowhere);
    let told = "error: cannot write `no/where.pb`: No such file or directory (os error 2)\n";
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.ends_with(told), "{err}");
}
