//! Where rules come from.

use crate::harness::{SCHEMA, rule, show};
use http::Method;
use tidegate_transcode::{Body, HttpRule, Idempotency, Router, RouterBuilder, RuleMethod};

fn annotated(overrides: &[HttpRule]) -> Router {
    let mut builder = RouterBuilder::new();
    builder.add_service(&SCHEMA, "t.v1.Annotated", overrides, 0).expect("its rules are well-formed");
    builder.build().expect("its rules differ")
}

fn shown(router: &Router) -> Vec<String> {
    let line = |b: &tidegate_transcode::Binding| format!("{} {} {}", b.method_str(), b.template, b.rpc);
    router.bindings().map(line).collect()
}

const PUT: &str = "PUT /annotated /t.v1.Annotated/Put";

#[test]
fn annotations_are_read_with_their_additional_bindings() {
    let router = annotated(&[]);
    assert_eq!(
        shown(&router),
        [
            "GET /annotated/{name} /t.v1.Annotated/Get",
            "POST /annotated/{name}:get /t.v1.Annotated/Get",
            "HEAD /annotated/{name} /t.v1.Annotated/Get",
            PUT,
        ]
    );
    let nested = SCHEMA.find_field(router.binding(0).input, "nested");
    let bodies: Vec<_> = router.bindings().map(|b| (b.body, b.response_body)).collect();
    assert_eq!(
        bodies,
        [(Body::None, nested), (Body::Whole, None), (Body::None, None), (nested.map_or(Body::None, Body::Field), None)]
    );
    let idempotency: Vec<_> = router.bindings().map(|b| b.idempotency).collect();
    let get = Idempotency::NoSideEffects;
    assert_eq!(idempotency, [get, get, get, Idempotency::Idempotent]);
}

#[test]
fn a_configured_rule_replaces_the_annotation_and_the_last_one_wins() {
    let overrides = [
        rule("Annotated.Get get: /first/{name}"),
        rule("Annotated.Get get: /last/{name}"),
        rule("Do get: /of-another-service"),
    ];
    assert_eq!(shown(&annotated(&overrides)), ["GET /last/{name} /t.v1.Annotated/Get", PUT]);
}

#[test]
fn a_configured_rule_binds_a_method_without_annotation() {
    let router = annotated(&[rule("Annotated.Unbound post: /unbound body: *")]);
    assert_eq!(shown(&router).last().map(String::as_str), Some("POST /unbound /t.v1.Annotated/Unbound"));
    assert_eq!(router.find(&Method::POST, "/unbound").map(|found| found.index).ok(), Some(4));
}

#[test]
fn selectors_and_services_that_do_not_exist_are_reported() {
    let mut builder = RouterBuilder::new();
    let problems = builder.add_service(&SCHEMA, "t.v1.Annotated", &[rule("Annotated.Gett get: /a")], 0);
    let want = "`GET /a` of t.v1.Annotated.Gett: the service has no such method";
    assert_eq!(problems.map_err(|problems| show(&problems)), Err(want.into()));
    let problems = builder.add_service(&SCHEMA, "t.v1.Nothing", &[], 0);
    let want = "t.v1.Nothing: the schema has no such service";
    assert_eq!(problems.map_err(|problems| show(&problems)), Err(want.into()));
}

#[test]
fn additional_bindings_nest_one_level_only() {
    let mut outer = rule("get: /a");
    outer.additional = vec![rule("get: /b")];
    outer.additional[0].additional = vec![rule("get: /c")];
    let problems = RouterBuilder::new().add_service(&SCHEMA, "t.v1.Main", &[outer], 0);
    let want = "`GET /b` of t.v1.Main.Do (test.proto): an additional binding cannot have additional bindings";
    assert_eq!(problems.map_err(|problems| show(&problems)), Err(want.into()));
}

#[test]
fn rules_are_decoded_as_protobuf_merges_them() {
    // Occurrences of the extension `http = 72295728`.
    let options = |rules: &[&[u8]]| {
        let mut wire = Vec::new();
        for rule in rules {
            tidegate_protojson::wire::put_tag(&mut wire, 72_295_728, tidegate_protojson::wire::WireType::Len);
            tidegate_protojson::wire::put_len_prefixed(&mut wire, rule);
        }
        wire
    };
    assert_eq!(HttpRule::from_method_options(&[]), Ok(None));
    assert_eq!(HttpRule::from_method_options(&options(&[])), Ok(None));
    let split = options(&[b"\x12\x02/a\x3a\x01*", b"\x22\x02/b", b"\x62\x01r"]);
    let want = HttpRule {
        method: RuleMethod::Post,
        template: "/b".into(),
        body: "*".into(),
        response_body: "r".into(),
        ..HttpRule::default()
    };
    assert_eq!(HttpRule::from_method_options(&split), Ok(Some(want)));
    let custom = options(&[b"\x12\x02/a\x42\x06\x0a\x04HEAD", b"\x42\x04\x12\x02/c"]);
    let want = HttpRule { method: RuleMethod::Custom("HEAD".into()), template: "/c".into(), ..HttpRule::default() };
    assert_eq!(HttpRule::from_method_options(&custom), Ok(Some(want)));
    assert!(HttpRule::from_method_options(&options(&[b"\x12\x05/a"])).is_err());
}
