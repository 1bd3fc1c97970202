//! What path variables capture.

use crate::harness::check;

#[test]
fn a_variable_takes_one_segment() {
    check("get: /v1/things/{id}", "GET /v1/things/7", r#"Do {"id":"7"}"#);
    check("get: /v1/things/{id}", "GET /v1/things/7/8", "404");
    check("get: /v1/things/{id=*}", "GET /v1/things/7", r#"Do {"id":"7"}"#);
    check("get: /v1/{id}/things", "GET /v1/7/things", r#"Do {"id":"7"}"#);
}

#[test]
fn an_empty_segment_matches_no_wildcard() {
    check("get: /v1/things/{id}", "GET /v1/things/", "404");
    check("get: /v1/things/{id}", "GET /v1/things", "404");
    check("get: /v1/{id}/things", "GET /v1//things", "404");
    check("get: /v1/*/things", "GET /v1//things", "404");
    check("get: /{id}", "GET /", "404");
}

#[test]
fn a_trailing_slash_is_another_path() {
    check("get: /v1/things", "GET /v1/things", "Do {}");
    check("get: /v1/things", "GET /v1/things/", "404");
    check("get: /v1/things", "GET //v1/things", "404");
    check("get: /v1/things", "GET /v1//things", "404");
}

#[test]
fn a_variable_of_several_segments_keeps_its_literals() {
    check("get: /v1/{name=shelves/*/books/*}", "GET /v1/shelves/1/books/2", r#"Do {"name":"shelves/1/books/2"}"#);
    check("get: /v1/{name=shelves/*}", "GET /v1/shelves/a/b", "404");
    check("get: /v1/{name=shelves/*}", "GET /v1/racks/a", "404");
    check("get: /v1/{name=shelves/*}/books", "GET /v1/shelves/a/books", r#"Do {"name":"shelves/a"}"#);
    check("get: /v1/{name=shelves/a}", "GET /v1/shelves/a", r#"Do {"name":"shelves/a"}"#);
}

#[test]
fn several_variables_take_their_own_segments() {
    check("get: /{name=a/*}/x/{id}/*/{page_size}", "GET /a/b/x/c/d/5", r#"Do {"name":"a/b","id":"c","pageSize":5}"#);
    check("get: /{id}/{name=**}", "GET /a/b/c", r#"Do {"name":"b/c","id":"a"}"#);
    check(
        "get: /{name}/{id}/{left}/{nested.text}/{nested.deeper.text}",
        "GET /1/2/3/4/5",
        r#"Do {"name":"1","id":"2","nested":{"text":"4","deeper":{"text":"5"}},"left":"3"}"#,
    );
}

#[test]
fn two_stars_take_all_that_is_left_and_nothing_too() {
    check("get: /v1/{name=**}", "GET /v1/a/b/c", r#"Do {"name":"a/b/c"}"#);
    check("get: /v1/{name=**}", "GET /v1/a", r#"Do {"name":"a"}"#);
    check("get: /v1/{name=**}", "GET /v1", "Do {}");
    check("get: /v1/{name=files/**}", "GET /v1/files", r#"Do {"name":"files"}"#);
    check("get: /v1/{name=files/**}", "GET /v1/files/a/b", r#"Do {"name":"files/a/b"}"#);
    check("get: /{name=**}", "GET /", "Do {}");
    check("get: /v1/**", "GET /v1/a/b/c", "Do {}");
}

#[test]
fn two_stars_keep_slashes_but_never_begin_with_one() {
    check("get: /v1/{name=**}", "GET /v1/a//b", r#"Do {"name":"a//b"}"#);
    check("get: /v1/{name=**}", "GET /v1/a/", r#"Do {"name":"a/"}"#);
    check("get: /v1/{name=**}", "GET /v1/", "Do {}");
    check("get: /v1/{name=**}", "GET /v1//a", "404");
    check("get: /{name=**}", "GET //a", "404");
}

#[test]
fn one_segment_decodes_everything() {
    check("get: /v1/{id}", "GET /v1/a%2Fb%2fc", r#"Do {"id":"a/b/c"}"#);
    check("get: /v1/{id}", "GET /v1/%41%C3%A9%20%25%3f", r#"Do {"id":"Aé %?"}"#);
    check("get: /v1/{id}", "GET /v1/a+b", r#"Do {"id":"a+b"}"#);
    check("get: /v1/{id}", "GET /v1/%2523", r#"Do {"id":"%23"}"#);
    check("get: /v1/{id}", "GET /v1/a=b&c@d;e", r#"Do {"id":"a=b&c@d;e"}"#);
}

#[test]
fn several_segments_decode_everything_but_the_slash() {
    check("get: /v1/{name=**}", "GET /v1/a%2Fb%2fc/%41%3A", r#"Do {"name":"a%2Fb%2fc/A:"}"#);
    check("get: /v1/{name=x/*}", "GET /v1/x/a%2Fb%20c", r#"Do {"name":"x/a%2Fb c"}"#);
    // One segment, but several could be.
    check("get: /v1/{name=**}", "GET /v1/a%2fb", r#"Do {"name":"a%2fb"}"#);
    check("get: /v1/{name=**}", "GET /v1/%23%2523", r##"Do {"name":"#%23"}"##);
}

#[test]
fn long_values_are_decoded_whole() {
    let (raw, decoded) = ("%41".repeat(1000), "A".repeat(1000));
    check("get: /v1/{id}", &format!("GET /v1/{raw}"), &format!(r#"Do {{"id":"{decoded}"}}"#));
}

#[test]
fn a_malformed_escape_is_refused_with_its_place() {
    let want = |at| format!("400 path: `%` without two hexadecimal digits (byte {at})");
    check("get: /v1/{id}", "GET /v1/%zz", &want(4));
    check("get: /v1/{id}", "GET /v1/a%2", &want(5));
    check("get: /v1/{id}", "GET /v1/a%", &want(5));
    check("get: /v1/{id}", "GET /%v1/a", &want(1));
    check("get: /v1/{name=**}", "GET /v1/a/b%+1", &want(7));
}

#[test]
fn escapes_that_are_no_utf8_are_refused() {
    let want = "400 path variable `id`: the percent-decoded bytes are not UTF-8";
    check("get: /v1/{id}", "GET /v1/%ff", want);
    check("get: /v1/{id}", "GET /v1/%C3", want);
    check("get: /v1/{id}", "GET /v1/%ED%A0%80", want);
}

#[test]
fn literals_are_compared_decoded() {
    check("get: /v1/a%20b", "GET /v1/a%20b", "Do {}");
    check("get: /v1/a%3Ab", "GET /v1/a%3ab", "Do {}");
    check("get: /v1/a%3ab", "GET /v1/a:b", "Do {}");
    check("get: /v1/a@b", "GET /v1/a%40b", "Do {}");
    check("get: /v1/things", "GET /v1/%74hings", "Do {}");
    check("get: /v1/a%2Fb", "GET /v1/a%2fb", "Do {}");
    check("get: /v1/a%2Fb", "GET /v1/a/b", "404");
    check("get: /v1/things", "GET /V1/things", "404");
    check("get: /v1/caf%C3%A9", "GET /v1/caf%c3%a9", "Do {}");
    check("get: /v1/café", "GET /v1/caf%C3%A9", "Do {}");
}

#[test]
fn values_take_the_type_of_their_field() {
    check("get: /v1/{page_size}", "GET /v1/-3", r#"Do {"pageSize":-3}"#);
    check("get: /v1/{kind}", "GET /v1/KIND_ROUND", r#"Do {"kind":"KIND_ROUND"}"#);
    check("get: /v1/{kind}", "GET /v1/2", r#"Do {"kind":"KIND_SQUARE"}"#);
    check("get: /v1/{kind}", "GET /v1/77", r#"Do {"kind":77}"#);
    check("get: /v1/{flag}", "GET /v1/false", r#"Do {"flag":false}"#);
    check("get: /v1/{data}", "GET /v1/-_8", r#"Do {"data":"+/8="}"#);
    check("get: /v1/{big}", "GET /v1/18446744073709551615", r#"Do {"big":"18446744073709551615"}"#);
    check("get: /v1/{ratio}", "GET /v1/1.5e3", r#"Do {"ratio":1500}"#);
    check("get: /v1/{at}", "GET /v1/2026-01-02T03:04:05Z", r#"Do {"at":"2026-01-02T03:04:05Z"}"#);
    check("get: /v1/{wait}", "GET /v1/1.5s", r#"Do {"wait":"1.500s"}"#);
    check("get: /v1/{nickname}", "GET /v1/x", r#"Do {"nickname":"x"}"#);
    check("get: /v1/{count}", "GET /v1/7", r#"Do {"count":"7"}"#);
    check("get: /v1/{mask}", "GET /v1/a,b.c", r#"Do {"mask":"a,b.c"}"#);
    check("get: /v1/{pageSize}", "GET /v1/3", r#"Do {"pageSize":3}"#);
}

#[test]
fn values_that_their_field_cannot_hold_are_refused() {
    check(
        "get: /v1/{page_size}",
        "GET /v1/2147483648",
        r#"400 path variable `page_size`: "2147483648" is out of range of int32"#,
    );
    check("get: /v1/{page_size}", "GET /v1/abc", r#"400 path variable `page_size`: expected int32, found "abc""#);
    check("get: /v1/{flag}", "GET /v1/1", r#"400 path variable `flag`: expected bool, found "1""#);
    check(
        "get: /v1/{kind}",
        "GET /v1/4294967297",
        r#"400 path variable `kind`: "4294967297" is no value of enum t.v1.Kind"#,
    );
}

#[test]
fn nested_fields_are_wrapped_in_their_parents() {
    check("get: /v1/{nested.text}", "GET /v1/a", r#"Do {"nested":{"text":"a"}}"#);
    check(
        "get: /v1/{nested.deeper.deeper.number}/{nested.text}",
        "GET /v1/5/a",
        r#"Do {"nested":{"text":"a","deeper":{"deeper":{"number":5}}}}"#,
    );
    let long = "x".repeat(300);
    check(
        "get: /v1/{nested.deeper.text}",
        &format!("GET /v1/{long}"),
        &format!(r#"Do {{"nested":{{"deeper":{{"text":"{long}"}}}}}}"#),
    );
    check("Old get: /v1/{part.text}/{id}", "GET /v1/a/b", r#"Old {"id":"b","part":{"text":"a"}}"#);
    check("Old get: /v1/{id}/{part.inner.number}", "GET /v1/a/3", r#"Old {"id":"a","part":{"inner":{"number":3}}}"#);
}
