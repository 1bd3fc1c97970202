//! Maps.

use crate::support::{PROTO2, PROTO3, check, check_as, d, f32, f64, m, refuse, s, translate, v};
use tidegate_protojson::ParseOptions;

#[test]
fn keys_of_every_type() {
    check(r#"{"labels":{"a":"b","":""}}"#, &[m(41, &[s(1, "a"), s(2, "b")]), m(41, &[s(1, ""), s(2, "")])]);
    check(
        r#"{"numbers":{"1":2,"-3":4,"0":0}}"#,
        &[m(42, &[v(1, 1), v(2, 2)]), m(42, &[v(1, -3), v(2, 4)]), m(42, &[v(1, 0), v(2, 0)])],
    );
    check(
        r#"{"flags":{"true":{},"false":{"i32":1}}}"#,
        &[m(43, &[v(1, 1), s(2, "")]), m(43, &[v(1, 0), m(2, &[v(1, 1)])])],
    );
    check(r#"{"kindsById":{"18446744073709551615":"GOOD"}}"#, &[m(44, &[v(1, -1), v(2, 1)])]);
    check(r#"{"blobs":{"-1":"AQI="}}"#, &[m(45, &[v(1, 1), s(2, [1, 2])])]);
    check(r#"{"weights":{"7":1.5}}"#, &[m(46, &[f64(1, 7), d(2, 1.5)])]);
    check(r#"{"valuesById":{"-7":"x"}}"#, &[m(47, &[f32(1, (-7i32).cast_unsigned()), m(2, &[s(3, "x")])])]);
    check(r#"{"messages":{"5":{"text":"x"}}}"#, &[m(49, &[v(1, 5), m(2, &[s(14, "x")])])]);
    check_as(&PROTO2, "t2.M", r#"{"kindsByName":{"a":"SECOND"}}"#, &[m(7, &[s(1, "a"), v(2, 2)])]);
}

#[test]
fn keys_may_have_escapes_and_other_forms() {
    check(r#"{"numbers":{"\u0031":2}}"#, &[m(42, &[v(1, 1), v(2, 2)])]);
    check(r#"{"numbers":{"1e2":2,"2.0":3}}"#, &[m(42, &[v(1, 100), v(2, 2)]), m(42, &[v(1, 2), v(2, 3)])]);
    check(r#"{"flags":{"tr\u0075e":{}}}"#, &[m(43, &[v(1, 1), s(2, "")])]);
    check(r#"{"labels":{"a\nb":"c"}}"#, &[m(41, &[s(1, "a\nb"), s(2, "c")])]);
}

#[test]
fn keys_of_the_wrong_form() {
    refuse(r#"{"numbers":{"x":1}}"#, "numbers[\"x\"]: expected int32, found string \"x\" (byte 12)");
    refuse(r#"{"numbers":{"":1}}"#, "numbers[\"\"]: expected int32, found string \"\" (byte 12)");
    refuse(r#"{"numbers":{" 1":1}}"#, "numbers[\" 1\"]: expected int32, found string \" 1\" (byte 12)");
    refuse(
        r#"{"numbers":{"2147483648":1}}"#,
        "numbers[\"2147483648\"]: string \"2147483648\" is out of range of int32 (byte 12)",
    );
    refuse(r#"{"flags":{"True":{}}}"#, "flags[\"True\"]: expected bool, found string \"True\" (byte 10)");
    refuse(r#"{"flags":{"1":{}}}"#, "flags[\"1\"]: expected bool, found string \"1\" (byte 10)");
    refuse(r#"{"numbers":{1:1}}"#, "numbers: expected a key, found number 1 (byte 12)");
    refuse(r#"{"flags":{true:{}}}"#, "flags: expected a key, found true (byte 10)");
    refuse(r#"{"numbers":{null:1}}"#, "numbers: expected a key, found null (byte 12)");
}

#[test]
fn values_of_the_wrong_form() {
    refuse(
        r#"{"numbers":{"0":null}}"#,
        "numbers[\"0\"]: null cannot be an element of a list or a value of a map (byte 16)",
    );
    refuse(r#"{"numbers":{"0":"x"}}"#, "numbers[\"0\"]: expected int32, found string \"x\" (byte 16)");
    refuse(r#"{"labels":{"a\"b":1}}"#, "labels[\"a\\\"b\"]: expected string, found number 1 (byte 18)");
    refuse(
        r#"{"messages":{"5":{"inner":{"i32":"x"}}}}"#,
        "messages[\"5\"].inner.i32: expected int32, found string \"x\" (byte 33)",
    );
    refuse(r#"{"labels":[]}"#, "labels: expected object (a map), found array (byte 10)");
    refuse(r#"{"labels":"x"}"#, "labels: expected object (a map), found string \"x\" (byte 10)");
}

#[test]
fn a_key_is_given_once() {
    refuse(r#"{"labels":{"a":"1","a":"1"}}"#, "labels: key \"a\" is given twice (byte 19)");
    refuse(r#"{"labels":{"a":"1","b":"","\u0061":"2"}}"#, "labels: key \"\\\\u0061\" is given twice (byte 26)");
    refuse(r#"{"numbers":{"1":1,"1.0":1}}"#, "numbers: key \"1.0\" is given twice (byte 18)");
    refuse(r#"{"numbers":{"0":1,"-0":1}}"#, "numbers: key \"-0\" is given twice (byte 18)");
    refuse(r#"{"flags":{"true":{},"false":{},"true":{}}}"#, "flags: key \"true\" is given twice (byte 31)");
    refuse(r#"{"weights":{"7":0,"70e-1":0}}"#, "weights: key \"70e-1\" is given twice (byte 18)");
    refuse(r#"{"object":{"a":1,"a":1}}"#, "object: key \"a\" is given twice (byte 17)");
    refuse(r#"{"value":{"x":{"a":1,"b":2,"a":1}}}"#, "value[\"x\"]: key \"a\" is given twice (byte 27)");
    // Keys of different maps do not meet.
    check(
        r#"{"object":{"a":{"a":{"a":1},"b":2},"b":3}}"#,
        &[{
            let number = |value| m(2, &[d(2, value)]);
            let structure = |entries: &[Vec<u8>]| m(2, &[m(5, entries)]);
            let inner = structure(&[m(1, &[s(1, "a"), number(1.0)])]);
            let middle = structure(&[m(1, &[s(1, "a"), inner]), m(1, &[s(1, "b"), number(2.0)])]);
            m(54, &[m(1, &[s(1, "a"), middle]), m(1, &[s(1, "b"), number(3.0)])])
        }],
    );
}

#[test]
fn a_second_key_is_found_in_maps_of_every_size() {
    for count in [2, 3, 7, 8, 9, 10, 100, 3000] {
        for (first, second) in [(0, count - 1), (count / 2, count - 1), (0, 1)] {
            if first == second {
                continue;
            }
            let keys: Vec<String> =
                (0..count).map(|index| format!("key number {}", if index == second { first } else { index })).collect();
            let members: Vec<String> =
                keys.iter().map(|key| format!("\"{key}\":\"{}\"", "v".repeat(count % 200))).collect();
            let json = format!("{{\"labels\":{{{}}}}}", members.join(","));
            let at = 11 + members[..second].iter().map(|member| member.len() + 1).sum::<usize>();
            refuse(&json, &format!("labels: key \"key number {first}\" is given twice (byte {at})"));
            let numbers: Vec<String> =
                (0..count).map(|index| format!("\"{}\":1", if index == second { first } else { index })).collect();
            let json = format!("{{\"numbers\":{{{}}}}}", numbers.join(","));
            let at = 12 + numbers[..second].iter().map(|member| member.len() + 1).sum::<usize>();
            refuse(&json, &format!("numbers: key \"{first}\" is given twice (byte {at})"));
        }
    }
}

#[test]
fn large_maps_without_a_second_key() {
    let count = 5000;
    let members: Vec<String> = (0..count).map(|index| format!("\"{index}\":\"{index}\"")).collect();
    let json = format!("{{\"labels\":{{{}}}}}", members.join(","));
    let want: Vec<Vec<u8>> =
        (0..count).map(|index| index.to_string()).map(|text| m(41, &[s(1, &text), s(2, &text)])).collect();
    assert_eq!(translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()), Ok(want.concat()));
}
