//! Names, presence, duplicates, oneofs, required fields, groups, extensions.

use crate::support::{PROTO2, PROTO3, check, check_as, g, m, raw, refuse, refuse_as, s, translate, v};
use tidegate_protojson::ParseOptions;

#[test]
fn json_names_and_proto_names() {
    check(r#"{"twoWords":"a"}"#, &[s(19, "a")]);
    check(r#"{"two_words":"a"}"#, &[s(19, "a")]);
    check(r#"{"two\u0057ords":"a"}"#, &[s(19, "a")]);
    check(r#"{"@other name\"":"a"}"#, &[s(20, "a")]);
    check(r#"{"@other name\"":"a"                         }"#, &[s(20, "a")]);
    check(r#"{"twoWords":"a","@other name\"":"b"                         }"#, &[s(19, "a"), s(20, "b")]);
    check(r#"{"renamed":"a"}"#, &[s(20, "a")]);
}

#[test]
fn fields_come_in_any_order() {
    check(r#"{"text":"a","i32":1,"maybe":2,"yes":true}"#, &[s(14, "a"), v(1, 1), v(18, 2), v(13, 1)]);
    check(r#"{"yes":true,"maybe":2,"i32":1,"text":"a"}"#, &[v(13, 1), v(18, 2), v(1, 1), s(14, "a")]);
    check(r#"{"u32":3,"i64":2,"i32":1}"#, &[v(3, 3), v(2, 2), v(1, 1)]);
}

#[test]
fn fields_without_presence_are_left_out_at_their_default() {
    check(r#"{"i32":0,"dbl":0,"flt":0,"yes":false,"text":"","data":"","kind":0,"f32":0,"sf64":"0"}"#, &[]);
    check(r#"{"maybe":0,"one":0}"#, &[v(18, 0), v(31, 0)]);
    check(r#"{"inner":{},"ints":[],"labels":{}}"#, &[s(17, "")]);
    check_as(&PROTO2, "t2.M", r#"{"number":0,"text":""}"#, &[v(1, 0), s(2, "")]);
}

#[test]
fn null_leaves_a_field_unset() {
    for name in [
        "i32", "u64", "s32", "f32", "sf64", "flt", "dbl", "yes", "text", "data", "kind", "inner", "maybe", "ints",
        "texts", "inners", "kinds", "one", "two", "three", "five", "labels", "numbers", "messages", "time", "span",
        "mask", "object", "list", "any", "empty", "wBool", "wI32", "wText", "wTexts", "times", "anys", "values",
    ] {
        check(&format!("{{\"{name}\":null}}"), &[]);
        check(&format!("{{\"{name}\": null , \"i64\":1}}"), &[v(2, 1)]);
    }
    refuse(r#"{"i32":nil}"#, "i32: expected a value, found nil (byte 7)");
}

#[test]
fn a_field_is_given_once_in_whatever_spelling() {
    refuse(r#"{"i32":1,"i32":1}"#, "field `i32` is given twice (byte 9)");
    refuse(r#"{"twoWords":"a","two_words":"b"}"#, "field `two_words` is given twice (byte 16)");
    refuse(r#"{"two_words":"a","i32":1,"two\u0057ords":"b"}"#, "field `twoWords` is given twice (byte 25)");
    refuse(r#"{"i32":null,"i32":1}"#, "field `i32` is given twice (byte 12)");
    refuse(r#"{"inner":{},"inner":{}}"#, "field `inner` is given twice (byte 12)");
    refuse(r#"{"ints":[],"ints":[1]}"#, "field `ints` is given twice (byte 11)");
    refuse(r#"{"inner":{"inner":{"i32":1,"i32":2}}}"#, "inner.inner: field `i32` is given twice (byte 27)");
}

#[test]
fn fields_beyond_the_sixty_fourth_are_counted_too() {
    let wide = |json: &str, want: &[Vec<u8>]| check_as(&PROTO3, "t.Wide", json, want);
    wide(r#"{"a64":1,"a65":2,"a66":3,"a00":4,"x":5}"#, &[v(300, 1), v(301, 2), v(536_870_911, 3), v(1, 4), v(302, 5)]);
    // Each message has its own bits, whatever lies inside or beside it.
    wide(
        r#"{"a64":1,"child":{"a64":2,"child":{"a65":3,"a64":4},"a65":5},"a65":6,"a66":7}"#,
        &[v(300, 1), m(64, &[v(300, 2), m(64, &[v(301, 3), v(300, 4)]), v(301, 5)]), v(301, 6), v(536_870_911, 7)],
    );
    wide(r#"{"child":{"a64":2},"a64":1}"#, &[m(64, &[v(300, 2)]), v(300, 1)]);
    for (json, want) in [
        (r#"{"a64":1,"a64":2}"#, "field `a64` is given twice (byte 9)"),
        (r#"{"a62":1,"a62":2}"#, "field `a62` is given twice (byte 9)"),
        (r#"{"a64":1,"child":{"a65":1},"a64":2}"#, "field `a64` is given twice (byte 27)"),
        (r#"{"a66":1,"child":{"a66":1,"a66":2}}"#, "child: field `a66` is given twice (byte 26)"),
        (r#"{"x":1,"y":2}"#, "field `y` is the second one of oneof `late` (byte 7)"),
    ] {
        refuse_as(&PROTO3, "t.Wide", json.as_bytes(), want);
    }
}

#[test]
fn one_member_of_a_oneof() {
    check(r#"{"two":"x"}"#, &[s(32, "x")]);
    check(r#"{"three":{}}"#, &[s(33, "")]);
    check(r#"{"one":null,"two":"x"}"#, &[s(32, "x")]);
    check(r#"{"two":"x","one":null}"#, &[s(32, "x")]);
    check(r#"{"one":1,"lone":2}"#, &[v(31, 1), v(37, 2)]);
    refuse(r#"{"one":1,"two":"x"}"#, "field `two` is the second one of oneof `choice` (byte 9)");
    refuse(r#"{"one":0,"two":""}"#, "field `two` is the second one of oneof `choice` (byte 9)");
    refuse(r#"{"three":{},"one":1}"#, "field `one` is the second one of oneof `choice` (byte 12)");
    refuse(r#"{"anyJson":null,"one":1}"#, "field `one` is the second one of oneof `choice` (byte 16)");
    refuse_as(&PROTO2, "t2.M", br#"{"one":1,"two":{}}"#, "field `two` is the second one of oneof `choice` (byte 9)");
}

#[test]
fn messages_nest() {
    check(r#"{"inner":{"inner":{"i32":1},"i32":2},"i32":3}"#, &[m(17, &[m(17, &[v(1, 1)]), v(1, 2)]), v(1, 3)]);
    check(r#"{"inners":[{"i32":1},{},{"inners":[{}]}]}"#, &[m(24, &[v(1, 1)]), s(24, ""), m(24, &[s(24, "")])]);
    refuse(
        r#"{"inners":[{"i32":1},null]}"#,
        "inners[1]: null cannot be an element of a list or a value of a map (byte 21)",
    );
    refuse(r#"{"inners":[{"a":1},2]}"#, "inners[0]: unknown field `a` of t.M (byte 12)");
    refuse(r#"{"inners":[{"inner":{"text":2}}]}"#, "inners[0].inner.text: expected string, found number 2 (byte 28)");
    refuse(r#"{"inners":{}}"#, "inners: expected array of t.M, found object (byte 10)");
}

#[test]
fn length_prefixes_of_every_width() {
    let mut documents = Vec::new();
    for len in [0, 1, 100, 125, 126, 127, 128, 129, 1000, 16_379, 16_380, 16_381, 16_384, 70_000, 2_100_000] {
        let text = "x".repeat(len);
        let inner = if len == 0 { vec![] } else { vec![s(14, &text)] };
        check(&format!(r#"{{"inner":{{"text":"{text}"}}}}"#), &[m(17, &inner)]);
        check(
            &format!(r#"{{"inner":{{"inner":{{"inner":{{"text":"{text}"}}}}}}}}"#),
            &[m(17, &[m(17, &[m(17, &inner)])])],
        );
        documents.push((format!(r#"{{"text":"{text}"}}"#), m(24, &inner)));
    }
    // One after the other, each guess made from the one before.
    for pair in documents.iter().flat_map(|a| documents.iter().map(move |b| [a, b])) {
        let [(a, _), (b, _)] = pair;
        let json = format!(r#"{{"inners":[{a},{b}]}}"#);
        let got = translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()).expect("it translates");
        assert_eq!(texts(&got), [a.len() - 11, b.len() - 11]);
    }
}

/// The lengths of the texts in a list of messages with one text each; padded lengths are well.
fn texts(wire: &[u8]) -> Vec<usize> {
    let mut reader = tidegate_protojson::wire::Reader::new(wire);
    let mut lengths = Vec::new();
    while !reader.is_empty() {
        assert_eq!(reader.tag().expect("a tag").0, 24);
        let mut inner = tidegate_protojson::wire::Reader::new(reader.len_prefixed().expect("a message"));
        let text =
            if inner.is_empty() { 0 } else { inner.tag().and_then(|_| inner.len_prefixed()).expect("a text").len() };
        assert!(inner.is_empty());
        lengths.push(text);
    }
    lengths
}

#[test]
fn required_fields() {
    check_as(&PROTO2, "t2.Needs", r#"{"id":0,"userName":""}"#, &[v(1, 0), s(2, "")]);
    for (json, want) in [
        ("{}", "required fields of t2.Needs are missing: id, userName (byte 0)"),
        (r#"{"id":1}"#, "required fields of t2.Needs are missing: userName (byte 0)"),
        (r#"{"id":null,"userName":""}"#, "id: required fields of t2.Needs are missing: id (byte 6)"),
        (
            r#"{"id":1,"userName":"","more":{"id":1}}"#,
            "more: required fields of t2.Needs are missing: userName (byte 29)",
        ),
    ] {
        refuse_as(&PROTO2, "t2.Needs", json.as_bytes(), want);
    }
    for (json, want) in [
        (r#"{"needs":{}}"#, "needs: required fields of t2.Needs are missing: id, userName (byte 9)"),
        (r#"{"many":[{"id":1}]}"#, "many[0]: required fields of t2.Needs are missing: userName (byte 9)"),
        (r#"{"named":{"k":{"id":1}}}"#, "named[\"k\"]: required fields of t2.Needs are missing: userName (byte 14)"),
        (r#"{"three":{}}"#, "three: required fields of t2.Needs are missing: id, userName (byte 9)"),
        (r#"{"any":{"@type":"x/t2.Needs","id":1}}"#, "any: required fields of t2.Needs are missing: userName (byte 7)"),
    ] {
        refuse_as(&PROTO2, "t2.M", json.as_bytes(), want);
    }
    let all = r#"{"a62":1,"a63":2,"a64":3,"a65":4}"#;
    check_as(&PROTO2, "t2.WideNeeds", all, &[v(63, 1), v(64, 2), v(65, 3), v(66, 4)]);
    for name in ["a62", "a63", "a64", "a65"] {
        let json = all.replace(name, "a00");
        refuse_as(
            &PROTO2,
            "t2.WideNeeds",
            json.as_bytes(),
            &format!("required fields of t2.WideNeeds are missing: {name} (byte 0)"),
        );
    }
    let partial = ParseOptions { allow_partial: true, ..ParseOptions::default() };
    assert_eq!(translate(&PROTO2, "t2.Needs", b"{\"id\":null}", &partial), Ok(Vec::new()));
    assert_eq!(translate(&PROTO2, "t2.M", br#"{"needs":{"id":1}}"#, &partial), Ok(m(10, &[v(1, 1)])));
}

#[test]
fn groups_stand_between_tags() {
    let json = r#"{"part":{"size":1,"whole":{"part":{}}},"row":[{"cell":"a"},{}],"two":{"deep":2}}"#;
    check_as(
        &PROTO2,
        "t2.M",
        json,
        &[g(8, &[v(1, 1), m(2, &[g(8, &[])])]), g(9, &[s(1, "a")]), g(9, &[]), g(16, &[v(1, 2)])],
    );
    refuse_as(&PROTO2, "t2.M", br#"{"row":[{"cell":1}]}"#, "row[0].cell: expected string, found number 1 (byte 16)");
}

#[test]
fn packed_only_where_the_schema_says_so() {
    check_as(&PROTO2, "t2.M", r#"{"loose":[1,2],"packed":[1,2]}"#, &[v(4, 1), v(4, 2), s(5, [1, 2])]);
}

#[test]
fn extensions_have_their_full_name_in_brackets() {
    check_as(
        &PROTO2,
        "t2.M",
        r#"{"[t2.count]":5,"[t2.tags]":["a","b"],"[t2.nested]":{"[t2.count]":6},"[t2.Scope.local]":"c"}"#,
        &[v(100, 5), s(101, "a"), s(101, "b"), m(102, &[v(100, 6)]), s(103, "c")],
    );
    for (json, want) in [
        (r#"{"[t2.count]":5,"[t2.count]":5}"#, "field `[t2.count]` is given twice (byte 16)"),
        (r#"{"count":5}"#, "unknown field `count` of t2.M (byte 1)"),
        (r#"{"t2.count":5}"#, "unknown field `t2.count` of t2.M, did you mean `[t2.count]`? (byte 1)"),
        (r#"{"[t2.Item.item]":{}}"#, "unknown field `[t2.Item.item]` of t2.M (byte 1)"),
        (r#"{"[t2.count]":"x"}"#, "[t2.count]: expected int32, found string \"x\" (byte 14)"),
    ] {
        refuse_as(&PROTO2, "t2.M", json.as_bytes(), want);
    }
}

#[test]
fn a_message_set_wraps_its_extensions() {
    let item = [s(1, "x")].concat();
    let wrapped = [raw(1 << 3 | 3), v(2, 1_547_769), s(3, item), raw(1 << 3 | 4)].concat();
    check_as(&PROTO2, "t2.M", r#"{"set":{"[t2.Item.item]":{"name":"x"}}}"#, &[s(13, wrapped)]);
}
