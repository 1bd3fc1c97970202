//! Configs that are right, as whole values.
use crate::{folder, lines, parse_in};
use std::time::Duration;
use tidegate_control::config::{AccessLog, AccessLogTarget, Admin, Telemetry};
use tidegate_control::load;
use tidegate_gateway::config::{HostPattern, LocalServices, MetadataPolicy, Place, SchemaSource};
use tidegate_protojson::{ParseOptions, PrintOptions, UnknownFields};
use tidegate_telemetry::access_log::Format;
use tidegate_transcode::{Repeated, Strictness, TranscodeOptions};

/// The example of the manual.
pub(crate) const EVERYTHING: &[&str] = &[
    "workers: 2",
    "drain: 1.5s",
    "listeners:",
    "  - bind: 0.0.0.0:8080",
    "  - bind: \"[::1]:0\"",
    "admin: { bind: 0.0.0.0:9901, token: secret }",
    "upstreams:",
    "  shop:",
    "    endpoints: [127.0.0.1:50051, \"[::1]:50051\", shop.local:50051]",
    "    schema: { proto: [proto/], http_rules: [rules.yaml] }",
    "  links: { endpoints: [127.0.0.1:50052], schema: { descriptor_set: links.pb } }",
    "  next: { endpoints: [127.0.0.1:50053], schema: { like: shop } }",
    "routes:",
    "  - service: shop.v1.Orders",
    "    host: API.example.com",
    "    upstream: shop",
    "    timeout: 2s",
    "    transcoding:",
    "      unknown_query: ignore",
    "      repeated_query: last",
    "      overlapping_query: ignore",
    "      query_beside_body: ignore",
    "      unexpected_body: ignore",
    "      unknown_fields: ignore",
    "      proto_names: true",
    "      enum_numbers: true",
    "      emit_defaults: true",
    "      int64_numbers: true",
    "      pretty: true",
    "  - { service: shop.v1.Orders, host: \"*.example.com\", upstream: next }",
    "  - { service: links.v1.Links, upstream: links }",
    "metadata: { allow: [X-User-Id, x-app-*, \"*-bin\"] }",
    "grpc: { health: true, reflection: true }",
    "telemetry: { access_log: { format: text, to: logs/access.log } }",
    "drain_delay: 250ms",
];

const RULES: &str = "http: { rules: [{ selector: shop.v1.Orders.Get, get: '/v1/orders/{id}' }] }\n";

#[test]
fn every_key_arrives() {
    let folder = folder(&[("rules.yaml", RULES), ("links.pb", "")]);
    let loaded = parse_in(folder.path(), &lines(EVERYTHING), &[]).expect("it is right");
    let place = |line, column| Place { line, column };
    let config = &loaded.config;
    assert_eq!((config.workers, config.drain), (2, Duration::from_millis(1500)));
    assert_eq!(config.drain_delay, Duration::from_millis(250));
    let listeners: Vec<_> = config.listeners.iter().map(|l| (l.bind.to_string(), l.place)).collect();
    assert_eq!(listeners, [("0.0.0.0:8080".to_owned(), place(4, 11)), ("[::1]:0".to_owned(), place(5, 11))]);
    let upstreams: Vec<_> =
        config.upstreams.iter().map(|u| (u.name.as_str(), u.place, u.schema.source.clone(), u.schema.place)).collect();
    assert_eq!(
        upstreams,
        [
            ("shop", place(8, 3), SchemaSource::Proto(vec![folder.path().join("proto/")]), place(10, 13)),
            ("links", place(11, 3), SchemaSource::DescriptorSet(folder.path().join("links.pb")), place(11, 50)),
            ("next", place(12, 3), SchemaSource::Like("shop".to_owned()), place(12, 49)),
        ]
    );
    let routes: Vec<_> = config
        .routes
        .iter()
        .map(|r| (r.service.as_str(), r.host.clone(), r.upstream.as_str(), r.timeout, r.place))
        .collect();
    let exact = HostPattern::Exact("api.example.com".to_owned());
    let suffix = HostPattern::Suffix(".example.com".to_owned());
    assert_eq!(
        routes,
        [
            ("shop.v1.Orders", exact, "shop", Some(Duration::from_secs(2)), place(14, 14)),
            ("shop.v1.Orders", suffix, "next", None, place(30, 16)),
            ("links.v1.Links", HostPattern::Any, "links", None, place(31, 16)),
        ]
    );
    let allow = ["x-user-id", "x-app-*", "*-bin"].map(String::from).to_vec();
    assert_eq!(config.metadata, MetadataPolicy { allow, ..MetadataPolicy::default() });
    assert_eq!(config.grpc, LocalServices { health: true, reflection: true });
    let bind = "0.0.0.0:9901".parse().expect("an address");
    assert_eq!(loaded.admin, Some(Admin { bind, token: Some("secret".to_owned()), place: place(6, 16) }));
    let to = AccessLogTarget::File(folder.path().join("logs/access.log"));
    let layout = Format::Text.into();
    assert_eq!(loaded.telemetry.access_log, Some(AccessLog { layout, to, place: place(34, 26) }));
    assert_eq!(loaded.warnings.to_string(), "");
}

#[test]
fn endpoints_and_transcoding_options_arrive() {
    let folder = folder(&[("rules.yaml", RULES), ("links.pb", "")]);
    let loaded = parse_in(folder.path(), &lines(EVERYTHING), &[]).expect("it is right");
    let endpoints: Vec<_> = loaded.config.upstreams[0].pool.endpoints.iter().map(|e| format!("{e:?}")).collect();
    assert_eq!(endpoints.len(), 3, "{endpoints:?}");
    let options = |index: usize| format!("{:?}", loaded.config.routes[index].transcode);
    assert_eq!(options(1), format!("{:?}", TranscodeOptions::default()));
    let all = TranscodeOptions {
        parse: ParseOptions { unknown_fields: UnknownFields::Ignore, ..ParseOptions::default() },
        print: PrintOptions {
            proto_names: true,
            enum_numbers: true,
            emit_defaults: true,
            int64_numbers: true,
            pretty: true,
            ..PrintOptions::default()
        },
        unknown_query: Strictness::Ignore,
        repeated_query: Repeated::LastWins,
        overlapping_query: Strictness::Ignore,
        query_beside_body: Strictness::Ignore,
        unexpected_body: Strictness::Ignore,
    };
    assert_eq!(options(0), format!("{all:?}"));
}

#[test]
fn what_is_not_said_has_its_default() {
    let loaded = crate::parse(&lines(&[crate::LISTENERS, crate::UPSTREAMS, crate::ROUTES])).expect("it is right");
    let config = &loaded.config;
    assert_eq!((config.workers, config.drain), (0, tidegate_gateway::config::DEFAULT_DRAIN));
    assert_eq!(config.drain_delay, Duration::ZERO);
    assert_eq!(config.metadata, MetadataPolicy::default());
    assert_eq!(config.grpc, LocalServices::default());
    assert_eq!(
        (loaded.admin, loaded.telemetry),
        (None, Telemetry { access_log: Some(AccessLog::default()), otlp: None })
    );
}

#[test]
fn the_access_log_can_be_off() {
    let text = lines(&[crate::LISTENERS, crate::UPSTREAMS, crate::ROUTES, "telemetry: { access_log: off }"]);
    assert_eq!(crate::parse(&text).expect("it is right").telemetry, Telemetry::default());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = folder(&[]);
    let report = load(&folder.path().join("absent.yaml"), &|_| None).expect_err("it is not there");
    let report = report.to_string().replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(report, "error: there is no config file `absent.yaml`\n  = help: name it with `-c FILE`\n");
}
