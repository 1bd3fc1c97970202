//! Messages with a JSON form of their own.

use crate::support::{check, double, len, varint, wire};

#[track_caller]
fn known(number: u32, content: &[u8], expected: &str) {
    let name = match number {
        2 => "at",
        3 => "took",
        4 => "mask",
        5 => "structure",
        6 => "value",
        7 => "list",
        _ => "?",
    };
    let expected = match expected.strip_prefix("error: ") {
        Some(text) => format!("error: {name}{text}"),
        None => format!("{{\"{name}\":{expected}}}"),
    };
    check("modern.Known", &len(number, content), &expected);
    // The same in the second pass, which a wrapper in two parts brings about.
    let scattered = wire![len(number, content), len(10, ""), len(10, "")];
    let expected = match expected.strip_suffix('}') {
        Some(members) if !expected.starts_with("error") => format!("{members},\"boolValue\":false}}"),
        _ => expected,
    };
    check("modern.Known", &scattered, &expected);
}

fn time(seconds: i64, nanos: i64) -> Vec<u8> {
    wire![varint(1, seconds), varint(2, nanos)]
}

#[test]
fn timestamps_are_rfc_3339_in_utc() {
    for (seconds, nanos, text) in [
        (0, 0, "1970-01-01T00:00:00Z"),
        (0, 1, "1970-01-01T00:00:00.000000001Z"),
        (0, 10_000, "1970-01-01T00:00:00.000010Z"),
        (0, 10_000_000, "1970-01-01T00:00:00.010Z"),
        (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
        (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
        (951_782_400, 0, "2000-02-29T00:00:00Z"),
        (951_868_800, 0, "2000-03-01T00:00:00Z"),
        (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
        (1_709_164_800, 500_000_000, "2024-02-29T00:00:00.500Z"),
        (1_767_225_599, 0, "2025-12-31T23:59:59Z"),
    ] {
        known(2, &time(seconds, nanos), &format!("\"{text}\""));
    }
}

#[test]
fn every_day_of_four_centuries_follows_the_one_before() {
    let lengths = |year: u32| {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    };
    let mut seconds = -62_135_596_800i64;
    let mut wires = Vec::new();
    let mut expected = Vec::new();
    for year in 1..=401u32 {
        for (month, days) in (1..).zip(lengths(year)) {
            for day in 1..=days {
                wires.extend(len(7, wire![len(1, format!("{year}-{month}-{day}")), len(2, varint(1, seconds))]));
                expected.push(format!("\"{year}-{month}-{day}\":\"{year:04}-{month:02}-{day:02}T00:00:00Z\""));
                seconds += 86_400;
            }
        }
    }
    check("modern.Maps", &wires, &format!("{{\"times\":{{{}}}}}", expected.join(",")));
}

#[test]
fn timestamps_out_of_range_are_errors() {
    for (seconds, nanos) in
        [(-62_135_596_801, 0), (253_402_300_800, 0), (5, -1), (5, 1_000_000_000), (i64::MIN, 0), (i64::MAX, 0)]
    {
        known(2, &time(seconds, nanos), &format!("error: : no timestamp: {seconds} s, {nanos} ns"));
    }
}

#[test]
fn durations_are_seconds_with_a_fraction() {
    for (seconds, nanos, text) in [
        (0, 0, "0s"),
        (1, 0, "1s"),
        (12, 10_000_000, "12.010s"),
        (1, 10_000, "1.000010s"),
        (1, 10, "1.000000010s"),
        (-5, 0, "-5s"),
        (0, -500_000_000, "-0.500s"),
        (-3, -1, "-3.000000001s"),
        (315_576_000_000, 999_999_999, "315576000000.999999999s"),
        (-315_576_000_000, 0, "-315576000000s"),
    ] {
        known(3, &time(seconds, nanos), &format!("\"{text}\""));
    }
}

#[test]
fn durations_out_of_range_or_of_two_signs_are_errors() {
    for (seconds, nanos) in [
        (315_576_000_001, 0),
        (-315_576_000_001, 0),
        (1, -1),
        (-1, 1),
        (1, 1_000_000_000),
        (-1, -1_000_000_000),
        (i64::MIN, 0),
        (0, i64::from(i32::MIN)),
    ] {
        known(3, &time(seconds, nanos), &format!("error: : no duration: {seconds} s, {nanos} ns"));
    }
}

#[test]
fn the_last_of_seconds_and_of_nanos_counts() {
    known(2, &wire![varint(2, 5), varint(1, 9), varint(7, 7), varint(1, 0), varint(2, 0)], r#""1970-01-01T00:00:00Z""#);
    check(
        "modern.Known",
        &wire![len(2, varint(1, 1)), len(2, varint(2, 1))],
        r#"{"at":"1970-01-01T00:00:01.000000001Z"}"#,
    );
}

#[test]
fn field_masks_are_lower_camel_paths() {
    known(4, b"", "\"\"");
    known(4, &wire![len(1, "foo"), len(1, "bar_baz.qux_x1"), len(1, "a")], "\"foo,barBaz.quxX1,a\"");
    check(
        "modern.Known",
        &wire![len(4, len(1, "a_b")), len(8, ""), len(4, len(1, "c"))],
        r#"{"mask":"aB,c","empty":{}}"#,
    );
}

#[test]
fn field_mask_paths_that_would_not_come_back_are_errors() {
    for path in ["fooBar", "foo_3_bar", "foo__bar", "foo_", "a,b", "", "_", "a\"b"] {
        known(4, &len(1, path), &format!("error: : field mask path {path:?} has no JSON form"));
    }
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    len(1, wire![len(1, key), len(2, value)])
}

#[test]
fn structs_are_objects() {
    known(5, b"", "{}");
    let inner = wire![entry("x", &double(2, 0.0))];
    known(
        5,
        &wire![
            entry("null", &varint(1, 0)),
            entry("number", &double(2, 1234.5)),
            entry("text", &len(3, "t")),
            entry("bool", &varint(4, 1)),
            entry("struct", &len(5, inner)),
            entry("list", &len(6, wire![len(1, double(2, 1.0)), len(1, len(3, ""))])),
        ],
        r#"{"null":null,"number":1234.5,"text":"t","bool":true,"struct":{"x":0},"list":[1,""]}"#,
    );
    known(5, &wire![entry("a", &double(2, 1.0)), entry("a", &double(2, 2.0))], r#"{"a":2}"#);
}

#[test]
fn values_are_what_they_hold() {
    known(6, &varint(1, 0), "null");
    known(6, &double(2, -1.25), "-1.25");
    known(6, &len(3, "\""), r#""\"""#);
    known(6, &varint(4, 0), "false");
    known(6, &len(5, ""), "{}");
    known(6, &len(6, ""), "[]");
    known(7, b"", "[]");
    known(7, &wire![len(1, varint(1, 0)), len(1, varint(4, 1))], "[null,true]");
}

#[test]
fn of_the_members_of_a_value_the_last_counts() {
    known(6, &wire![double(2, 1.0), len(3, "x")], "\"x\"");
    known(6, &wire![len(6, len(1, double(2, 1.0))), len(6, len(1, double(2, 2.0)))], "[1,2]");
    known(6, &wire![len(5, entry("a", &double(2, 1.0))), varint(99, 1)], r#"{"a":1}"#);
}

#[test]
fn a_value_that_holds_nothing_is_an_error() {
    known(6, b"", "error: : a google.protobuf.Value is empty");
    known(6, &varint(99, 1), "error: : a google.protobuf.Value is empty");
    known(5, &entry("k", b""), "error: [\"k\"]: a google.protobuf.Value is empty");
    known(7, &wire![len(1, varint(1, 0)), len(1, "")], "error: [1]: a google.protobuf.Value is empty");
    check(
        "modern.Known",
        &wire![len(15, varint(1, 0)), len(15, "")],
        "error: values[1]: a google.protobuf.Value is empty",
    );
}

#[test]
fn a_value_that_is_no_finite_number_is_an_error() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        known(6, &double(2, number), "error: : a google.protobuf.Value is not a finite number");
    }
}

#[test]
fn wrappers_are_their_value() {
    check(
        "modern.Known",
        &wire![
            len(10, varint(1, 1)),
            len(11, varint(1, -7)),
            len(12, len(1, "s")),
            len(13, len(1, "f")),
            len(14, double(1, f64::NAN)),
            len(16, ""),
            len(16, varint(1, 5)),
        ],
        r#"{"boolValue":true,"int64Value":"-7","stringValue":"s","bytesValue":"Zg==","doubleValue":"NaN","int32Values":[0,5]}"#,
    );
    check(
        "modern.Known",
        &wire![len(10, ""), len(11, ""), len(12, ""), len(13, ""), len(14, "")],
        r#"{"boolValue":false,"int64Value":"0","stringValue":"","bytesValue":"","doubleValue":0}"#,
    );
    check("modern.Known", &len(11, wire![varint(1, 3), varint(2, 1), varint(1, 4)]), r#"{"int64Value":"4"}"#);
}

#[test]
fn empty_is_an_empty_object_and_null_value_is_null() {
    check("modern.Known", &wire![len(8, varint(3, 3)), len(17, [0, 0])], r#"{"empty":{},"nulls":[null,null]}"#);
    check("modern.Known", &varint(9, 0), "{}");
}

#[test]
fn well_known_types_stand_as_documents_of_their_own() {
    check("google.protobuf.Timestamp", b"", r#""1970-01-01T00:00:00Z""#);
    check("google.protobuf.Duration", &varint(1, 3), r#""3s""#);
    check("google.protobuf.Value", &varint(4, 1), "true");
    check("google.protobuf.ListValue", b"", "[]");
    check("google.protobuf.Struct", b"", "{}");
    check("google.protobuf.StringValue", &len(1, "x"), r#""x""#);
    check("google.protobuf.Empty", b"", "{}");
    check("google.protobuf.Any", b"", "{}");
}
