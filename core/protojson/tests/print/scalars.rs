//! Numbers, booleans and enums.

use crate::support::{check, double, fixed32, fixed64, varint, wire};

#[track_caller]
fn scalar(wire: &[u8], expected: &str) {
    check("modern.Scalars", wire, expected);
}

#[test]
fn integers_of_32_bits_are_numbers_and_of_64_bits_strings() {
    scalar(
        &wire![
            varint(3, -1),
            varint(4, i64::MIN),
            varint(5, 0xffff_ffff),
            varint(6, -1),
            varint(7, 1),
            varint(8, -1),
            fixed32(9, 7),
            fixed64(10, u64::MAX),
            fixed32(11, u32::MAX),
            fixed64(12, u64::MAX),
        ],
        r#"{"anInt32":-1,"anInt64":"-9223372036854775808","aUint32":4294967295,"aUint64":"18446744073709551615","aSint32":-1,"aSint64":"-9223372036854775808","aFixed32":7,"aFixed64":"18446744073709551615","aSfixed32":-1,"aSfixed64":"-1"}"#,
    );
}

#[test]
fn every_number_of_digits_is_written() {
    for digits in 1..=19 {
        for number in [10i64.pow(digits) - 1, 10i64.pow(digits - 1), -(10i64.pow(digits) / 3).max(1)] {
            scalar(&varint(4, number), &format!("{{\"anInt64\":\"{number}\"}}"));
            if let Ok(number) = i32::try_from(number) {
                scalar(&varint(3, i64::from(number)), &format!("{{\"anInt32\":{number}}}"));
            }
        }
        if digits == 18 {
            break;
        }
    }
    scalar(&varint(6, i64::MAX), r#"{"aUint64":"9223372036854775807"}"#);
}

#[test]
fn the_low_bits_of_a_longer_varint_count() {
    scalar(&varint(3, (1 << 33) - 1), r#"{"anInt32":-1}"#);
    scalar(&varint(5, (1 << 33) + 5), r#"{"aUint32":5}"#);
    scalar(&varint(7, (1 << 32) + 2), r#"{"aSint32":1}"#);
    scalar(&varint(3, 1 << 33), "{}");
    scalar(&varint(13, 1 << 33), r#"{"aBool":true}"#);
    scalar(&varint(16, (1 << 32) + 1), r#"{"color":"RED"}"#);
}

#[test]
fn doubles_are_the_shortest_text_that_reads_back() {
    for (number, text) in [
        (1.5, "1.5"),
        (1.0, "1"),
        (-1.0, "-1"),
        (0.1, "0.1"),
        (-0.0, "-0"),
        (1e15, "1000000000000000"),
        (f64::MAX, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (f64::NAN, "\"NaN\""),
        (f64::INFINITY, "\"Infinity\""),
        (f64::NEG_INFINITY, "\"-Infinity\""),
        (0.1 + 0.2, "0.30000000000000004"),
    ] {
        scalar(&double(1, number), &format!("{{\"aDouble\":{text}}}"));
    }
}

#[test]
fn floats_are_the_shortest_text_of_single_precision() {
    for (number, text) in [
        (0.1f32, "0.1"),
        (16_777_216.0, "16777216"),
        (f32::MAX, "3.4028235e+38"),
        (1.175_494_4e-38, "1.1754944e-38"),
        (f32::NAN, "\"NaN\""),
    ] {
        scalar(&fixed32(2, number.to_bits()), &format!("{{\"aFloat\":{text}}}"));
    }
}

#[test]
fn defaults_of_fields_without_presence_are_left_out() {
    scalar(
        &wire![
            double(1, 0.0),
            fixed32(2, 0),
            varint(3, 0),
            varint(4, 0),
            varint(6, 0),
            fixed64(10, 0),
            varint(13, 0),
            crate::support::len(14, ""),
            crate::support::len(15, ""),
            varint(16, 0),
        ],
        "{}",
    );
}

#[test]
fn fields_with_presence_keep_their_default() {
    scalar(&varint(17, 0), r#"{"maybe":0}"#);
    check("old.Loose", &varint(1, 0), r#"{"number":0}"#);
}

#[test]
fn enums_are_names_and_unknown_numbers_stay_numbers() {
    scalar(&varint(16, 1), r#"{"color":"RED"}"#);
    scalar(&varint(16, -3), r#"{"color":"BLUE"}"#);
    scalar(&varint(16, 7), r#"{"color":7}"#);
    scalar(&varint(16, -7), r#"{"color":-7}"#);
}

#[test]
fn unknown_numbers_of_a_closed_enum_are_unknown_fields() {
    check(
        "old.Loose",
        &crate::support::len(2, wire![crate::support::len(1, "n"), varint(2, 9)]),
        r#"{"items":[{"name":"n"}]}"#,
    );
}

#[test]
fn a_value_of_another_wire_type_is_an_unknown_field() {
    scalar(&wire![fixed32(3, 5), crate::support::len(13, "x"), varint(14, 3), varint(5, 1)], r#"{"aUint32":1}"#);
}

#[test]
fn names_that_json_must_escape_are_escaped() {
    scalar(&crate::support::len(18, "x"), r#"{"new \"name\"":"x"}"#);
}
