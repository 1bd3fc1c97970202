//! The steps themselves.

use super::{Expect, Step};

/// What most steps share.
const STEP: Step = Step {
    title: "",
    method: "GET",
    path: "",
    headers: &[],
    body: None,
    status: 200,
    expect: Expect::Json("{}"),
    expect_headers: &[],
    readme: false,
};

/// The tour, in the order to take it.
pub const STEPS: &[Step] = &[
    // --- five for the README: they ask, and change nothing but a count ---
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
    // --- customers ---
    Step {
        title: "a resource is created; names are accepted in both spellings",
        method: "POST",
        path: "/v1/customers",
        body: Some(
            r#"{"id":"mary","display_name":"Mary Somerville","email":"mary@example.com","tier":2,"labels":{"lang":"en"}}"#,
        ),
        expect: Expect::Json(
            r#"{"name":"customers/mary","id":"mary","displayName":"Mary Somerville","email":"mary@example.com","tier":"TIER_GOLD","labels":{"lang":"en"},"createTime":"{{mary_time}}","updateTime":"{{mary_time}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "created twice is a conflict",
        method: "POST",
        path: "/v1/customers",
        body: Some(r#"{"id":"mary","displayName":"Mary","email":"mary@example.com"}"#),
        status: 409,
        expect: Expect::Json(
            r#"{"code":6,"message":"Customer \"mary\" exists already","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"ALREADY_EXISTS","domain":"shop.tidegate.example","metadata":{"resource":"Customer/mary"}},{"@type":"type.googleapis.com/google.rpc.ResourceInfo","resourceType":"shop.v1.Customer","resourceName":"mary","description":"exists already"}]}"#,
        ),
        ..STEP
    },
    Step {
        title: "the service names every bad field",
        method: "POST",
        path: "/v1/customers",
        body: Some(r#"{"id":"M","email":"nobody"}"#),
        status: 400,
        expect: Expect::Json(
            r#"{"code":3,"message":"id: must be 1 to 40 of a-z, 0-9 and -; display_name: must be 1 to 80 characters, not 0; email: must be an address of at most 254 characters","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"id","description":"must be 1 to 40 of a-z, 0-9 and -"},{"field":"display_name","description":"must be 1 to 80 characters, not 0"},{"field":"email","description":"must be an address of at most 254 characters"}]}]}"#,
        ),
        ..STEP
    },
    Step {
        title: "a field mask in the query, a nested field in the path",
        method: "PATCH",
        path: "/v1/customers/mary?updateMask=displayName,phone",
        body: Some(r#"{"displayName":"Mary Fairfax","phone":"","email":"not@in.the.mask"}"#),
        expect: Expect::Json(
            r#"{"name":"customers/mary","id":"mary","displayName":"Mary Fairfax","email":"mary@example.com","phone":"","tier":"TIER_GOLD","labels":{"lang":"en"},"createTime":"{{mary_time}}","updateTime":"{{time}}"}"#,
        ),
        ..STEP
    },
    Step { title: "Empty is an empty object", method: "DELETE", path: "/v1/customers/mary", ..STEP },
    Step {
        title: "what is gone is not found, with details",
        path: "/v1/customers/mary",
        status: 404,
        expect: Expect::Json(
            r#"{"code":5,"message":"Customer \"mary\" does not exist","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"NOT_FOUND","domain":"shop.tidegate.example","metadata":{"resource":"Customer/mary"}},{"@type":"type.googleapis.com/google.rpc.ResourceInfo","resourceType":"shop.v1.Customer","resourceName":"mary","description":"does not exist"}]}"#,
        ),
        ..STEP
    },
    // --- inventory ---
    Step {
        title: "a variable over many segments; wrappers, durations and structs",
        path: "/v1/inventory/shirts/linen/m",
        expect: Expect::Json(
            r#"{"sku":"shirts/linen/m","title":"Linen shirt, M","price":{"currency":"EUR","minorUnits":"4900"},"onHand":"120","reorderPoint":"20","leadTime":"1209600s","weightKg":0.25,"attributes":{"colour":"sand"}}"#,
        ),
        ..STEP
    },
    Step {
        title: "a nested variable over many segments; bytes, nulls and numbers",
        method: "PUT",
        path: "/v1/inventory/socks/wool/39-42",
        body: Some(
            r#"{"title":"Wool socks","price":{"minorUnits":"1290"},"onHand":10,"reorderPoint":0,"leadTime":"1.500s","weightKg":"0.1","gtin":"AP-H","attributes":{"sizes":[39,42.5],"wool":true,"dye":null}}"#,
        ),
        expect: Expect::Json(
            r#"{"sku":"socks/wool/39-42","title":"Wool socks","price":{"currency":"EUR","minorUnits":"1290"},"onHand":"10","reorderPoint":"0","leadTime":"1.500s","weightKg":0.1,"gtin":"AP+H","attributes":{"sizes":[39,42.5],"wool":true,"dye":null}}"#,
        ),
        ..STEP
    },
    Step {
        title: "a repeated query parameter in, a bare array out",
        path: "/v1/inventory:batchGet?skus=mugs/tide&skus=posters%2Fgate",
        expect: Expect::Json(
            r#"[{"sku":"mugs/tide","title":"Tide mug","price":{"currency":"EUR","minorUnits":"1450"},"onHand":"1000","reorderPoint":"0","leadTime":"604800s","weightKg":0.4,"attributes":{"material":"stoneware"}},{"sku":"posters/gate","title":"Gate poster","price":{"currency":"EUR","minorUnits":"1900"},"onHand":"3","weightKg":0.05,"attributes":{"paper":"recycled"}}]"#,
        ),
        ..STEP
    },
    Step {
        title: "a verb behind many segments",
        method: "POST",
        path: "/v1/inventory/posters/gate:reserve",
        body: Some(r#"{"quantity":"2"}"#),
        expect: Expect::Json(
            r#"{"sku":"posters/gate","title":"Gate poster","price":{"currency":"EUR","minorUnits":"1900"},"onHand":"3","reserved":"2","weightKg":0.05,"attributes":{"paper":"recycled"}}"#,
        ),
        ..STEP
    },
    Step {
        title: "more than there is cannot be had",
        method: "POST",
        path: "/v1/inventory/posters/gate:reserve",
        body: Some(r#"{"quantity":2}"#),
        status: 400,
        expect: Expect::Json(
            r#"{"code":9,"message":"2 asked for, 1 available","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"OUT_OF_STOCK","domain":"shop.tidegate.example","metadata":{"subject":"posters/gate"}},{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"OUT_OF_STOCK","subject":"posters/gate","description":"2 asked for, 1 available"}]}]}"#,
        ),
        ..STEP
    },
    // --- listings and streams, while the seed's orders are all there are ---
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
    // --- the life of an order ---
    Step {
        title: "an order is placed; the body is one field of the request",
        method: "POST",
        path: "/v1/tenants/acme/orders",
        body: Some(
            r#"{"customer":"customers/grace","items":[{"sku":"mugs/tide","quantity":1},{"sku":"socks/wool/39-42","quantity":3}],"labels":{"gift":"yes"}}"#,
        ),
        expect: Expect::Json(
            r#"{"id":"{{order}}","tenantId":"acme","customer":"customers/grace","status":"ORDER_STATUS_PENDING","items":[{"sku":"mugs/tide","quantity":1,"unitPrice":{"currency":"EUR","minorUnits":"1450"}},{"sku":"socks/wool/39-42","quantity":3,"unitPrice":{"currency":"EUR","minorUnits":"1290"}}],"total":{"currency":"EUR","minorUnits":"5320"},"labels":{"gift":"yes"},"createTime":"{{placed}}","updateTime":"{{placed}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "a oneof as the body",
        method: "POST",
        path: "/v1/orders/{{order}}:pay",
        body: Some(r#"{"card":{"brand":"visa","last4":"4242"}}"#),
        expect: Expect::Json(
            r#"{"id":"{{order}}","status":"ORDER_STATUS_PAID","payment":{"card":{"brand":"visa","last4":"4242"}},"...":""}"#,
        ),
        ..STEP
    },
    Step {
        title: "a map as the body, and as the whole answer",
        method: "PUT",
        path: "/v1/orders/{{order}}/labels",
        body: Some(r#"{"gift":"no","shelf":"b2"}"#),
        expect: Expect::Json(r#"{"gift":"no","shelf":"b2"}"#),
        ..STEP
    },
    Step {
        title: "a custom verb with the rest of the request as its body",
        method: "POST",
        path: "/v1/orders/{{order}}:cancel",
        body: Some(r#"{"reason":"changed my mind"}"#),
        expect: Expect::Json(
            r#"{"id":"{{order}}","status":"ORDER_STATUS_CANCELLED","cancelReason":"changed my mind","...":""}"#,
        ),
        ..STEP
    },
    Step {
        title: "an additional binding leads to the same method",
        path: "/v1/tenants/acme/orders/{{order}}",
        expect: Expect::Json(
            r#"{"id":"{{order}}","tenantId":"acme","customer":"customers/grace","status":"ORDER_STATUS_CANCELLED","items":[{"sku":"mugs/tide","quantity":1,"unitPrice":{"currency":"EUR","minorUnits":"1450"}},{"sku":"socks/wool/39-42","quantity":3,"unitPrice":{"currency":"EUR","minorUnits":"1290"}}],"total":{"currency":"EUR","minorUnits":"5320"},"labels":{"gift":"no","shelf":"b2"},"payment":{"card":{"brand":"visa","last4":"4242"}},"cancelReason":"changed my mind","createTime":"{{placed}}","updateTime":"{{time}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "another tenant's order is not found",
        path: "/v1/tenants/globex/orders/{{order}}",
        status: 404,
        expect: Expect::Json(r#"{"code":5,"message":"{{*}}","...":""}"#),
        ..STEP
    },
    // --- short links ---
    Step {
        title: "a short link is made",
        method: "POST",
        path: "/v1/links",
        body: Some(r#"{"url":"https://example.com/tide?table=2026#today"}"#),
        expect: Expect::Json(
            r#"{"code":"{{code}}","url":"https://example.com/tide?table=2026#today","createTime":"{{time}}"}"#,
        ),
        ..STEP
    },
    Step {
        title: "a short link is followed",
        path: "/s/{{code}}",
        expect: Expect::Json(r#"{"url":"https://example.com/tide?table=2026#today"}"#),
        ..STEP
    },
    Step {
        title: "and was counted: 64-bit numbers are strings",
        path: "/v1/links/{{code}}",
        expect: Expect::Json(
            r#"{"code":"{{code}}","url":"https://example.com/tide?table=2026#today","visits":"1","createTime":"{{time}}"}"#,
        ),
        ..STEP
    },
    // --- what the gateway refuses by itself ---
    Step { title: "no such path", path: "/v1/nowhere", status: 404, expect: refused(5), ..STEP },
    Step {
        title: "a path that exists under other methods",
        method: "PUT",
        path: "/v1/customers/ada",
        body: Some("{}"),
        status: 405,
        expect: refused(12),
        expect_headers: &[("allow", "{{*}}")],
        ..STEP
    },
    Step {
        title: "truncated JSON",
        method: "POST",
        path: "/v1/customers",
        body: Some(r#"{"id":"trunc"#),
        status: 400,
        expect: refused(3),
        ..STEP
    },
    Step {
        title: "a duplicate key, in another spelling",
        method: "POST",
        path: "/v1/customers",
        body: Some(r#"{"id":"twice","displayName":"a","display_name":"b","email":"a@example.com"}"#),
        status: 400,
        expect: refused(3),
        ..STEP
    },
    Step {
        title: "a wrong type, deep inside",
        method: "POST",
        path: "/v1/tenants/acme/orders",
        body: Some(r#"{"items":[{"sku":"mugs/tide","quantity":"many"}]}"#),
        status: 400,
        expect: refused(3),
        ..STEP
    },
    Step {
        title: "a number that does not fit",
        path: "/v1/orders/99999999999999999999",
        status: 400,
        expect: refused(3),
        ..STEP
    },
    Step { title: "broken percent-encoding", path: "/v1/customers/%zz", status: 400, expect: refused(3), ..STEP },
    Step {
        title: "an unknown query parameter",
        path: "/v1/customers/ada?verbose=1",
        status: 400,
        expect: refused(3),
        ..STEP
    },
    Step {
        title: "a body that is not JSON by its own word",
        method: "POST",
        path: "/v1/customers",
        headers: &[("content-type", "text/plain")],
        body: Some("id=ada"),
        status: 415,
        expect: refused(3),
        ..STEP
    },
];

/// What the gateway says by itself: the code is settled, the words are its own.
const fn refused(code: u8) -> Expect {
    match code {
        3 => Expect::Json(r#"{"code":3,"message":"{{*}}","...":""}"#),
        5 => Expect::Json(r#"{"code":5,"message":"{{*}}","...":""}"#),
        12 => Expect::Json(r#"{"code":12,"message":"{{*}}","...":""}"#),
        _ => panic!("no step expects that code"),
    }
}

const ORDER_4: &str = r#"{"id":"4","tenantId":"globex","customer":"customers/linus","status":"ORDER_STATUS_PENDING","items":[{"sku":"shirts/linen/l","quantity":1,"unitPrice":{"currency":"EUR","minorUnits":"4900"}}],"total":{"currency":"EUR","minorUnits":"4900"},"createTime":"2026-01-05T09:06:00Z","updateTime":"2026-01-05T09:06:00Z"}"#;
const ORDERS_OF_GLOBEX: &str = r#"[{"id":"4","tenantId":"globex","customer":"customers/linus","status":"ORDER_STATUS_PENDING","items":[{"sku":"shirts/linen/l","quantity":1,"unitPrice":{"currency":"EUR","minorUnits":"4900"}}],"total":{"currency":"EUR","minorUnits":"4900"},"createTime":"2026-01-05T09:06:00Z","updateTime":"2026-01-05T09:06:00Z"}]"#;
