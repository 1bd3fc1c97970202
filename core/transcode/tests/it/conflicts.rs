//! Rules that nobody could tell apart.

use crate::harness::{build, check_refused};

/// Checks that two rules, of `Do` and of `Second.Do`, collide.
#[track_caller]
fn collide(method: &str, one: &str, other: &str) {
    let key = |template: &str| match method {
        "GET" => format!("get: {template}"),
        "POST" => format!("post: {template}"),
        other => format!("custom: {other} {template}"),
    };
    check_refused(
        &format!("Do {}\nSecond.Do {}", key(one), key(other)),
        &format!(
            "`{method} {other}` of t.v1.Second.Do (test.proto): matches the same requests as \
             `{method} {one}` of t.v1.Main.Do (test.proto)"
        ),
    );
}

#[track_caller]
fn coexist(rules: &str) {
    assert_eq!(build(rules).map(|router| router.bindings().count()).ok(), Some(2), "{rules}");
}

#[test]
fn rules_equal_but_for_their_variables_collide() {
    collide("GET", "/v1/a", "/v1/a");
    collide("GET", "/v1/{id}", "/v1/{name}");
    collide("GET", "/v1/{id}", "/v1/*");
    collide("GET", "/v1/{name=a/*}", "/v1/a/{id}");
    collide("GET", "/v1/{name=**}", "/v1/**");
    collide("GET", "/v1/a%2fb", "/v1/a%2Fb");
    collide("GET", "/v1/a@b", "/v1/a%40b");
    collide("POST", "/v1/{id}:cancel", "/v1/{name}:cancel");
    collide("POST", "/v1/{id}:cancel", "/v1/{name}:canc%65l");
    collide("*", "/v1/{id}", "/v1/{name}");
    collide("HEAD", "/v1/{id}", "/v1/{name}");
}

#[test]
fn one_method_can_collide_with_itself() {
    check_refused(
        "Do get: /v1/{id}
         Do get: /v1/{name}
         Do get: /v1/*",
        "`GET /v1/{name}` of t.v1.Main.Do (test.proto): matches the same requests as \
         `GET /v1/{id}` of t.v1.Main.Do (test.proto)\n\
         `GET /v1/*` of t.v1.Main.Do (test.proto): matches the same requests as \
         `GET /v1/{id}` of t.v1.Main.Do (test.proto)",
    );
}

#[test]
fn rules_that_some_request_tells_apart_coexist() {
    coexist("Do get: /v1/{id}\nOther post: /v1/{id}");
    coexist("Do get: /v1/{id}\nOther get: /v1/a");
    coexist("Do get: /v1/{id}\nOther get: /v1/{name=**}");
    coexist("Do get: /v1/{id}\nOther get: /v1/{id}:a");
    coexist("Do get: /v1/{id}:b\nOther get: /v1/{id}:a");
    coexist("Do get: /v1/{id}\nOther custom: * /v1/{id}");
    coexist("Do get: /v1/a\nOther get: /v1/a/**");
    coexist("Do get: /v1/a%3Ab\nOther get: /v1/a:b");
}
