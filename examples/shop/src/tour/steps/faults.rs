//! What becomes of a service's errors.

use super::{Expect, STEP, Step};

/// Every code, every detail, and both in mid-stream.
pub(super) const STEPS: &[Step] = &[
    Step { title: "code 0, OK, is 200", path: "/v1/faults/0", ..STEP },
    failed("code 1, CANCELLED, is 499", "/v1/faults/1?message=told", 499, r#"{"code":1,"message":"told"}"#),
    failed("code 2, UNKNOWN, is 500", "/v1/faults/2?message=told", 500, r#"{"code":2,"message":"told"}"#),
    failed("code 3, INVALID_ARGUMENT, is 400", "/v1/faults/3?message=told", 400, r#"{"code":3,"message":"told"}"#),
    failed("code 4, DEADLINE_EXCEEDED, is 504", "/v1/faults/4?message=told", 504, r#"{"code":4,"message":"told"}"#),
    failed("code 5, NOT_FOUND, is 404", "/v1/faults/5?message=told", 404, r#"{"code":5,"message":"told"}"#),
    failed("code 6, ALREADY_EXISTS, is 409", "/v1/faults/6?message=told", 409, r#"{"code":6,"message":"told"}"#),
    failed("code 7, PERMISSION_DENIED, is 403", "/v1/faults/7?message=told", 403, r#"{"code":7,"message":"told"}"#),
    failed("code 8, RESOURCE_EXHAUSTED, is 429", "/v1/faults/8?message=told", 429, r#"{"code":8,"message":"told"}"#),
    failed("code 9, FAILED_PRECONDITION, is 400", "/v1/faults/9?message=told", 400, r#"{"code":9,"message":"told"}"#),
    failed("code 10, ABORTED, is 409", "/v1/faults/10?message=told", 409, r#"{"code":10,"message":"told"}"#),
    failed("code 11, OUT_OF_RANGE, is 400", "/v1/faults/11?message=told", 400, r#"{"code":11,"message":"told"}"#),
    failed("code 12, UNIMPLEMENTED, is 501", "/v1/faults/12?message=told", 501, r#"{"code":12,"message":"told"}"#),
    failed("code 13, INTERNAL, is 500", "/v1/faults/13?message=told", 500, r#"{"code":13,"message":"told"}"#),
    failed("code 14, UNAVAILABLE, is 503", "/v1/faults/14?message=told", 503, r#"{"code":14,"message":"told"}"#),
    failed("code 15, DATA_LOSS, is 500", "/v1/faults/15?message=told", 500, r#"{"code":15,"message":"told"}"#),
    failed("code 16, UNAUTHENTICATED, is 401", "/v1/faults/16?message=told", 401, r#"{"code":16,"message":"told"}"#),
    failed(
        "details that the schema knows are spelled out, in their order",
        "/v1/faults/8?message=no%20more&details=DETAIL_ERROR_INFO&details=DETAIL_RETRY_INFO&details=DETAIL_QUOTA_FAILURE&details=DETAIL_BAD_REQUEST&details=DETAIL_PRECONDITION_FAILURE&retryDelay=1.5s",
        429,
        r#"{"code":8,"message":"no more","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"TOLD_TO_FAIL","domain":"shop.tidegate.example","metadata":{"subject":"faults"}},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"tenants/acme","description":"100 orders a day"}]},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message","description":"is as bad as any other"}]},{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"TOLD_TO_FAIL","subject":"faults","description":"nobody told it not to"}]}]}"#,
    ),
    failed(
        "details for people, in any language",
        "/v1/faults/13?message=%E4%BB%8A&details=DETAIL_RESOURCE_INFO&details=DETAIL_REQUEST_INFO&details=DETAIL_HELP&details=DETAIL_LOCALIZED_MESSAGE&details=DETAIL_DEBUG_INFO",
        500,
        r#"{"code":13,"message":"今","details":[{"@type":"type.googleapis.com/google.rpc.ResourceInfo","resourceType":"shop.v1.Fault","resourceName":"faults/1","description":"exists to be missed"},{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"request-1"},{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"What the codes mean","url":"https://grpc.io/docs/guides/status-codes/"}]},{"@type":"type.googleapis.com/google.rpc.LocalizedMessage","locale":"de-CH","message":"Es hat nicht geklappt: «so gewollt»"},{"@type":"type.googleapis.com/google.rpc.DebugInfo","stackEntries":["faults::fail"],"detail":"as told"}]}"#,
    ),
    failed(
        "a detail that the schema does not know hides no other",
        "/v1/faults/10?details=DETAIL_FOREIGN&details=DETAIL_RETRY_INFO",
        409,
        r#"{"code":10,"message":"","details":[{"@type":"type.googleapis.com/shop.internal.Trace","value":"CgMA/38="},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}]}"#,
    ),
    Step {
        title: "details in mid-stream are in the last line",
        path: "/v1/faults/14:later?after=2&fault.message=later&fault.details=DETAIL_RETRY_INFO",
        headers: &[("accept", "application/x-ndjson")],
        expect: Expect::Lines(&[
            r#"{"number":1}"#,
            r#"{"number":2}"#,
            r#"{"error":{"code":14,"message":"later","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}]}}"#,
        ]),
        ..STEP
    },
];

const fn failed(title: &'static str, path: &'static str, status: u16, body: &'static str) -> Step {
    Step { title, path, status, expect: Expect::Json(body), ..STEP }
}
