//! The five that the README prints.

use super::{Expect, ORDER_4, STEP, Step};

/// They ask, and change nothing but a count.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: "a path variable becomes a field, the reply becomes JSON",
        path: "/v1/customers/ada",
        expect: Expect::Json(
            r#"{"name":"customers/ada","id":"ada","displayName":"Ada Lovelace","email":"ada@example.com","phone":"+44 20 7946 0001","tier":"TIER_GOLD","createTime":"2026-01-05T09:00:00Z","updateTime":"2026-01-05T09:00:00Z"}"#,
        ),
        readme: true,
        ..STEP
    },
    Step {
        title: "path, query and body meet in one request message",
        method: "POST",
        path: "/v1/tenants/acme/orders?validateOnly=true",
        body: Some(r#"{"customer":"customers/ada","items":[{"sku":"mugs/tide","quantity":2}]}"#),
        expect: Expect::Json(
            r#"{"tenantId":"acme","customer":"customers/ada","status":"ORDER_STATUS_PENDING","items":[{"sku":"mugs/tide","quantity":2,"unitPrice":{"currency":"EUR","minorUnits":"1450"}}],"total":{"currency":"EUR","minorUnits":"2900"}}"#,
        ),
        readme: true,
        ..STEP
    },
    Step {
        title: "a server stream as lines",
        path: "/v1/tenants/globex/orders:export",
        headers: &[("accept", "application/x-ndjson")],
        expect: Expect::Lines(&[ORDER_4]),
        readme: true,
        ..STEP
    },
    Step {
        title: "a short link says where it leads",
        path: "/s/docs",
        expect: Expect::Json(r#"{"url":"https://example.com/docs/getting-started"}"#),
        readme: true,
        ..STEP
    },
    Step {
        title: "a refusal keeps its code, its message and its details",
        method: "POST",
        path: "/v1/orders/1:cancel",
        status: 400,
        expect: Expect::Json(
            r#"{"code":9,"message":"an order in ORDER_STATUS_SHIPPED cannot be cancelled","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"ORDER_STATE","domain":"shop.tidegate.example","metadata":{"subject":"orders/1"}},{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"ORDER_STATE","subject":"orders/1","description":"an order in ORDER_STATUS_SHIPPED cannot be cancelled"}]}]}"#,
        ),
        readme: true,
        ..STEP
    },
];
