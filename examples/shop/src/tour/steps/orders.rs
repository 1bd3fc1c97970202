//! The life of an order.

use super::{Expect, STEP, Step};

/// One order, from its placing on.
pub(super) const STEPS: &[Step] = &[
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
];
