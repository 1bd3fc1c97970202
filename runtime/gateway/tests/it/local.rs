//! The services that the gateway answers by itself.

use crate::native::{Told, call, refused, tell};
use crate::rig::{ECHO, Scripted, framed, gateway, headers};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use std::sync::Arc;
use tidegate_gateway::config::{Config, HostPattern, LocalServices};
use tidegate_gateway::{Gateway, Peer, Phase, Single, pipeline};
use tidegate_transcode::ports::SchemaCompiler;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECT: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

const OTHER: &str = r#"
syntax = "proto2";
package other;
service Other {
  rpc Do(Base) returns (Base);
}
message Base {
  optional Inner inner = 1;
  oneof choice { int32 a = 2; }
  extensions 100 to 199;
  message Inner { enum Level { LOW = 0; } extend Base { optional int32 deep = 101; } }
}
extend Base { optional string more = 100; }
enum Colour { RED = 0; }
"#;

/// Without its comments: those of `grpc/health/v1/health.proto`.
const HEALTH: &str = r#"
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health {
  rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
  rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
}
"#;

fn switched_on(change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    gateway(&[("echo.proto", ECHO), ("other.proto", OTHER)], &["test.Echo", "other.Other"], |config| {
        config.grpc = LocalServices { health: true, reflection: true };
        change(config);
    })
}

/// `HealthCheckRequest`, `ServiceResponse`, and every other message with a string as its field `number`.
fn string(number: u8, text: &str) -> Vec<u8> {
    bytes(number, text.as_bytes())
}

fn bytes(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut message);
    message.extend_from_slice(bytes);
    message
}

async fn ask(gateway: &Arc<Gateway>, path: &str, message: &[u8]) -> Told {
    tell(gateway, &Single(Scripted::unary(b"")), call(path, &[], framed(0, message))).await
}

fn answered(messages: &[Vec<u8>]) -> Told {
    Told {
        status: 200,
        headers: headers(&[("content-type", "application/grpc")]),
        data: messages.iter().flat_map(|message| framed(0, message)).collect(),
        trailers: Some(headers(&[("grpc-status", "0")])),
    }
}

#[tokio::test]
async fn without_being_switched_on_they_are_not_there() {
    let gateway = gateway(&[("echo.proto", ECHO)], &["test.Echo"], |_| {});
    for (path, service) in [
        (CHECK, "no service grpc.health.v1.Health is served here"),
        (REFLECT, "no service grpc.reflection.v1.ServerReflection is served here"),
    ] {
        assert_eq!(ask(&gateway, path, b"").await, refused("12", service));
    }
}

#[tokio::test]
async fn a_route_for_them_comes_first() {
    let health =
        "syntax = \"proto3\"; package grpc.health.v1; message M {} service Health { rpc Check(M) returns (M); }";
    let gateway = gateway(&[("health.proto", health)], &["grpc.health.v1.Health"], |config| config.grpc.health = true);
    let up = Single(Scripted::unary(b"of the upstream"));
    let told = tell(&gateway, &up, call(CHECK, &[], framed(0, b""))).await;
    assert_eq!(told, answered(&[b"of the upstream".to_vec()]));
}

#[tokio::test]
async fn health_is_that_of_the_gateway_and_of_what_it_routes() {
    let gateway = switched_on(|_| {});
    for service in ["", "test.Echo", "other.Other"] {
        assert_eq!(ask(&gateway, CHECK, &string(1, service)).await, answered(&[vec![8, 1]]), "{service}");
    }
    assert_eq!(
        ask(&gateway, CHECK, &string(1, "test.Nothing")).await,
        refused("5", "no service test.Nothing is served here")
    );
    gateway.advance(Phase::Leaving);
    assert_eq!(ask(&gateway, CHECK, b"").await, answered(&[vec![8, 2]]));
}

#[tokio::test]
async fn a_request_for_health_that_is_none_is_refused() {
    let gateway = switched_on(|_| {});
    let told = ask(&gateway, CHECK, b"\x0a\x05").await;
    assert_eq!(told.headers["grpc-status"], "3");
    let up = Single(Scripted::unary(b""));
    let told = tell(&gateway, &up, call(CHECK, &[], Bytes::new())).await;
    assert_eq!(told, refused("13", "the request has no message"));
    let told = tell(&gateway, &up, call(CHECK, &[], framed(1, b""))).await;
    assert_eq!(told, refused("12", "this service takes no compressed messages"));
}

#[tokio::test(start_paused = true)]
async fn who_watches_hears_of_every_change() {
    let gateway = switched_on(|_| {});
    let up = Single(Scripted::unary(b""));
    for (service, first, second) in [("test.Echo", 1, 2), ("test.Nothing", 3, 3)] {
        let request = call(WATCH, &[("grpc-timeout", "1H")], framed(0, &string(1, service)));
        let mut body = pipeline::handle(&gateway, &up, request, &Peer::unknown()).await.into_body();
        let mut next = async || body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
        assert_eq!(next().await, framed(0, &[8, first]));
        if first != second {
            gateway.advance(Phase::Draining);
            assert_eq!(next().await, framed(0, &[8, second]));
        }
    }
}

/// `ServerReflectionResponse`: the request again, then the answer as field `number`.
fn reply(request: &[u8], number: u8, answer: &[u8]) -> Vec<u8> {
    [bytes(2, request), bytes(number, answer)].concat()
}

fn file(name: &str) -> FileDescriptorProto {
    let gateway = switched_on(|_| {});
    let snapshot = gateway.snapshot();
    let (_, schema) = snapshot.services().next().expect("a route");
    let set = FileDescriptorSet::decode(schema.descriptor_set()).expect("a descriptor set");
    set.file.into_iter().find(|file| file.name() == name).expect("the file")
}

/// Like `file`, but as the bytes that reflection has to give, whatever prost makes of unknown options.
async fn reflected(gateway: &Arc<Gateway>, request: &[u8]) -> FileDescriptorProto {
    let told = ask(gateway, REFLECT, request).await;
    assert_eq!(told.trailers, Some(headers(&[("grpc-status", "0")])), "{told:?}");
    let start = 5 + bytes(2, request).len();
    let response = &told.data[start..];
    assert_eq!(response[0], 4 << 3 | 2, "no file: {}", String::from_utf8_lossy(response));
    let mut response = &response[1..];
    let length = prost::encoding::decode_varint(&mut response).expect("a length");
    assert_eq!(length, response.len() as u64);
    assert_eq!(response[0], 1 << 3 | 2);
    let mut file = &response[1..];
    let length = prost::encoding::decode_varint(&mut file).expect("a length");
    assert_eq!(length, file.len() as u64);
    FileDescriptorProto::decode(file).expect("a file")
}

#[tokio::test]
async fn routed_services_are_listed() {
    let gateway = switched_on(|_| {});
    let request = string(7, "*");
    let names = ["grpc.health.v1.Health", "other.Other", "test.Echo"];
    let want: Vec<u8> = names.iter().flat_map(|name| bytes(1, &string(1, name))).collect();
    for path in [REFLECT, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"] {
        assert_eq!(ask(&gateway, path, &request).await, answered(&[reply(&request, 6, &want)]));
    }
}

/// What is routed for another host only is not told.
#[tokio::test]
async fn a_host_is_told_of_its_own_services() {
    let gateway = switched_on(|config| {
        config.grpc.health = false;
        config.routes[0].host = HostPattern::Exact("echo.test".into());
    });
    let request = string(7, "*");
    let list = async |host: &str| {
        let call = call(REFLECT, &[("host", host)], framed(0, &request));
        tell(&gateway, &Single(Scripted::unary(b"")), call).await
    };
    let other = bytes(1, &string(1, "other.Other"));
    assert_eq!(list("any.test").await, answered(&[reply(&request, 6, &other)]));
    let both = [other, bytes(1, &string(1, "test.Echo"))].concat();
    assert_eq!(list("echo.test").await, answered(&[reply(&request, 6, &both)]));
}

#[tokio::test]
async fn files_are_found_by_name_and_by_everything_that_they_declare() {
    let gateway = switched_on(|_| {});
    assert_eq!(reflected(&gateway, &string(3, "google/api/http.proto")).await, file("google/api/http.proto"));
    for symbol in [
        "other.Other",
        "other.Other.Do",
        "other.Base",
        ".other.Base",
        "other.Base.inner",
        "other.Base.choice",
        "other.Base.Inner",
        "other.Base.Inner.Level",
        "other.Base.Inner.LOW",
        "other.Base.Inner.deep",
        "other.more",
        "other.Colour",
        "other.RED",
    ] {
        assert_eq!(reflected(&gateway, &string(4, symbol)).await.name(), "other.proto", "{symbol}");
    }
    let extension = [string(1, "other.Base"), vec![2 << 3, 101]].concat();
    assert_eq!(reflected(&gateway, &bytes(5, &extension)).await.name(), "other.proto");
}

/// So that generic clients can ask for the health.
#[tokio::test]
async fn the_health_service_is_told_as_its_file_declares_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::create_dir_all(folder.path().join("grpc/health/v1")).expect("folder");
    std::fs::write(folder.path().join("grpc/health/v1/health.proto"), HEALTH).expect("proto file");
    let set = tidegate_schema::Compiler::default().compile(&[folder.path().into()]).expect("it compiles");
    let set = FileDescriptorSet::decode(&set[..]).expect("a descriptor set");
    let want = set.file.into_iter().find(|file| file.name() == "grpc/health/v1/health.proto").expect("the file");
    let want = FileDescriptorProto { source_code_info: None, ..want };
    assert_eq!(reflected(&switched_on(|_| {}), &string(4, "grpc.health.v1.Health")).await, want);
}

#[tokio::test]
async fn numbers_of_extensions_are_told() {
    let gateway = switched_on(|_| {});
    let request = string(6, "other.Base");
    let want = [string(1, "other.Base"), bytes(2, &[100, 101])].concat();
    assert_eq!(ask(&gateway, REFLECT, &request).await, answered(&[reply(&request, 5, &want)]));
    let request = string(6, "test.Thing");
    assert_eq!(ask(&gateway, REFLECT, &request).await, answered(&[reply(&request, 5, &string(1, "test.Thing"))]));
}

#[tokio::test]
async fn what_is_not_there_is_an_answer_and_not_the_end() {
    let gateway = switched_on(|_| {});
    let extension = [string(1, "other.Base"), vec![2 << 3, 102]].concat();
    let questions = [
        (string(3, "no.proto"), "there is no file no.proto"),
        (string(4, "other.No"), "there is no symbol other.No"),
        (string(6, "other.No"), "there is no symbol other.No"),
        (bytes(5, &extension), "other.Base has no extension 102"),
    ];
    let pieces = questions.iter().map(|(request, _)| Ok::<_, std::io::Error>(Frame::data(framed(0, request))));
    let body = StreamBody::new(tokio_stream::iter(pieces.collect::<Vec<_>>()));
    let request = call(REFLECT, &[], Bytes::new()).map(|_| body);
    let told = tell(&gateway, &Single(Scripted::unary(b"")), request).await;
    let error = |message: &str| [vec![1 << 3, 5], string(2, message)].concat();
    let want: Vec<_> = questions.iter().map(|(request, message)| reply(request, 7, &error(message))).collect();
    assert_eq!(told, answered(&want));
}

#[tokio::test]
async fn a_question_that_is_none_ends_the_talk() {
    let gateway = switched_on(|_| {});
    for (message, code) in [(&b""[..], "3"), (b"\x22\x05", "3")] {
        let told = ask(&gateway, REFLECT, message).await;
        assert_eq!(told.trailers.expect("trailers")["grpc-status"], code, "{message:?}");
    }
}
