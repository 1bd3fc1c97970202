//! Customers, inventory, short links.

use super::{Expect, STEP, Step};

/// Paths, queries and bodies, and what becomes of them.
pub(super) const STEPS: &[Step] = &[
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
];
