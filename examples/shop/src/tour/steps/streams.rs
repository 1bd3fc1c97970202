//! Streams of requests.

use super::{Expect, STEP, Step};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// Stock that comes as a stream, and changes of it that are answered one by one.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: "a stream of requests, one to a line; one answer",
        method: "POST",
        path: "/v1/inventory:import",
        headers: &[NDJSON],
        body: Some(
            r#"{"sku":"caps/felt","title":"Felt cap","price":{"minorUnits":"2900"},"onHand":"5"}

{"sku":"caps/straw","title":"Straw hat","price":{"minorUnits":1900},"on_hand":7}
"#,
        ),
        expect: Expect::Json(r#"{"added":2}"#),
        ..STEP
    },
    Step {
        title: "a stream of requests as a JSON array",
        method: "POST",
        path: "/v1/inventory:import",
        body: Some(r#"[{"sku":"caps/felt","title":"Felt cap","price":{"minorUnits":"2900"},"onHand":"6"}]"#),
        expect: Expect::Json(r#"{"replaced":1}"#),
        ..STEP
    },
    Step {
        title: "a stream of no requests",
        method: "POST",
        path: "/v1/inventory:import",
        headers: &[NDJSON],
        body: Some(""),
        ..STEP
    },
    Step {
        title: "the service refuses one message of a stream, and so all of it",
        method: "POST",
        path: "/v1/inventory:import",
        headers: &[NDJSON],
        body: Some("{\"sku\":\"caps/felt\",\"onHand\":1}\n{\"sku\":\"caps//\",\"onHand\":1}\n"),
        status: 400,
        expect: Expect::Json(
            r#"{"code":3,"message":"messages[1].sku: must be 1 to 8 segments of a-z, 0-9, '.', '_', '-', joined by /","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"messages[1].sku","description":"must be 1 to 8 segments of a-z, 0-9, '.', '_', '-', joined by /"}]}]}"#,
        ),
        ..STEP
    },
    Step {
        title: "the gateway refuses a line, and the call is cancelled",
        method: "POST",
        path: "/v1/inventory:import",
        headers: &[NDJSON],
        body: Some("{\"sku\":\"caps/felt\",\"onHand\":1}\n{\"sku\":\"caps/felt\",\"onHand\":\"many\"}\n"),
        status: 400,
        expect: Expect::Json(r#"{"code":3,"message":"{{*}}","...":""}"#),
        ..STEP
    },
    Step {
        title: "nothing of either was done",
        path: "/v1/inventory/caps/felt",
        expect: Expect::Json(
            r#"{"sku":"caps/felt","title":"Felt cap","price":{"currency":"EUR","minorUnits":"2900"},"onHand":"6"}"#,
        ),
        ..STEP
    },
    Step {
        title: "lines in, lines out",
        method: "POST",
        path: "/v1/inventory:adjust",
        headers: &[NDJSON, ("accept", "application/x-ndjson")],
        body: Some(ADJUSTMENTS),
        expect: Expect::Lines(&[r#"{"sku":"caps/felt","onHand":"8"}"#, REFUSED, r#"{"sku":"caps/felt","onHand":"0"}"#]),
        ..STEP
    },
    Step {
        title: "lines in, events out",
        method: "POST",
        path: "/v1/inventory:adjust",
        headers: &[NDJSON, ("accept", "text/event-stream")],
        body: Some(r#"{"sku":"caps/straw","delta":-2}"#),
        expect: Expect::Events(&[("message", r#"{"sku":"caps/straw","onHand":"5"}"#)]),
        ..STEP
    },
];

const ADJUSTMENTS: &str = r#"{"sku":"caps/felt","delta":"2"}
{"sku":"caps/none","delta":1}
{"sku":"caps/felt","delta":-8}
"#;

/// A refusal that is part of the answer: the stream goes on behind it.
const REFUSED: &str = r#"{"sku":"caps/none","refusal":{"code":5,"message":"Stock \"caps/none\" does not exist","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"NOT_FOUND","domain":"shop.tidegate.example","metadata":{"resource":"Stock/caps/none"}},{"@type":"type.googleapis.com/google.rpc.ResourceInfo","resourceType":"shop.v1.Stock","resourceName":"caps/none","description":"does not exist"}]}}"#;
