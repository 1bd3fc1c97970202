//! What the gateway refuses by itself.

use super::{Expect, STEP, Step};

/// Each names its code; the words are the gateway's.
pub(super) const STEPS: &[Step] = &[
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
