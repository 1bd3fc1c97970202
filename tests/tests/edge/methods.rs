//! HEAD and OPTIONS over both protocols.

use crate::client::{Answer, Ask, exchange, h1, h2};
use crate::stage::STAGE;

#[track_caller]
fn check(line: &str, want: &Answer) {
    let ask = Ask { line, headers: &[], body: b"" };
    assert_eq!(&h1(STAGE.address, &ask), want, "h1 {line}");
    assert_eq!(&h2(STAGE.address, &ask), want, "h2 {line}");
}

#[test]
fn head_has_the_headers_of_get_and_its_length() {
    let url = "https://example.com/docs/getting-started";
    let mut want = Answer::json(200, &format!(r#"{{"url":"{url}"}}"#));
    want.headers.push(format!("location: {url}"));
    check("GET /s/docs", &want);
    want.headers.insert(0, format!("content-length: {}", std::mem::take(&mut want.body).len()));
    check("HEAD /s/docs", &want);

    let mut want = Answer::json(404, r#"{"code":5,"message":"nothing is served at /nothing"}"#);
    want.headers.insert(0, format!("content-length: {}", std::mem::take(&mut want.body).len()));
    check("HEAD /nothing", &want);
}

#[test]
fn of_a_stream_head_has_the_headers() {
    check("HEAD /v1/tenants/acme/orders:export", &Answer::json(200, ""));
}

#[test]
fn an_answer_to_head_leaves_the_connection_in_order() {
    let one = |method: &str, last: &str| format!("{method} /s/docs HTTP/1.1\r\nhost: edge.test\r\n{last}\r\n");
    let all = [one("HEAD", ""), one("OPTIONS", ""), one("GET", "connection: close\r\n")].concat();
    let answers = exchange(STAGE.address, all.as_bytes());
    let statuses: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "204", "200"]);
    assert_eq!(answers.matches(r#"{"url":"#).count(), 1);
}

#[test]
fn options_is_204_with_allow_and_nothing_else() {
    let allow = |methods: &str| Answer { status: 204, headers: vec![format!("allow: {methods}")], body: String::new() };
    check("OPTIONS /s/docs", &allow("GET, HEAD, OPTIONS"));
    check("OPTIONS /v1/orders/1:cancel", &allow("GET, HEAD, OPTIONS, POST"));
    let whole = h1(STAGE.address, &Ask { line: "OPTIONS *", headers: &[], body: b"" });
    assert_eq!(whole, allow("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"));
}
