//! Enums: by name, by number, and what is neither.

use crate::support::{PROTO2, PROTO3, check, check_as, check_ignoring, m, refuse, refuse_as, s, v};

#[test]
fn names_and_numbers() {
    check(r#"{"kind":"GOOD"}"#, &[v(16, 1)]);
    check(r#"{"kind":"FINE"}"#, &[v(16, 1)]);
    check(r#"{"kind":"BAD"}"#, &[v(16, -1)]);
    check(r#"{"kind":"\u0042AD"}"#, &[v(16, -1)]);
    check(r#"{"kind":"NONE"}"#, &[]);
    check(r#"{"five":"NONE"}"#, &[v(35, 0)]);
    check(r#"{"kind":1}"#, &[v(16, 1)]);
    check(r#"{"kind":-1}"#, &[v(16, -1)]);
    check(r#"{"kind":1.0}"#, &[v(16, 1)]);
    check(r#"{"kind":"1"}"#, &[v(16, 1)]);
    check(r#"{"kind":0}"#, &[]);
    check(r#"{"kinds":["GOOD",-1,"NONE"]}"#, &[s(25, [&[1][..], &[0xff; 9], &[1, 0]].concat())]);
}

#[test]
fn an_open_enum_keeps_numbers_that_it_does_not_name() {
    check(r#"{"kind":123}"#, &[v(16, 123)]);
    check(r#"{"kind":"123"}"#, &[v(16, 123)]);
    check(r#"{"kind":-2147483648}"#, &[v(16, -2_147_483_648)]);
    refuse(r#"{"kind":2147483648}"#, "kind: number 2147483648 is out of range of enum (byte 8)");
    refuse(r#"{"kind":0.5}"#, "kind: expected enum, found number 0.5 (byte 8)");
}

#[test]
fn a_closed_enum_does_not() {
    check_as(&PROTO2, "t2.M", r#"{"kind":2,"kinds":["FIRST","SECOND"]}"#, &[v(3, 2), v(6, 1), v(6, 2)]);
    refuse_as(&PROTO2, "t2.M", br#"{"kind":0}"#, "kind: number 0 is no value of enum t2.Kind (byte 8)");
    refuse_as(&PROTO2, "t2.M", br#"{"kinds":["FIRST","7"]}"#, "kinds[1]: \"7\" is no value of enum t2.Kind (byte 18)");
    check_ignoring(&PROTO2, "t2.M", r#"{"kind":0,"kinds":["FIRST",7,"SECOND"]}"#, &[v(6, 1), v(6, 2)]);
}

#[test]
fn unknown_names_are_refused_with_a_guess() {
    refuse(r#"{"kind":"GOAD"}"#, "kind: \"GOAD\" is no value of enum t.Kind, did you mean `GOOD`? (byte 8)");
    refuse(r#"{"kind":"good"}"#, "kind: \"good\" is no value of enum t.Kind, did you mean `GOOD`? (byte 8)");
    refuse(r#"{"kind":"SOMETHING"}"#, "kind: \"SOMETHING\" is no value of enum t.Kind (byte 8)");
    refuse(r#"{"kind":""}"#, "kind: \"\" is no value of enum t.Kind (byte 8)");
    refuse(r#"{"kinds":["GOOD","X"]}"#, "kinds[1]: \"X\" is no value of enum t.Kind (byte 17)");
    refuse(r#"{"kindsById":{"1":"X"}}"#, "kindsById[\"1\"]: \"X\" is no value of enum t.Kind (byte 18)");
}

#[test]
fn unknown_names_can_be_ignored() {
    check_ignoring(&PROTO3, "t.M", r#"{"kind":"X"}"#, &[]);
    check_ignoring(&PROTO3, "t.M", r#"{"kinds":["X"]}"#, &[]);
    check_ignoring(&PROTO3, "t.M", r#"{"kinds":["GOOD","X","NONE"]}"#, &[s(25, [1, 0])]);
    check_ignoring(&PROTO3, "t.M", r#"{"kindsById":{"1":"X"}}"#, &[]);
    check_ignoring(
        &PROTO3,
        "t.M",
        r#"{"kindsById":{"1":"GOOD","2":"X","3":"NONE"}}"#,
        &[m(44, &[v(1, 1), v(2, 1)]), m(44, &[v(1, 3), v(2, 0)])],
    );
    // The oneof stays free.
    check_ignoring(&PROTO3, "t.M", r#"{"five":"X","one":2}"#, &[v(31, 2)]);
}

#[test]
fn other_json_is_no_enum() {
    for (json, found) in [("true", "true"), ("[\"GOOD\"]", "array"), ("{}", "object")] {
        refuse(&format!("{{\"kind\":{json}}}"), &format!("kind: expected enum t.Kind, found {found} (byte 8)"));
    }
    refuse(r#"{"kind":GOOD}"#, "kind: expected a value, found GOOD (byte 8)");
}

#[test]
fn null_is_a_value_of_null_value() {
    check(r#"{"null":null}"#, &[]);
    check(r#"{"none":null}"#, &[v(34, 0)]);
    check(r#"{"none":"NULL_VALUE"}"#, &[v(34, 0)]);
    check(r#"{"none":0}"#, &[v(34, 0)]);
    check(r#"{"nullList":[null,"NULL_VALUE",0]}"#, &[s(61, [0, 0, 0])]);
    check(r#"{"nulls":{"a":null}}"#, &[m(48, &[s(1, "a"), v(2, 0)])]);
    refuse(r#"{"none":nul}"#, "none: expected a value, found nul (byte 8)");
    refuse(r#"{"none":null,"one":1}"#, "field `one` is the second one of oneof `choice` (byte 13)");
}
