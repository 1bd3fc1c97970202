//! Pages and streams.

use super::{Expect, ORDER_4, STEP, Step};

/// They need the orders of the seed and no others.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: "an enum in the query, a page by keyset",
        path: "/v1/tenants/acme/orders?status=ORDER_STATUS_PENDING&pageSize=1",
        expect: Expect::Json(
            r#"{"orders":[{"id":"5","status":"ORDER_STATUS_PENDING","customer":"customers/linus","total":{"currency":"EUR","minorUnits":"14700"},"itemCount":1,"updateTime":"2026-01-05T09:07:00Z"}],"nextPageToken":"{{page}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "the next page, and the last",
        path: "/v1/tenants/acme/orders?status=1&page_size=1&page_token={{page}}",
        expect: Expect::Json(
            r#"{"orders":[{"id":"6","status":"ORDER_STATUS_PENDING","customer":"customers/grace","total":{"currency":"EUR","minorUnits":"4800"},"itemCount":2,"updateTime":"2026-01-05T09:08:00Z"}]}"#,
        ),
        ..STEP
    },
    Step {
        title: "a page token fits the listing it was made for",
        path: "/v1/tenants/acme/orders?pageToken={{page}}",
        status: 400,
        expect: Expect::Json(
            r#"{"code":3,"message":"page_token: does not fit: it is damaged, or of another tenant or status","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"page_token","description":"does not fit: it is damaged, or of another tenant or status"}]}]}"#,
        ),
        ..STEP
    },
    Step {
        title: "a server stream as a JSON array",
        path: "/v1/tenants/globex/orders:export",
        expect: Expect::Json(ORDERS_OF_GLOBEX),
        ..STEP
    },
    Step {
        title: "a server stream as events",
        path: "/v1/tenants/globex/orders:export",
        headers: &[("accept", "text/event-stream")],
        expect: Expect::Events(&[("message", ORDER_4)]),
        ..STEP
    },
    Step {
        title: "a stream of nothing is an empty array",
        path: "/v1/tenants/nobody/orders:export",
        expect: Expect::Json("[]"),
        ..STEP
    },
    Step {
        title: "changes since a time, which is a query parameter",
        path: "/v1/tenants/acme/orders:watch?since=2026-01-05T10:10:30%2B01:00&max_changes=2",
        headers: &[("accept", "application/x-ndjson")],
        expect: Expect::Lines(&[
            r#"{"id":"2","status":"ORDER_STATUS_PAID","payment":{"invoice":{"dueDays":30}},"updateTime":"2026-01-05T09:11:00Z","...":""}"#,
            r#"{"id":"3","status":"ORDER_STATUS_CANCELLED","updateTime":"2026-01-05T09:12:00Z","...":""}"#,
        ]),
        ..STEP
    },
    Step {
        title: "an error behind the first message of an array is its last element",
        path: "/v1/tenants/acme/orders:export?maxOrders=1",
        expect: Expect::Json(
            r#"[{"id":"5","...":""},{"error":{"code":8,"message":"there are more than the 1 orders asked for"}}]"#,
        ),
        ..STEP
    },
    Step {
        title: "an error behind the first line is the last line",
        path: "/v1/tenants/acme/orders:export?maxOrders=2",
        headers: &[("accept", "application/x-ndjson")],
        expect: Expect::Lines(&[
            r#"{"id":"5","...":""}"#,
            r#"{"id":"6","...":""}"#,
            r#"{"error":{"code":8,"message":"there are more than the 2 orders asked for"}}"#,
        ]),
        ..STEP
    },
    Step {
        title: "an error behind the first event is an event of its own",
        path: "/v1/tenants/acme/orders:export?maxOrders=1",
        headers: &[("accept", "text/event-stream")],
        expect: Expect::Events(&[
            ("message", r#"{"id":"5","...":""}"#),
            ("error", r#"{"code":8,"message":"there are more than the 1 orders asked for"}"#),
        ]),
        ..STEP
    },
    Step {
        title: "a stream that fails before its first message has a status of its own",
        path: "/v1/tenants/NOT%20AN%20ID/orders:export",
        status: 400,
        expect: Expect::Json(
            r#"{"code":3,"message":"tenant_id: must be 1 to 40 of a-z, 0-9 and -","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"tenant_id","description":"must be 1 to 40 of a-z, 0-9 and -"}]}]}"#,
        ),
        ..STEP
    },
];

const ORDERS_OF_GLOBEX: &str = r#"[{"id":"4","tenantId":"globex","customer":"customers/linus","status":"ORDER_STATUS_PENDING","items":[{"sku":"shirts/linen/l","quantity":1,"unitPrice":{"currency":"EUR","minorUnits":"4900"}}],"total":{"currency":"EUR","minorUnits":"4900"},"createTime":"2026-01-05T09:06:00Z","updateTime":"2026-01-05T09:06:00Z"}]"#;
