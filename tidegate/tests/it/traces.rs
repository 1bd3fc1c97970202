//! Traces across the gateway, and what becomes of them if nobody takes them.

use crate::collector::{Collector, Told};
use crate::running::Running;
use crate::spanned::{PROTO, Spanned, Words};
use crate::{folder, program};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

/// The client's own span.
const CALLER: &str = "00f067aa0ba902b7";

fn gateway(upstream: SocketAddr, telemetry: &str) -> (TempDir, Running) {
    let config = format!(
        "listeners: [{{ bind: 127.0.0.1:0 }}]\n\
         admin: {{ bind: 127.0.0.1:0 }}\n\
         upstreams: {{ traced: {{ endpoints: [\"{upstream}\"], schema: {{ proto: [traced] }} }} }}\n\
         routes: [{{ service: traced.v1.Traced, upstream: traced }}]\n\
         telemetry: {telemetry}\n"
    );
    let folder = folder(&[("tidegate.yaml", &config), ("traced/traced.proto", PROTO)]);
    let running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    (folder, running)
}

/// The trace of the `number`th request.
fn trace_id(number: u8) -> String {
    format!("{number:02x}").repeat(16)
}

fn traceparent(number: u8) -> String {
    format!("00-{}-{CALLER}-01", trace_id(number))
}

/// The answer to a REST call.
fn rest(running: &Running, number: u8, path: &str) -> String {
    let traceparent = traceparent(number);
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: shop.example:81\r\ntraceparent: {traceparent}\r\nconnection: close\r\n\r\n"
    );
    crate::running::rest(running.send(&request))
}

/// A unary call and one that streams both ways, by tonic's client.
fn native(running: &Running, unary: u8, streaming: u8) {
    let address = format!("http://{}", running.addresses[0]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let channel = Endpoint::from_shared(address).expect("an address").connect().await.expect("it listens");
        let mut client = Grpc::new(channel);
        let words = Words { text: "x".to_owned() };
        client.ready().await.expect("connected");
        let mut call = tonic::Request::new(words.clone());
        call.metadata_mut().insert("traceparent", traceparent(unary).parse().expect("a value"));
        let path = PathAndQuery::from_static("/traced.v1.Traced/Say");
        let reply = client.unary(call, path, ProstCodec::<Words, Words>::default()).await.expect("a reply");
        assert_eq!(reply.into_inner(), words);
        client.ready().await.expect("connected");
        let mut call = tonic::Request::new(tokio_stream::iter(vec![words.clone(), words.clone()]));
        call.metadata_mut().insert("traceparent", traceparent(streaming).parse().expect("a value"));
        let path = PathAndQuery::from_static("/traced.v1.Traced/Chat");
        let replies = client.streaming(call, path, ProstCodec::<Words, Words>::default()).await.expect("a reply");
        let replies: Vec<_> = replies.into_inner().collect().await;
        assert_eq!(replies.into_iter().collect::<Result<Vec<_>, _>>().expect("messages"), [words.clone(), words]);
    });
}

/// Ends the gateway; its spans by trace, and the access log.
fn end(running: Running, collector: &Collector) -> (BTreeMap<String, Vec<Span>>, String) {
    running.signal("TERM");
    let (code, log, _) = running.end();
    assert_eq!(code, 0);
    let mut traces = BTreeMap::<String, Vec<Span>>::new();
    // The metrics are the last thing that is sent.
    while let Told::Traces(_, request) = collector.next() {
        let scopes = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            traces.entry(hex(&span.trace_id)).or_default().push(span);
        }
    }
    (traces, log)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The attributes whose values are the same in every run.
fn attributes(span: &Span) -> Vec<String> {
    const CHANGING: [&str; 6] = [
        "client.address",
        "network.peer.address",
        "network.peer.port",
        "server.port",
        "tidegate.request_id",
        "user_agent.original",
    ];
    let mut shown: Vec<_> = span
        .attributes
        .iter()
        .filter(|attribute| !CHANGING.contains(&attribute.key.as_str()))
        .map(|attribute| {
            let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
                Some(Value::StringValue(text)) => text.clone(),
                Some(Value::IntValue(number)) => number.to_string(),
                other => format!("{other:?}"),
            };
            format!("{}={value}", attribute.key)
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn one_trace_goes_from_the_client_through_the_gateway_to_the_service() {
    for (protocol, path) in [("grpc", ""), ("http", "/base")] {
        let (collector, service) = (Collector::start(), Spanned::start());
        let endpoint = format!("http://{}{path}", collector.address);
        let otlp = format!("{{ otlp: {{ endpoint: \"{endpoint}\", protocol: {protocol}, sample: 100% }} }}");
        let (_folder, running) = gateway(service.port.address(), &otlp);
        assert!(rest(&running, 1, "/v1/say/x").ends_with("{\"text\":\"x\"}"));
        assert!(rest(&running, 2, "/v1/watch/x").contains("{\"text\":\"x\"}"));
        native(&running, 3, 4);
        let (traces, log) = end(running, &collector);
        let expected = [
            (1, "GET /v1/say/{text}", "Say"),
            (2, "GET /v1/watch/{text}", "Watch"),
            (3, "traced.v1.Traced/Say", "Say"),
            (4, "traced.v1.Traced/Chat", "Chat"),
        ];
        assert_eq!(traces.keys().cloned().collect::<Vec<_>>(), expected.map(|(number, ..)| trace_id(number)));
        for (number, name, method) in expected {
            let spans = &traces[&trace_id(number)];
            let [server, client] = &spans[..] else { panic!("{spans:#?}") };
            assert_eq!((server.kind(), client.kind()), (SpanKind::Server, SpanKind::Client));
            assert_eq!((server.name.as_str(), client.name.as_str()), (name, &*format!("traced.v1.Traced/{method}")));
            assert_eq!(hex(&server.parent_span_id), CALLER);
            assert_eq!(client.parent_span_id, server.span_id);
            assert_eq!((server.flags, client.flags), (0x301, 0x101));
            assert!(server.start_time_unix_nano <= client.start_time_unix_nano);
            assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
            let span_id = hex(&server.span_id);
            let line = format!("\"trace_id\":\"{}\",\"span_id\":\"{span_id}\"", trace_id(number));
            assert_eq!(log.matches(&line).count(), 1, "{line}\n{log}");
            let services = service.spans();
            let mut services =
                services.iter().filter(|span| span.span_context.trace_id().to_string() == trace_id(number));
            let of_service = services.next().expect("the service has a span");
            assert_eq!(of_service.parent_span_id.to_bytes().to_vec(), client.span_id);
            assert!(services.next().is_none());
        }
    }
}

#[test]
fn spans_say_what_the_conventions_ask_for() {
    let (collector, service) = (Collector::start(), Spanned::start());
    let otlp = format!("{{ otlp: {{ endpoint: \"http://{}\", sample: 100% }} }}", collector.address);
    let (_folder, running) = gateway(service.port.address(), &otlp);
    rest(&running, 1, "/v1/say/x");
    rest(&running, 2, "/v1/say/x?secret=1");
    rest(&running, 3, "/nowhere");
    native(&running, 4, 5);
    let (traces, _) = end(running, &collector);
    let shown: Vec<Vec<_>> = (1..5).map(|number| traces[&trace_id(number)].iter().map(attributes).collect()).collect();
    let of_client = [
        "rpc.method=traced.v1.Traced/Say",
        "rpc.response.status_code=OK",
        "rpc.system.name=grpc",
        "server.address=127.0.0.1",
        "tidegate.upstream=traced",
    ];
    let want: [Vec<Vec<&str>>; 4] = [
        vec![
            vec![
                "http.request.method=GET",
                "http.response.status_code=200",
                "http.route=/v1/say/{text}",
                "network.protocol.version=1.1",
                "server.address=shop.example",
                "tidegate.route=/v1/say/{text}",
                "tidegate.upstream=traced",
                "url.path=/v1/say/x",
                "url.scheme=http",
            ],
            of_client.to_vec(),
        ],
        // An unknown query parameter is refused before anything is called.
        vec![vec![
            "error.type=bad_request",
            "http.request.method=GET",
            "http.response.status_code=400",
            "http.route=/v1/say/{text}",
            "network.protocol.version=1.1",
            "server.address=shop.example",
            "tidegate.route=/v1/say/{text}",
            "tidegate.upstream=traced",
            "url.path=/v1/say/x",
            "url.scheme=http",
        ]],
        vec![vec![
            "error.type=no_route",
            "http.request.method=GET",
            "http.response.status_code=404",
            "network.protocol.version=1.1",
            "server.address=shop.example",
            "url.path=/nowhere",
            "url.scheme=http",
        ]],
        vec![
            vec![
                "http.request.method=POST",
                "http.response.status_code=200",
                "network.protocol.version=2",
                "rpc.method=traced.v1.Traced/Say",
                "rpc.response.status_code=OK",
                "rpc.system.name=grpc",
                "server.address=127.0.0.1",
                "tidegate.route=traced.v1.Traced/Say",
                "tidegate.upstream=traced",
                "url.path=/traced.v1.Traced/Say",
                "url.scheme=http",
            ],
            of_client.to_vec(),
        ],
    ];
    assert_eq!(shown, want, "{shown:#?}");
}

#[test]
fn a_bucket_names_a_trace_that_fell_into_it() {
    let (collector, service) = (Collector::start(), Spanned::start());
    let otlp = format!("{{ otlp: {{ endpoint: \"http://{}\", sample: 100% }} }}", collector.address);
    let (_folder, running) = gateway(service.port.address(), &otlp);
    rest(&running, 1, "/nowhere");
    let accept =
        "GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: application/openmetrics-text\r\nconnection: close\r\n\r\n";
    let metrics = running.ask(1, accept);
    let (traces, _) = end(running, &collector);
    let span_id = hex(&traces[&trace_id(1)][0].span_id);
    let exemplar = format!(" # {{trace_id=\"{}\",span_id=\"{span_id}\"}} ", trace_id(1));
    let lines: Vec<_> = metrics.lines().filter(|line| line.contains(&exemplar)).collect();
    assert_eq!(lines.len(), 1, "{exemplar}\n{metrics}");
    assert!(lines[0].starts_with("tidegate_request_duration_seconds_bucket{le="), "{lines:?}");
}

#[test]
fn what_is_not_sampled_is_kept_if_it_ends_in_an_error() {
    let collector = Collector::start();
    let otlp = format!("{{ otlp: {{ endpoint: \"http://{}\", sample: 0% }} }}", collector.address);
    // Nobody listens there.
    let closed = crate::reflecting::Port::new();
    let (_folder, running) = gateway(closed.address(), &otlp);
    assert!(rest(&running, 1, "/nowhere").starts_with("HTTP/1.1 404"));
    assert!(rest(&running, 2, "/v1/say/x").starts_with("HTTP/1.1 503"));
    let (traces, _) = end(running, &collector);
    assert_eq!(traces.keys().cloned().collect::<Vec<_>>(), [trace_id(2)]);
    let [server, client] = &traces[&trace_id(2)][..] else { panic!("{traces:#?}") };
    // The services that were called were told that the trace is not sampled, and so it is marked.
    assert_eq!((server.flags, client.flags), (0x300, 0x100));
    for span in [server, client] {
        assert_eq!(
            span.status.as_ref().map(|status| (status.code, status.message.as_str())),
            Some((2, "upstream_unavailable"))
        );
    }
}

#[test]
fn a_collector_that_takes_nothing_costs_spans_and_nothing_else() {
    let closed = crate::reflecting::Port::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    for address in [closed.address(), silent.local_addr().expect("bound")] {
        let otlp = format!("{{ otlp: {{ endpoint: \"http://{address}\", sample: 100%, queue: 4 }} }}");
        let (_folder, running) = gateway(closed.address(), &otlp);
        for number in 0..20 {
            assert!(rest(&running, number, "/nowhere").starts_with("HTTP/1.1 404"));
        }
        let metrics = running.get(1, "/metrics");
        let figure = |name: &str| -> u64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}:\n{metrics}"))
        };
        let dropped = figure("tidegate_otlp_spans_total{outcome=\"queue_full\"}");
        // Four wait, and four may be on their way.
        assert!((12..=16).contains(&dropped), "{dropped}");
        assert_eq!(figure("tidegate_otlp_spans_total{outcome=\"exported\"}"), 0);
        assert_eq!(figure("tidegate_otlp_queue_limit"), 4);
        running.signal("TERM");
        assert_eq!(running.end().0, 0);
    }
}
