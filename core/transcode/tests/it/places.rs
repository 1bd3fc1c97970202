//! A refusal names the byte that it is about.

use crate::harness::{SCHEMA, request, router};
use tidegate_transcode::{Miss, TranscodeOptions};

/// The message of the refusal.
fn refusal(rules: &str, text: &str) -> String {
    let (router, request) = (router(rules), request(text));
    let found = match router.find(&request.method, request.path) {
        Ok(found) => found,
        Err(Miss::BadPath(status)) => return status.message,
        Err(other) => panic!("{text}: {other:?}"),
    };
    let (options, mut out) = (TranscodeOptions::default(), Vec::new());
    let written = found.write_request(&SCHEMA, request.query, None, request.body, &options, &mut out);
    written.expect_err("the request is bad").status.message
}

#[test]
fn a_bad_path_variable_is_named_with_its_byte_in_the_path() {
    let number =
        |text: &str, at| format!("path variable `page_size`: expected int32, found \"{text}\" (byte {at} of the path)");
    assert_eq!(refusal("get: /{page_size}", "GET /x"), number("x", 1));
    assert_eq!(refusal("get: /v1/{id}/{page_size}", "GET /v1/%41/x"), number("x", 8));
    assert_eq!(refusal("get: /v1/{page_size}:go", "GET /v1/x:go"), number("x", 4));
    assert_eq!(refusal("get: /v1/{page_size=**}", "GET /v1/x/y"), number("x/y", 4));
    // Nothing was captured: the end of the path.
    assert_eq!(refusal("get: /v1/{page_size=**}", "GET /v1/"), number("", 4));
    assert_eq!(refusal("get: /v1/{page_size=**}", "GET /v1"), number("", 3));
    let text = "path variable `id`: the percent-decoded bytes are not UTF-8 (byte 4 of the path)";
    assert_eq!(refusal("get: /v1/{id}", "GET /v1/%ff"), text);
    assert_eq!(refusal("get: /v1/{id}", "GET /v1/%zz"), "path: `%` without two hexadecimal digits (byte 4)");
}

#[test]
fn a_bad_parameter_is_named_with_its_byte_in_the_query() {
    let rule = "get: /v1/{id}";
    for (query, want) in [
        ("page_size=x", "`page_size`: expected int32, found \"x\" (byte 0 of the query)"),
        ("&name=a&page%5Fsize=x", "`page_size`: expected int32, found \"x\" (byte 8 of the query)"),
        ("name=a&name=b", "`name`: is given twice (byte 7 of the query)"),
        ("name=a&%zz=b", "`%zz`: its name: `%` without two hexadecimal digits (byte 7 of the query)"),
        ("name=%zz", "`name`: `%` without two hexadecimal digits (byte 0 of the query)"),
    ] {
        assert_eq!(refusal(rule, &format!("GET /v1/1?{query}")), format!("query parameter {want}"), "{query}");
    }
}
