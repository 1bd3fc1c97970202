//! Payments and shipping: steps that a transaction could take, and undo.

use super::{Expect, STEP, Step};

/// Orders 6 and 2 of the seed are paid for and shipped.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: "a charge is authorized, under a key of the caller",
        method: "POST",
        path: "/v1/charges",
        body: Some(AUTHORIZE),
        expect: Expect::Json(AUTHORIZED),
        ..STEP
    },
    Step {
        title: "asked again under its key, it answers as the first time",
        method: "POST",
        path: "/v1/charges",
        body: Some(AUTHORIZE),
        expect: Expect::Json(AUTHORIZED),
        ..STEP
    },
    Step {
        title: "a key is for one request",
        method: "POST",
        path: "/v1/charges",
        body: Some(r#"{"orderId":"5","payment":{"invoice":{"dueDays":30}},"idempotencyKey":"tour-1"}"#),
        status: 400,
        expect: Expect::Json(
            r#"{"code":9,"message":"the idempotency key \"tour-1\" came with another request before","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IDEMPOTENCY_KEY_REUSED","domain":"shop.tidegate.example","metadata":{"subject":"tour-1"}},{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"IDEMPOTENCY_KEY_REUSED","subject":"tour-1","description":"the idempotency key \"tour-1\" came with another request before"}]}]}"#,
        ),
        ..STEP
    },
    Step {
        title: "a payer who is refused",
        method: "POST",
        path: "/v1/charges",
        body: Some(r#"{"orderId":"6","payment":{"card":{"brand":"visa","last4":"0002"}}}"#),
        status: 400,
        expect: Expect::Json(r#"{"code":9,"message":"the card that ends in 0002 was declined","...":""}"#),
        ..STEP
    },
    Step {
        title: "a part of it is captured",
        method: "POST",
        path: "/v1/charges/{{charge}}:capture",
        body: Some(r#"{"amount":{"minorUnits":4000}}"#),
        expect: Expect::Json(
            r#"{"id":"{{charge}}","orderId":"6","status":"CHARGE_STATUS_CAPTURED","amount":{"currency":"EUR","minorUnits":"4800"},"captured":{"currency":"EUR","minorUnits":"4000"},"payment":{"invoice":{"dueDays":30}},"createTime":"{{charged}}","updateTime":"{{time}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "what was captured can no more be let go",
        method: "POST",
        path: "/v1/charges/{{charge}}:void",
        status: 400,
        expect: Expect::Json(r#"{"code":9,"message":"a charge in CHARGE_STATUS_CAPTURED cannot be voided","...":""}"#),
        ..STEP
    },
    Step {
        title: "it is given back; an empty body is an empty object",
        method: "POST",
        path: "/v1/charges/{{charge}}:refund",
        expect: Expect::Json(
            r#"{"id":"{{charge}}","orderId":"6","status":"CHARGE_STATUS_REFUNDED","amount":{"currency":"EUR","minorUnits":"4800"},"captured":{"currency":"EUR","minorUnits":"4000"},"refunded":{"currency":"EUR","minorUnits":"4000"},"payment":{"invoice":{"dueDays":30}},"createTime":"{{charged}}","updateTime":"{{refunded}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "and reads so",
        path: "/v1/charges/{{charge}}",
        expect: Expect::Json(
            r#"{"id":"{{charge}}","status":"CHARGE_STATUS_REFUNDED","updateTime":"{{refunded}}","...":""}"#,
        ),
        ..STEP
    },
    Step {
        title: "one field is the body, the key is in the query",
        method: "POST",
        path: "/v1/shipments?idempotencyKey=tour-2",
        body: Some(
            r#"{"orderId":2,"address":{"lines":["Karl Johans gate 1"],"city":"Oslo","postalCode":"0154","country":"NO"}}"#,
        ),
        expect: Expect::Json(
            r#"{"name":"{{shipment}}","orderId":"2","status":"SHIPMENT_STATUS_READY","address":{"lines":["Karl Johans gate 1"],"city":"Oslo","postalCode":"0154","country":"NO"},"items":[{"sku":"mugs/tide","quantity":4,"unitPrice":{"currency":"EUR","minorUnits":"1450"}}],"createTime":"{{packed}}","updateTime":"{{packed}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "a verb behind a name of several segments",
        method: "POST",
        path: "/v1/{{shipment}}:dispatch",
        expect: Expect::Json(r#"{"name":"{{shipment}}","status":"SHIPMENT_STATUS_DISPATCHED","...":""}"#),
        ..STEP
    },
    Step {
        title: "what one service did, another one's watchers see",
        path: "/v1/tenants/acme/orders:watch?since={{packed}}&maxChanges=1",
        headers: &[("accept", "text/event-stream")],
        expect: Expect::Events(&[("message", r#"{"id":"2","status":"ORDER_STATUS_SHIPPED","...":""}"#)]),
        ..STEP
    },
    Step {
        title: "what is on its way cannot be taken back",
        method: "POST",
        path: "/v1/{{shipment}}:cancel",
        body: Some("{}"),
        status: 400,
        expect: Expect::Json(
            r#"{"code":9,"message":"a shipment in SHIPMENT_STATUS_DISPATCHED cannot be cancelled","...":""}"#,
        ),
        ..STEP
    },
    Step {
        title: "what was reserved is put back",
        method: "POST",
        path: "/v1/inventory/posters/gate:release",
        body: Some(r#"{"quantity":"2","idempotencyKey":"tour-3"}"#),
        expect: Expect::Json(
            r#"{"sku":"posters/gate","title":"Gate poster","price":{"currency":"EUR","minorUnits":"1900"},"onHand":"3","weightKg":0.05,"attributes":{"paper":"recycled"}}"#,
        ),
        ..STEP
    },
];

const AUTHORIZE: &str = r#"{"orderId":"6","payment":{"invoice":{"dueDays":30}},"idempotencyKey":"tour-1"}"#;
const AUTHORIZED: &str = r#"{"id":"{{charge}}","orderId":"6","status":"CHARGE_STATUS_AUTHORIZED","amount":{"currency":"EUR","minorUnits":"4800"},"payment":{"invoice":{"dueDays":30}},"createTime":"{{charged}}","updateTime":"{{charged}}"}"#;
