//! `telemetry`: what arrives, and what is refused.

use crate::{LISTENERS, ROUTES, UPSTREAMS, lines, parse, rejects};
use std::time::Duration;
use tidegate_control::config::{AccessLogTarget, Otlp, OtlpProtocol};
use tidegate_gateway::config::Place;
use tidegate_telemetry::access_log::{Field, Format, Layout, Template};
use tidegate_traffic::Share;

fn config(telemetry: &str) -> String {
    lines(&[LISTENERS, UPSTREAMS, ROUTES, telemetry])
}

#[test]
fn a_collector_has_defaults() {
    let text = config("telemetry: { otlp: { endpoint: \"http://127.0.0.1:4317\" } }");
    let want = Otlp {
        endpoint: "http://127.0.0.1:4317".to_owned(),
        protocol: OtlpProtocol::Grpc,
        sample: Share::percent(1),
        errors: true,
        headers: vec![],
        timeout: Duration::from_secs(10),
        interval: Duration::from_secs(60),
        ca: None,
        queue: 2_048,
        resource: vec![],
        place: Place { line: 4, column: 32 },
    };
    assert_eq!(parse(&text).expect("it is right").telemetry.otlp, Some(want));
}

#[test]
fn all_that_is_said_of_a_collector_arrives_and_secrets_are_not_shown() {
    let text = lines(&[
        LISTENERS,
        UPSTREAMS,
        ROUTES,
        "telemetry:",
        "  otlp:",
        "    endpoint: http://collector:4318/base",
        "    protocol: http",
        "    sample: 0.5%",
        "    errors: false",
        "    headers: { X-Key: s3cret }",
        "    timeout: 3s",
        "    interval: 15s",
        "    queue: 100",
        "    resource: { service.name: edge, deployment.environment.name: prod }",
    ]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let want = Otlp {
        endpoint: "http://collector:4318/base".to_owned(),
        protocol: OtlpProtocol::Http,
        sample: Share::from_billionths(5_000_000),
        errors: false,
        headers: vec![pair("x-key", "s3cret")],
        timeout: Duration::from_secs(3),
        interval: Duration::from_secs(15),
        ca: None,
        queue: 100,
        resource: vec![pair("service.name", "edge"), pair("deployment.environment.name", "prod")],
        place: Place { line: 6, column: 15 },
    };
    let otlp = parse(&text).expect("it is right").telemetry.otlp;
    assert!(!format!("{otlp:?}").contains("s3cret"), "{otlp:?}");
    assert_eq!(otlp, Some(want));
}

#[test]
fn what_cannot_be_said_of_a_collector_is_told_where_it_stands() {
    rejects(
        &lines(&[
            LISTENERS,
            UPSTREAMS,
            ROUTES,
            "telemetry:",
            "  otlp:",
            "    endpoint: ftp://collector:4317",
            "    protocol: gprc",
            "    sample: 200%",
            "    headers: { content-type: x, x-key: \"a\\nb\" }",
            "    interval: 10ms",
        ]),
        r#"
error: `endpoint` must be the URL of a collector, not `ftp://collector:4317`
 --> tidegate.yaml:6:15
  |
6 |     endpoint: ftp://collector:4317
  |               ^^^^^^^^^^^^^^^^^^^^ it begins with `http://` or `https://`

error: `protocol` must be `grpc` or `http`, not `gprc`
 --> tidegate.yaml:7:15
  |
7 |     protocol: gprc
  |               ^^^^ did you mean `grpc`?

error: `sample` must be a percentage, not `200%`
 --> tidegate.yaml:8:13
  |
8 |     sample: 200%
  |             ^^^^ it can be at most `100%`

error: header `content-type` belongs to the protocol
 --> tidegate.yaml:9:16
  |
9 |     headers: { content-type: x, x-key: "a\nb" }
  |                ^^^^^^^^^^^^

error: the value of `x-key` cannot be that of a header
 --> tidegate.yaml:9:40
  |
9 |     headers: { content-type: x, x-key: "a\nb" }
  |                                        ^^^^^^

error: `interval` is less than `1s`
  --> tidegate.yaml:10:15
   |
10 |     interval: 10ms
   |               ^^^^ metrics are sent this often
"#,
    );
}

#[test]
fn certificates_belong_to_tls() {
    rejects(
        &config("telemetry: { otlp: { endpoint: \"http://c:4317\", ca: ca.pem } }"),
        r#"
error: `ca` has no meaning without TLS
 --> tidegate.yaml:4:53
  |
4 | telemetry: { otlp: { endpoint: "http://c:4317", ca: ca.pem } }
  |                                                     ^^^^^^ the endpoint begins with `http://`
"#,
    );
}

#[test]
fn a_path_of_an_endpoint_must_have_a_meaning() {
    rejects(
        &config("telemetry: { otlp: { endpoint: \"http://c:4317/v1/traces\" } }"),
        r#"
error: `endpoint` has a path too many
 --> tidegate.yaml:4:32
  |
4 | telemetry: { otlp: { endpoint: "http://c:4317/v1/traces" } }
  |                                ^^^^^^^^^^^^^^^^^^^^^^^^^ gRPC has no path: write `protocol: http`, or the port alone
"#,
    );
    rejects(
        &config("telemetry: { otlp: { endpoint: \"http://c:4318/v1/traces\", protocol: http } }"),
        r#"
error: `endpoint` has a path too many
 --> tidegate.yaml:4:32
  |
4 | telemetry: { otlp: { endpoint: "http://c:4318/v1/traces", protocol: http } }
  |                                ^^^^^^^^^^^^^^^^^^^^^^^^^ leave `/v1/…` away: it is added
"#,
    );
}

#[test]
fn a_collector_needs_an_endpoint() {
    rejects(
        &config("telemetry: { otlp: { sample: 1% } }"),
        r#"
error: `otlp` needs `endpoint`
 --> tidegate.yaml:4:20
  |
4 | telemetry: { otlp: { sample: 1% } }
  |                    ^
"#,
    );
}

#[test]
fn the_access_log_has_chosen_fields_or_a_template() {
    let layout = |log: &str| {
        let text = config(&format!("telemetry: {{ access_log: {{ {log}, to: stderr }} }}"));
        let log = parse(&text).expect("it is right").telemetry.access_log.expect("it is on");
        assert_eq!(log.to, AccessLogTarget::Stderr);
        log.layout
    };
    assert_eq!(layout("format: text"), Layout::from(Format::Text));
    let fields = vec![Field::Ts, Field::TraceId];
    assert_eq!(layout("fields: [ts, trace_id]"), Layout::Fields(Format::Json, fields.clone()));
    assert_eq!(layout("format: text, fields: [ts, trace_id]"), Layout::Fields(Format::Text, fields));
    let template = Template::parse("%ts% %status%").expect("a template");
    assert_eq!(layout("template: \"%ts% %status%\""), Layout::Template(template));
}

#[test]
fn fields_that_there_are_not_are_told_where_they_stand() {
    rejects(
        &lines(&[
            LISTENERS,
            UPSTREAMS,
            ROUTES,
            "telemetry:",
            "  access_log:",
            "    fields: [ts, stauts, ts]",
            "    template: \"%sttus%\"",
        ]),
        r#"
error: unknown field `stauts`
 --> tidegate.yaml:6:18
  |
6 |     fields: [ts, stauts, ts]
  |                  ^^^^^^ did you mean `status`?

error: field `ts` is named twice
 --> tidegate.yaml:6:26
  |
6 |     fields: [ts, stauts, ts]
  |                          ^^

error: unknown field `sttus`
 --> tidegate.yaml:7:15
  |
7 |     template: "%sttus%"
  |               ^^^^^^^^^ did you mean `status`?
"#,
    );
    rejects(
        &config("telemetry: { access_log: { format: json, template: \"100%\" } }"),
        r#"
error: `template` has a `%` that begins no field
 --> tidegate.yaml:4:52
  |
4 | telemetry: { access_log: { format: json, template: "100%" } }
  |                                                    ^^^^^^ write `%status%` for a field, `%%` for the sign, and no line break
"#,
    );
    rejects(
        &config("telemetry: { access_log: { format: json, template: \"%ts%\" } }"),
        r#"
error: `format` has no meaning beside `template`
 --> tidegate.yaml:4:28
  |
4 | telemetry: { access_log: { format: json, template: "%ts%" } }
  |                            ^^^^^^ remove one of them
"#,
    );
}
