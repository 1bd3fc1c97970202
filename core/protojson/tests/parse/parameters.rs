//! Single fields: from a document of their own, and from the text of a parameter.

use crate::support::{PROTO2, PROTO3, d, f32, g, m, s, v};
use tidegate_protojson::{ParseOptions, Schema, UnknownFields, json_to_field, text_to_field};

fn field_json(schema: &Schema, field: &str, json: &str) -> Result<Vec<u8>, String> {
    let (message, name) = field.rsplit_once('/').expect("message/field");
    let id = schema.find_message(message).and_then(|id| schema.find_field(id, name)).expect("the field is there");
    let mut out = b"before".to_vec();
    let result = json_to_field(schema, id, json.as_bytes(), &ParseOptions::default(), &mut out);
    let written = out.split_off(6);
    assert!(result.is_ok() || written.is_empty());
    result.map(|()| written).map_err(|error| error.to_string())
}

fn field_text(schema: &Schema, field: &str, text: &str, options: &ParseOptions) -> Result<Vec<u8>, String> {
    let (message, name) = field.rsplit_once('/').expect("message/field");
    let id = schema.find_message(message).and_then(|id| schema.find_field(id, name)).expect("the field is there");
    let mut out = b"before".to_vec();
    let result = text_to_field(schema, id, text, options, &mut out);
    let written = out.split_off(6);
    assert!(result.is_ok() || written.is_empty());
    result.map(|()| written).map_err(|kind| kind.to_string())
}

#[track_caller]
fn json(name: &str, document: &str, want: &[Vec<u8>]) {
    assert_eq!(field_json(&PROTO3, &format!("t.M/{name}"), document), Ok(want.concat()));
}

#[track_caller]
fn text(name: &str, text: &str, want: &[Vec<u8>]) {
    assert_eq!(field_text(&PROTO3, &format!("t.M/{name}"), text, &ParseOptions::default()), Ok(want.concat()));
}

#[track_caller]
fn no_text(name: &str, text: &str, want: &str) {
    assert_eq!(field_text(&PROTO3, &format!("t.M/{name}"), text, &ParseOptions::default()), Err(want.into()));
}

#[test]
fn a_document_can_be_one_field() {
    json("inner", r#" {"i32":1} "#, &[m(17, &[v(1, 1)])]);
    json("ints", "[1,2]", &[s(21, [1, 2])]);
    json("inners", r#"[{},{"i32":1}]"#, &[s(24, ""), m(24, &[v(1, 1)])]);
    json("labels", r#"{"a":"b"}"#, &[m(41, &[s(1, "a"), s(2, "b")])]);
    json("text", r#""x""#, &[s(14, "x")]);
    json("maybe", "0", &[v(18, 0)]);
    json("inner", "null", &[]);
    json("value", "null", &[m(55, &[v(1, 0)])]);
    json("time", r#""1970-01-01T00:00:01Z""#, &[m(51, &[v(1, 1)])]);
    assert_eq!(field_json(&PROTO2, "t2.M/part", r#"{"size":1}"#), Ok(g(8, &[v(1, 1)])));
}

#[test]
fn errors_in_a_field_of_its_own() {
    let error =
        |name: &str, document: &str| field_json(&PROTO3, &format!("t.M/{name}"), document).expect_err("refused");
    assert_eq!(error("inner", "1"), "expected object (t.M), found number 1 (byte 0)");
    assert_eq!(error("inner", "{} x"), "expected the end of the document, found x (byte 3)");
    assert_eq!(error("ints", "[1,true]"), "[1]: expected int32, found true (byte 3)");
    assert_eq!(error("inners", r#"[{"text":1}]"#), "[0].text: expected string, found number 1 (byte 9)");
    assert_eq!(error("text", ""), "expected a value, found end of input (byte 0)");
}

#[test]
fn parameters_of_every_scalar_type() {
    text("i32", "-5", &[v(1, -5)]);
    text("i32", "1e3", &[v(1, 1000)]);
    text("i64", "9223372036854775807", &[v(2, i64::MAX)]);
    text("u64", "18446744073709551615", &[v(4, -1)]);
    text("s32", "-1", &[v(5, 1)]);
    text("f32", "7", &[f32(7, 7)]);
    text("sf64", "-1", &[crate::support::f64(10, u64::MAX)]);
    text("dbl", "1.5", &[d(12, 1.5)]);
    text("dbl", "-Infinity", &[d(12, f64::NEG_INFINITY)]);
    text("flt", "3.4028235e38", &[f32(11, f32::MAX.to_bits())]);
    text("yes", "true", &[v(13, 1)]);
    text("text", "with \"quotes\" é \\n", &[s(14, "with \"quotes\" é \\n")]);
    text("data", "AQI", &[s(15, [1, 2])]);
    text("kind", "GOOD", &[v(16, 1)]);
    text("kind", "-1", &[v(16, -1)]);
    text("kind", "77", &[v(16, 77)]);
    text("two", "x", &[s(32, "x")]);
    text("twoWords", "x", &[s(19, "x")]);
    text("two_words", "x", &[s(19, "x")]);
}

#[test]
fn a_default_is_written_so_that_it_overrides() {
    text("i32", "0", &[v(1, 0)]);
    text("yes", "false", &[v(13, 0)]);
    text("text", "", &[s(14, "")]);
    text("data", "", &[s(15, "")]);
    text("dbl", "0", &[d(12, 0.0)]);
    text("kind", "NONE", &[v(16, 0)]);
    text("wI32", "0", &[m(72, &[v(1, 0)])]);
}

#[test]
fn one_element_of_a_list() {
    text("ints", "7", &[v(21, 7)]);
    text("texts", "a,b", &[s(23, "a,b")]);
    text("times", "1970-01-01T00:00:01Z", &[m(64, &[v(1, 1)])]);
}

#[test]
fn messages_with_a_text_form() {
    text("time", "1970-01-01T00:00:01.5Z", &[m(51, &[v(1, 1), v(2, 500_000_000)])]);
    text("span", "-1.5s", &[m(52, &[v(1, -1), v(2, -500_000_000)])]);
    text("mask", "fooBar,baz.qux", &[m(53, &[s(1, "foo_bar"), s(1, "baz.qux")])]);
    text("mask", "foo_bar,*", &[m(53, &[s(1, "foo_bar"), s(1, "*")])]);
    text("mask", "", &[s(53, "")]);
    text("wText", "x", &[m(78, &[s(1, "x")])]);
    text("wBool", "true", &[m(71, &[v(1, 1)])]);
    text("wData", "AQI=", &[m(79, &[s(1, [1, 2])])]);
    text("wDbl", "NaN", &[m(77, &[d(1, f64::NAN)])]);
}

#[test]
fn messages_without() {
    no_text("inner", "{}", "message t.M has no text form");
    no_text("object", "{}", "message google.protobuf.Struct has no text form");
    no_text("any", "", "message google.protobuf.Any has no text form");
    no_text("labels", "a", "message t.M.LabelsEntry has no text form");
}

#[test]
fn parameters_of_the_wrong_form() {
    no_text("i32", "abc", "expected int32, found \"abc\"");
    no_text("i32", "", "expected int32, found \"\"");
    no_text("i32", " 1", "expected int32, found \" 1\"");
    no_text("i32", "+1", "expected int32, found \"+1\"");
    no_text("i32", "\"1\"", "expected int32, found \"\\\"1\\\"\"");
    no_text("i32", "1.5", "expected int32, found \"1.5\"");
    no_text("i32", "2147483648", "\"2147483648\" is out of range of int32");
    no_text("u32", "-1", "\"-1\" is out of range of uint32");
    no_text("yes", "1", "expected bool, found \"1\"");
    no_text("yes", "True", "expected bool, found \"True\"");
    no_text("dbl", "1e999", "\"1e999\" is out of range of double");
    no_text("dbl", "nan", "expected double, found \"nan\"");
    no_text("data", "A", "\"A\" is no base64");
    no_text("kind", "GOOF", "\"GOOF\" is no value of enum t.Kind, did you mean `GOOD`?");
    no_text("span", "1", "\"1\" is no google.protobuf.Duration (a string as \"1.5s\", at most 315576000000s)");
    no_text("mask", "a b", "\"a b\" is no google.protobuf.FieldMask (a string as \"user.displayName,photo\")");
    no_text("wI32", "x", "expected int32, found \"x\"");
}

#[test]
fn parameters_have_the_options_of_documents() {
    let ignore = ParseOptions { unknown_fields: UnknownFields::Ignore, ..ParseOptions::default() };
    assert_eq!(field_text(&PROTO3, "t.M/kind", "GOOF", &ignore), Ok(Vec::new()));
    let small = ParseOptions { max_output: 4, ..ParseOptions::default() };
    assert_eq!(field_text(&PROTO3, "t.M/text", "abc", &small), Err("the message is larger than 4 bytes".into()));
    assert_eq!(field_text(&PROTO3, "t.M/text", "ab", &small), Ok(s(14, "ab")));
    assert_eq!(
        field_text(&PROTO3, "t.M/mask", "abcdefghijkl", &small),
        Err("the message is larger than 4 bytes".into())
    );
}
