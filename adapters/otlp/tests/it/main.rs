//! Against OpenTelemetry's own services.

mod collector;

use collector::{Answer, Collector, Told};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{Span as Message, Status as SpanStatus, span};
use std::time::Duration;
use tidegate_observe::metric::{Exemplar, Family, Histogram, Point, Series};
use tidegate_observe::ports::{Again, ExportError, Exporter as _};
use tidegate_observe::span::{Event, Kind, Outcome, Parent, Span};
use tidegate_otlp::{Otlp, Protocol, Settings};
use tidegate_source_rig::certificates::Certificates;
use tonic::{Code, Status};

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

fn settings(collector: &Collector, protocol: Protocol) -> Settings {
    Settings {
        endpoint: format!("http://{}", collector.address),
        protocol,
        headers: vec![("x-key".to_owned(), "s3cret".to_owned())],
        ca: None,
        timeout: Duration::from_secs(60),
        resource: vec![("service.name".to_owned(), "edge".to_owned())],
        version: "1.2.3",
    }
}

fn example() -> Span {
    Span {
        trace_id: [0xab; 16],
        span_id: [0xcd; 8],
        parent: Some(Parent { span_id: [0xef; 8], remote: true }),
        kind: Kind::Client,
        name: "GET /x".into(),
        start: Duration::from_nanos(1_000),
        end: Duration::from_nanos(2_000),
        sampled: true,
        attributes: vec![("text", "a".into()), ("number", 7_u16.into()), ("yes", true.into())],
        events: vec![Event { name: "again".into(), at: Duration::from_nanos(1_500), attributes: vec![] }],
        outcome: Outcome::Error("UNAVAILABLE".into()),
    }
}

/// Sends once, on a runtime that ends with it.
fn send(settings: &Settings) -> Result<(), ExportError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sent = runtime.block_on(async {
        let mut otlp = Otlp::new(settings).expect("they can be used");
        otlp.spans(&[example()]).await
    });
    runtime.shutdown_background();
    sent
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[test]
fn a_span_arrives_whole_and_with_its_origin() {
    for protocol in BOTH {
        let collector = Collector::start();
        send(&settings(&collector, protocol)).expect("it arrives");
        let Told::Traces(metadata, request) = collector.next() else { panic!("spans come first") };
        let header = |name| metadata.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        assert_eq!(header("x-key"), "s3cret");
        assert!(header("user-agent").starts_with("tidegate/1.2.3"), "{metadata:?}");
        let [of_resource] = &request.resource_spans[..] else { panic!("{request:?}") };
        let resource = of_resource.resource.clone().expect("a resource").attributes;
        assert_eq!(resource, [attribute("service.name", Any::StringValue("edge".to_owned()))]);
        let [of_scope] = &of_resource.scope_spans[..] else { panic!("{request:?}") };
        let scope = of_scope.scope.clone().expect("a scope");
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("tidegate", "1.2.3"));
        let want = Message {
            trace_id: vec![0xab; 16],
            span_id: vec![0xcd; 8],
            parent_span_id: vec![0xef; 8],
            flags: 0x301,
            name: "GET /x".to_owned(),
            kind: SpanKind::Client as i32,
            start_time_unix_nano: 1_000,
            end_time_unix_nano: 2_000,
            attributes: vec![
                attribute("text", Any::StringValue("a".to_owned())),
                attribute("number", Any::IntValue(7)),
                attribute("yes", Any::BoolValue(true)),
            ],
            events: vec![span::Event { time_unix_nano: 1_500, name: "again".to_owned(), ..span::Event::default() }],
            status: Some(SpanStatus { message: "UNAVAILABLE".to_owned(), code: 2 }),
            ..Message::default()
        };
        assert_eq!(of_scope.spans, [want]);
    }
}

#[test]
fn metrics_arrive_with_their_kinds() {
    let family = |name: &str, unit: &str, series| Family {
        name: name.to_owned(),
        help: "Help".to_owned(),
        unit: unit.to_owned(),
        series,
    };
    let point = |value| Point { labels: vec![("a".to_owned(), "b".to_owned())], value };
    let exemplar = Exemplar { bucket: 0, value: 0.5, at: Duration::from_nanos(9), trace_id: [1; 16], span_id: [2; 8] };
    let histogram =
        Histogram { labels: vec![], bounds: vec![1.0], counts: vec![1, 2], sum: 7.5, exemplars: vec![exemplar] };
    let families = [
        family("sum", "", Series::Counters(vec![point(3.0)])),
        family("level", "bytes", Series::Gauges(vec![point(0.5)])),
        family("took", "seconds", Series::Histograms(vec![histogram])),
    ];
    for protocol in BOTH {
        let collector = Collector::start();
        let settings = settings(&collector, protocol);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut otlp = Otlp::new(&settings).expect("they can be used");
            let (since, at) = (Duration::from_nanos(5), Duration::from_nanos(10));
            otlp.metrics(&families, since, at).await.expect("they arrive");
        });
        let Told::Metrics(metadata, request) = collector.next() else { panic!("metrics") };
        assert_eq!(metadata.get("x-key").map(|key| key.as_bytes()), Some(&b"s3cret"[..]));
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let head = |metric: &Metric| (metric.name.clone(), metric.description.clone(), metric.unit.clone());
        let heads: Vec<_> = metrics.iter().map(head).collect();
        let want = [("sum", "1"), ("level", "By"), ("took", "s")];
        assert_eq!(heads, want.map(|(name, unit)| (name.to_owned(), "Help".to_owned(), unit.to_owned())));
        let Some(metric::Data::Sum(sum)) = &metrics[0].data else { panic!("{metrics:?}") };
        let point = &sum.data_points[0];
        assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (5, 10));
        assert_eq!(point.value, Some(number_data_point::Value::AsInt(3)));
        assert_eq!(point.attributes, [attribute("a", Any::StringValue("b".to_owned()))]);
        let Some(metric::Data::Gauge(gauge)) = &metrics[1].data else { panic!("{metrics:?}") };
        assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(0.5)));
        let Some(metric::Data::Histogram(histogram)) = &metrics[2].data else { panic!("{metrics:?}") };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum, &point.bucket_counts), (3, Some(7.5), &vec![1, 2]));
        assert_eq!((&point.explicit_bounds, &point.exemplars[0].trace_id), (&vec![1.0], &vec![1; 16]));
    }
}

#[test]
fn what_passes_is_told_from_what_does_not() {
    let again = |answer, protocol| {
        let collector = Collector::start();
        collector.will_say([answer]);
        send(&settings(&collector, protocol)).expect_err("it says no").again
    };
    for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Aborted, Code::Cancelled, Code::DataLoss] {
        assert_eq!(again(Answer::Status(Status::new(code, "x")), Protocol::Grpc), Again::After(None), "{code:?}");
    }
    // Without a word of when there will be room, there will be none.
    for code in [Code::InvalidArgument, Code::Unimplemented, Code::PermissionDenied, Code::ResourceExhausted] {
        assert_eq!(again(Answer::Status(Status::new(code, "x")), Protocol::Grpc), Again::No(None), "{code:?}");
    }
    for status in [429, 502, 503, 504] {
        assert_eq!(again(Answer::Http(status, None), Protocol::Http), Again::After(None), "{status}");
    }
    for status in [400, 401, 404, 413, 500] {
        assert_eq!(again(Answer::Http(status, None), Protocol::Http), Again::No(None), "{status}");
    }
    let asked = Again::After(Some(Duration::from_secs(7)));
    assert_eq!(again(Answer::Http(503, Some("7")), Protocol::Http), asked);
    for protocol in BOTH {
        assert_eq!(again(Answer::Partial(1), protocol), Again::No(Some(1)));
    }
}

#[test]
fn a_wait_that_the_collector_asks_for_over_grpc_is_understood() {
    // google.rpc.Status { details: [RetryInfo { retry_delay: 7 s }] }
    let url = b"type.googleapis.com/google.rpc.RetryInfo";
    let mut any = vec![0x0a, url.len() as u8];
    any.extend_from_slice(url);
    any.extend_from_slice(&[0x12, 0x04, 0x0a, 0x02, 0x08, 0x07]);
    let mut details = vec![0x1a, any.len() as u8];
    details.extend_from_slice(&any);
    let collector = Collector::start();
    collector.will_say([Answer::Status(Status::with_details(Code::ResourceExhausted, "full", details.into()))]);
    let error = send(&settings(&collector, Protocol::Grpc)).expect_err("it says no");
    assert_eq!(error.again, Again::After(Some(Duration::from_secs(7))));
}

#[test]
fn a_collector_that_is_down_or_silent_is_an_error_in_words_without_secrets() {
    for protocol in BOTH {
        let collector = Collector::start();
        collector.will_say([Answer::Never]);
        let mut settings = settings(&collector, protocol);
        settings.timeout = Duration::from_millis(100);
        let silent = send(&settings).expect_err("it does not answer");
        assert_eq!(silent.message, "the collector did not answer within 100ms");
        assert_eq!(silent.again, Again::After(None));
        drop(collector);
        settings.timeout = Duration::from_secs(60);
        let down = send(&settings).expect_err("nobody listens");
        assert!(down.message.contains("onnection refused"), "{}", down.message);
        assert_eq!(down.again, Again::After(None), "{}", down.message);
        assert!(!format!("{settings:?}{silent:?}{down:?}").contains("s3cret"));
    }
}

#[test]
fn a_collector_over_tls_is_told_if_it_is_believed() {
    let certificates = Certificates::new();
    for protocol in BOTH {
        let collector = Collector::start_with_tls(&certificates.read("server.pem"), &certificates.read("server.key"));
        let good = Settings {
            endpoint: format!("https://{}", collector.address),
            ca: Some(certificates.read("ca.pem")),
            ..settings(&collector, protocol)
        };
        send(&good).expect("it arrives");
        assert!(matches!(collector.next(), Told::Traces(..)), "spans");

        // Its authority is neither that of strangers nor one of the system's.
        for ca in [Some(Certificates::new().read("ca.pem")), None] {
            let error = send(&Settings { ca, ..good.clone() }).expect_err("nobody believes it");
            assert!(
                error.message.contains("invalid peer certificate: UnknownIssuer"),
                "{protocol:?}: {}",
                error.message
            );
            assert_eq!(error.again, Again::After(None), "{protocol:?}: {}", error.message);
        }
        send(&Settings { endpoint: format!("http://{}", collector.address), ..good }).expect_err("it speaks TLS");
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _within = runtime.enter();
    let collector = Collector::start();
    for protocol in BOTH {
        let good = settings(&collector, protocol);
        let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for bad in [
            Settings { endpoint: "not a url".to_owned(), ..good.clone() },
            Settings { headers: header("a b", "c"), ..good.clone() },
            Settings { headers: header("a", "b\nc"), ..good.clone() },
        ] {
            assert!(Otlp::new(&bad).is_err(), "{bad:?}");
        }
    }
}
