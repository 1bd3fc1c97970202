//! JSON itself: RFC 8259 and nothing more.

use crate::support::{PROTO3, check, refuse, refuse_as, v};

#[test]
fn white_space_may_stand_between_any_two_tokens() {
    let want = [v(1, 1), v(2, 2)];
    check(r#"{"i32":1,"i64":2}"#, &want);
    check("\t\r\n {  \"i32\" \n : \r 1 \t , \"i64\"  :  2 \n } \n\n", &want);
    check("{\n                    \"i32\": 1,\n                    \"i64\": 2\n}", &want);
    check("{ }", &[]);
    check("{\"ints\":[ ]}", &[]);
    check("{\"labels\":{ }}", &[]);
}

#[test]
fn other_space_is_none() {
    refuse("\u{feff}{}", "expected object (t.M), found byte 0xef (byte 0)".replace("object (t.M)", "a value").as_str());
    refuse("{\u{b}}", "expected a member's name or `}`, found byte 0x0b (byte 1)");
    refuse("{\u{a0}}", "expected a member's name or `}`, found byte 0xc2 (byte 1)");
}

#[test]
fn commas_stand_between_members_only() {
    refuse(r#"{"i32":1,}"#, "expected a member's name, found `}` (byte 9)");
    refuse(r#"{"i32":1 , }"#, "expected a member's name, found `}` (byte 11)");
    refuse(r#"{,}"#, "expected a member's name or `}`, found `,` (byte 1)");
    refuse(r#"{"i32":1 "i64":2}"#, "expected `,` or `}`, found string \"i64\" (byte 9)");
    refuse(r#"{"i32":1,,"i64":2}"#, "expected a member's name, found `,` (byte 9)");
    refuse(r#"{"ints":[1,]}"#, "ints[1]: expected a value, found `]` (byte 11)");
    refuse(r#"{"ints":[,1]}"#, "ints[0]: expected a value, found `,` (byte 9)");
    refuse(r#"{"ints":[1 2]}"#, "ints: expected `,` or `]`, found number 2 (byte 11)");
    refuse(r#"{"labels":{"a":"b",}}"#, "labels: expected a key, found `}` (byte 19)");
    refuse(r#"{"labels":{"a":"b" "c":"d"}}"#, "labels: expected `,` or `}`, found string \"c\" (byte 19)");
    refuse(r#"{"list":[1,]}"#, "list[1]: expected a value, found `]` (byte 11)");
    refuse(r#"{"object":{"a":1,}}"#, "object: expected a key, found `}` (byte 17)");
}

#[test]
fn names_are_in_double_quotes_and_end_in_a_colon() {
    refuse("{i32:1}", "expected a member's name or `}`, found i32 (byte 1)");
    refuse("{'i32':1}", "expected a member's name or `}`, found `'` (byte 1)");
    refuse("{1:1}", "expected a member's name or `}`, found number 1 (byte 1)");
    refuse("{null:1}", "expected a member's name or `}`, found null (byte 1)");
    refuse(r#"{"i32" 1}"#, "expected `:`, found number 1 (byte 7)");
    refuse(r#"{"i32"=1}"#, "expected `:`, found `=` (byte 6)");
    refuse(r#"{"i32"}"#, "expected `:`, found `}` (byte 6)");
}

#[test]
fn there_are_no_comments() {
    refuse("{/*x*/}", "expected a member's name or `}`, found `/` (byte 1)");
    refuse("{\n// x\n}", "expected a member's name or `}`, found `/` (byte 2)");
    refuse("{} # x", "expected the end of the document, found `#` (byte 3)");
}

#[test]
fn nothing_follows_the_document() {
    refuse("{}{}", "expected the end of the document, found object (byte 2)");
    refuse("{} x", "expected the end of the document, found x (byte 3)");
    refuse("{}\0", "expected the end of the document, found byte 0x00 (byte 2)");
    refuse(r#"{"i32":1}}"#, "expected the end of the document, found `}` (byte 9)");
}

#[test]
fn the_document_must_be_whole() {
    refuse("", "expected a value, found end of input (byte 0)");
    refuse("   ", "expected a value, found end of input (byte 3)");
    refuse("{", "expected a member's name or `}`, found end of input (byte 1)");
    refuse(r#"{"i32""#, "expected `:`, found end of input (byte 6)");
    refuse(r#"{"i32":"#, "i32: expected a value, found end of input (byte 7)");
    refuse(r#"{"i32":1"#, "expected `,` or `}`, found end of input (byte 8)");
    refuse(r#"{"ints":[1"#, "ints: expected `,` or `]`, found end of input (byte 10)");
    refuse(r#"{"tex"#, "expected `\"` at the end of a string, found end of input (byte 5)");
}

#[test]
fn literals_are_in_lower_case_and_whole() {
    check(r#"{"yes":true}"#, &[v(13, 1)]);
    check(r#"{"yes":false}"#, &[]);
    for (literal, found) in
        [("True", "True"), ("TRUE", "TRUE"), ("truex", "truex"), ("tru", "tru"), ("nul", "nul"), ("nulll", "nulll")]
    {
        refuse(&format!(r#"{{"yes":{literal}}}"#), &format!("yes: expected a value, found {found} (byte 7)"));
    }
}

#[test]
fn a_message_is_an_object() {
    for (json, found) in
        [("null", "null"), ("1", "number 1"), ("[]", "array"), ("\"x\"", "string \"x\""), ("true", "true")]
    {
        refuse(json, &format!("expected object (t.M), found {found} (byte 0)"));
    }
    refuse(r#"{"inner":[]}"#, "inner: expected object (t.M), found array (byte 9)");
}

#[test]
fn what_is_found_is_cut_to_a_readable_length() {
    let long = format!(r#"{{"i32":"{}"}}"#, "x".repeat(1000));
    refuse(&long, &format!("i32: expected int32, found string \"{}\"… (byte 7)", "x".repeat(40)));
    let long = format!(r#"{{"yes":{}}}"#, "1".repeat(1000));
    refuse(&long, &format!("yes: expected bool, found number {}… (byte 7)", "1".repeat(40)));
    refuse_as(&PROTO3, "t.M", b"{\"yes\":\"\xff\"}", "yes: expected bool, found string \"\u{fffd}\" (byte 7)");
}
