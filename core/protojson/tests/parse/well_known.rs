//! Well-known messages, save `Any`.

use crate::support::{PROTO3, check, check_as, d, f32, m, refuse, refuse_as, s, v};

#[test]
fn timestamps() {
    check(r#"{"time":"1970-01-01T00:00:00Z"}"#, &[s(51, "")]);
    check(r#"{"time":"0001-01-01T00:00:00Z"}"#, &[m(51, &[v(1, -62_135_596_800)])]);
    check(r#"{"time":"9999-12-31T23:59:59.999999999Z"}"#, &[m(51, &[v(1, 253_402_300_799), v(2, 999_999_999)])]);
    check(r#"{"time":"1969-12-31T23:59:59.5Z"}"#, &[m(51, &[v(1, -1), v(2, 500_000_000)])]);
    check(r#"{"time":"1970-01-01T08:00:01+08:00"}"#, &[m(51, &[v(1, 1)])]);
    check(r#"{"time":"1970-01-01T00\u003a00:01Z"}"#, &[m(51, &[v(1, 1)])]);
    check(r#"{"times":["1970-01-01T00:00:01Z"]}"#, &[m(64, &[v(1, 1)])]);
    let form = "google.protobuf.Timestamp (a string as \"2006-01-02T15:04:05.999Z\", years 1 to 9999)";
    for text in ["1970-01-01", "0000-01-01T00:00:00Z", "2001-02-29T00:00:00Z", "1970-01-01T00:00:00z", ""] {
        refuse(&format!("{{\"time\":\"{text}\"}}"), &format!("time: string \"{text}\" is no {form} (byte 8)"));
    }
    refuse(r#"{"time":1}"#, &format!("time: expected {form}, found number 1 (byte 8)"));
    refuse(r#"{"time":{"seconds":1}}"#, &format!("time: expected {form}, found object (byte 8)"));
    refuse(r#"{"times":[null]}"#, "times[0]: null cannot be an element of a list or a value of a map (byte 10)");
}

#[test]
fn durations() {
    check(r#"{"span":"0s"}"#, &[s(52, "")]);
    check(r#"{"span":"1.5s"}"#, &[m(52, &[v(1, 1), v(2, 500_000_000)])]);
    check(r#"{"span":"-1.5s"}"#, &[m(52, &[v(1, -1), v(2, -500_000_000)])]);
    check(r#"{"span":"-0.5s"}"#, &[m(52, &[v(2, -500_000_000)])]);
    check(r#"{"span":"315576000000.999999999s"}"#, &[m(52, &[v(1, 315_576_000_000), v(2, 999_999_999)])]);
    let form = "google.protobuf.Duration (a string as \"1.5s\", at most 315576000000s)";
    for text in ["1", "315576000001s", "-315576000001s", "1.0000000000s", "+1s", ""] {
        refuse(&format!("{{\"span\":\"{text}\"}}"), &format!("span: string \"{text}\" is no {form} (byte 8)"));
    }
    refuse(r#"{"span":1.5}"#, &format!("span: expected {form}, found number 1.5 (byte 8)"));
}

#[test]
fn field_masks() {
    check(r#"{"mask":""}"#, &[s(53, "")]);
    check(r#"{"mask":"foo,barBaz"}"#, &[m(53, &[s(1, "foo"), s(1, "bar_baz")])]);
    check(r#"{"mask":"a.bC.dE1"}"#, &[m(53, &[s(1, "a.b_c.d_e1")])]);
    check(r#"{"mask":"f\u006fo"}"#, &[m(53, &[s(1, "foo")])]);
    let long = "aB".repeat(100);
    check(&format!("{{\"mask\":\"{long}\"}}"), &[m(53, &[s(1, "a_b".repeat(100))])]);
    let form = "google.protobuf.FieldMask (a string as \"user.displayName,photo\")";
    for text in ["foo,bar_bar", "foo,,bar", ",", "foo,", "a b", "a-b", "é", "*"] {
        refuse(&format!("{{\"mask\":\"{text}\"}}"), &format!("mask: string \"{text}\" is no {form} (byte 8)"));
    }
    refuse(r#"{"mask":["a"]}"#, &format!("mask: expected {form}, found array (byte 8)"));
}

#[test]
fn wrappers_are_their_value() {
    check(
        r#"{"wBool":false,"wI32":0,"wI64":"0","wText":"","wData":"","wDbl":0}"#,
        &[s(71, ""), s(72, ""), s(73, ""), s(78, ""), s(79, ""), s(77, "")],
    );
    check(
        r#"{"wBool":true,"wI32":-1,"wI64":"2","wU32":3,"wU64":"4"}"#,
        &[m(71, &[v(1, 1)]), m(72, &[v(1, -1)]), m(73, &[v(1, 2)]), m(74, &[v(1, 3)]), m(75, &[v(1, 4)])],
    );
    check(
        r#"{"wFlt":1.5,"wDbl":"Infinity","wText":"x","wData":"AQI="}"#,
        &[
            m(76, &[f32(1, 1.5f32.to_bits())]),
            m(77, &[d(1, f64::INFINITY)]),
            m(78, &[s(1, "x")]),
            m(79, &[s(1, [1, 2])]),
        ],
    );
    check(r#"{"wTexts":["","a"]}"#, &[s(80, ""), m(80, &[s(1, "a")])]);
    refuse(r#"{"wI32":{"value":1}}"#, "wI32: expected int32, found object (byte 8)");
    refuse(r#"{"wTexts":[null]}"#, "wTexts[0]: null cannot be an element of a list or a value of a map (byte 11)");
    check_as(&PROTO3, "google.protobuf.Int32Value", "7", &[v(1, 7)]);
    refuse_as(&PROTO3, "google.protobuf.Int32Value", b"null", "expected int32, found null (byte 0)");
}

#[test]
fn any_json_is_a_value() {
    let value = |json: &str, want: Vec<u8>| {
        check_as(&PROTO3, "google.protobuf.Value", json, std::slice::from_ref(&want));
        check(&format!("{{\"value\":{json}}}"), &[s(55, &want)]);
        check(&format!("{{\"anyJson\":{json}}}"), &[s(36, &want)]);
        check(&format!("{{\"values\":[{json}]}}"), &[s(60, &want)]);
        check(&format!("{{\"list\":[{json}]}}"), &[m(56, &[s(1, &want)])]);
        check(&format!("{{\"lists\":[[{json}],[]]}}"), &[m(62, &[s(1, &want)]), s(62, "")]);
        check(&format!("{{\"object\":{{\"k\":{json}}}}}"), &[m(54, &[m(1, &[s(1, "k"), s(2, &want)])])]);
        check(&format!("{{\"valuesById\":{{\"0\":{json}}}}}"), &[m(47, &[f32(1, 0), s(2, &want)])]);
    };
    value("null", v(1, 0));
    value("1", d(2, 1.0));
    value("0", d(2, 0.0));
    value("-1.5e3", d(2, -1500.0));
    value("\"\"", s(3, ""));
    value("\"NaN\"", s(3, "NaN"));
    value("\"a\\nb\"", s(3, "a\nb"));
    value("true", v(4, 1));
    value("false", v(4, 0));
    value("{}", s(5, ""));
    value("[]", s(6, ""));
    value("{\"a\":[{\"b\":null}]}", {
        let inner = m(5, &[m(1, &[s(1, "b"), m(2, &[v(1, 0)])])]);
        m(5, &[m(1, &[s(1, "a"), m(2, &[m(6, &[s(1, inner)])])])])
    });
}

#[test]
fn structs_and_lists_of_the_wrong_form() {
    refuse(r#"{"object":[]}"#, "object: expected object (google.protobuf.Struct), found array (byte 10)");
    refuse(r#"{"list":{}}"#, "list: expected array (google.protobuf.ListValue), found object (byte 8)");
    refuse(r#"{"value":[1,{"a":[1e999]}]}"#, "value[1][\"a\"][0]: number 1e999 is out of range of double (byte 18)");
    refuse(r#"{"value":x}"#, "value: expected a value, found x (byte 9)");
    refuse(r#"{"value":tru}"#, "value: expected a value, found tru (byte 9)");
    refuse(r#"{"value":NaN}"#, "value: expected a value, found NaN (byte 9)");
    refuse(r#"{"lists":[null]}"#, "lists[0]: null cannot be an element of a list or a value of a map (byte 10)");
}

#[test]
fn empty_is_an_object_without_members() {
    check(r#"{"empty":{}}"#, &[s(58, "")]);
    refuse(r#"{"empty":{"a":1}}"#, "empty: unknown field `a` of google.protobuf.Empty (byte 10)");
    refuse(r#"{"empty":true}"#, "empty: expected object (google.protobuf.Empty), found true (byte 9)");
}
