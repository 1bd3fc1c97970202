//! One fetch by reflection, over the wire.

use crate::found::{Directory, asking};
use crate::reflecting::{Grpc, Port, Versions, service, tonic};
use std::time::Duration;
use tidegate_control::Fetcher;
use tidegate_protojson::schema::FileDescriptor;
use tonic::body::Body;
use tonic::codegen::http::Response;

const ECHO: &str = r#"
syntax = "proto3";
package demo.v1;
import "google/api/annotations.proto";
import "words.proto";
service Echo { rpc Say(Words) returns (Words) { option (google.api.http) = { get: "/say/{text}" }; } }
"#;
const WORDS: &str = r#"
syntax = "proto3";
package demo.v1;
message Words { string text = 1; }
"#;

fn echo(versions: Versions) -> impl Grpc {
    tonic(versions, &[("echo.proto", ECHO), ("words.proto", WORDS)])
}

fn fetcher(ports: &[&Port], timeout: Duration) -> Fetcher {
    let endpoint = |port: &&Port| {
        let address = port.address();
        tidegate_upstream::Endpoint { host: address.ip().to_string(), port: address.port() }
    };
    let pool = tidegate_upstream::Config::new("up", ports.iter().map(endpoint).collect());
    Fetcher::new(&pool, timeout, vec!["demo.v1.Echo".into()], &asking(&Directory::default()))
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn both_versions_tell_the_same() {
    let (v1, alpha) = (Port::new(), Port::new());
    let _servers = [v1.serve(echo(Versions::V1)), alpha.serve(echo(Versions::V1Alpha))];
    let by_v1 = fetcher(&[&v1], LONG).fetch().await.expect("v1");
    let by_alpha = fetcher(&[&alpha], LONG).fetch().await.expect("v1alpha");
    assert_eq!(by_v1.method, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    assert_eq!(by_alpha.method, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    assert_eq!(by_v1.endpoint, v1.address().to_string());
    assert_eq!(by_v1.descriptor_set, by_alpha.descriptor_set);
    let files = FileDescriptor::of_set(&by_v1.descriptor_set).expect("a set");
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    let google = ["google/api/http.proto", "google/protobuf/descriptor.proto", "google/api/annotations.proto"];
    assert_eq!(names, [google[0], google[1], google[2], "words.proto", "echo.proto"]);
}

#[tokio::test]
async fn the_first_endpoint_that_answers_counts() {
    let (down, without, with) = (Port::new(), Port::new(), Port::new());
    let _servers = [without.serve(echo(Versions::None)), with.serve(echo(Versions::V1))];
    let fetched = fetcher(&[&down, &without, &with], LONG).fetch().await.expect("the third has it");
    assert_eq!(fetched.endpoint, with.address().to_string());

    let error = fetcher(&[&down, &without], LONG).fetch().await.expect_err("none has it");
    let (down, without) = (down.address(), without.address());
    assert_eq!(
        error.to_string(),
        format!(
            "{down}: cannot connect: cannot open the connection: Connection refused (os error 111); \
             {without}: it has no server reflection, neither grpc.reflection.v1 nor v1alpha"
        )
    );
}

/// What is said of a server that answers every call so.
async fn told(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static, timeout: Duration) -> String {
    let port = Port::new();
    let _server = port.serve(service(move |_| {
        let answer = answer();
        Box::pin(async move { Ok(answer) })
    }));
    let error = fetcher(&[&port], timeout).fetch().await.expect_err("it is no answer");
    error.to_string().replace(&format!("{}: ", port.address()), "")
}

fn http(status: u16, content_type: &str, body: Body) -> Response<Body> {
    Response::builder().status(status).header("content-type", content_type).body(body).expect("a response")
}

/// A body of these bytes, and then no trailers.
fn bytes(bytes: &'static [u8]) -> Body {
    let frame = tonic::codegen::Bytes::from_static(bytes);
    Body::new(http_body_util::Full::new(frame))
}

#[tokio::test]
async fn answers_that_are_none_are_told_apart() {
    let status = |status: fn(&'static str) -> tonic::Status| move || status("be\rgone").into_http();
    let no = "it has no server reflection, neither grpc.reflection.v1 nor v1alpha";
    assert_eq!(told(status(tonic::Status::permission_denied), LONG).await, "it answers PERMISSION_DENIED: begone");
    assert_eq!(told(status(tonic::Status::unavailable), LONG).await, "it answers UNAVAILABLE: begone");
    assert_eq!(told(status(tonic::Status::unimplemented), LONG).await, no);
    // A server of HTTP alone.
    assert_eq!(told(|| http(404, "text/plain", bytes(b"?")), LONG).await, no);
    let unavailable = "it answers UNAVAILABLE: ";
    assert!(told(|| http(503, "text/plain", bytes(b"?")), LONG).await.starts_with(unavailable));
    assert_eq!(told(|| http(200, "text/html", bytes(b"<p>")), LONG).await, "its answer is not gRPC");
    let grpc = |body: &'static [u8]| told(move || http(200, "application/grpc", bytes(body)), LONG);
    assert_eq!(grpc(b"").await, "it ends the stream without a status");
    assert_eq!(
        grpc(b"\x02\0\0\0\0").await,
        "its answer cannot be read: a frame's flag is 2, which gRPC does not define"
    );
    assert_eq!(
        grpc(b"\0\x7f\xff\xff\xff").await,
        "its answer cannot be read: a message of 2147483647 bytes is above the limit of 33554432"
    );
    assert_eq!(grpc(b"\x01\0\0\0\0").await, "its answer is compressed and does not say how");
    assert_eq!(grpc(b"\0\0\0\0\x01\xff").await, "its answer about its services is no ServerReflectionResponse");
    assert_eq!(grpc(b"\0\0\0\0\0").await, "it answers about its services with something else");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let port = Port::new();
    let _server = port.serve(service(|_| Box::pin(std::future::pending())));
    let error = fetcher(&[&port], Duration::from_millis(50)).fetch().await.expect_err("it is silent");
    assert_eq!(error.to_string(), format!("{}: it did not tell its descriptors within 50ms", port.address()));
}
