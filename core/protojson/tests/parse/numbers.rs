//! Integers, floats, and both in quotes.

use crate::support::{check, d, f32, f64, refuse, s, v};

#[track_caller]
fn field(name: &str, json: &str, want: &[Vec<u8>]) {
    check(&format!("{{\"{name}\":{json}}}"), want);
    check(&format!("{{\"{name}\":\"{json}\"}}"), want);
    // With room behind it, for what reads whole words.
    check(&format!("{{\"{name}\":{json}                                }}"), want);
    check(&format!("{{\"{name}\":\"{json}\"                                }}"), want);
}

#[track_caller]
fn refused(name: &str, json: &str, want: &str) {
    let at = name.len() + 4;
    for tail in ["", "                                "] {
        refuse(&format!("{{\"{name}\":{json}{tail}}}"), &format!("{name}: {want} (byte {at})"));
    }
}

#[test]
fn integers_of_every_type_at_their_limits() {
    field("i32", "2147483647", &[v(1, 2_147_483_647)]);
    field("i32", "-2147483648", &[v(1, -2_147_483_648)]);
    field("i64", "9223372036854775807", &[v(2, i64::MAX)]);
    field("i64", "-9223372036854775808", &[v(2, i64::MIN)]);
    field("u32", "4294967295", &[v(3, 4_294_967_295)]);
    field("u64", "18446744073709551615", &[v(4, -1)]);
    field("s32", "2147483647", &[v(5, 4_294_967_294)]);
    field("s32", "-2147483648", &[v(5, 4_294_967_295)]);
    field("s64", "9223372036854775807", &[v(6, -2)]);
    field("s64", "-9223372036854775808", &[v(6, -1)]);
    field("s64", "-1", &[v(6, 1)]);
    field("f32", "4294967295", &[f32(7, u32::MAX)]);
    field("f64", "18446744073709551615", &[f64(8, u64::MAX)]);
    field("sf32", "-2147483648", &[f32(9, 0x8000_0000)]);
    field("sf64", "-9223372036854775808", &[f64(10, 1 << 63)]);
    for name in ["i32", "i64", "u32", "u64", "s32", "s64", "f32", "f64", "sf32", "sf64"] {
        for zero in ["0", "-0", "0.0", "0e5", "-0.000e-99999999999999999999", "0e99999999999999999999"] {
            field(name, zero, &[]);
        }
    }
}

#[test]
fn integers_out_of_range() {
    for (name, kind, numbers) in [
        (
            "i32",
            "int32",
            &["2147483648", "-2147483649", "1e10", "99999999999999999999999", "1e99999999999999999999"][..],
        ),
        ("i64", "int64", &["9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e19"]),
        ("u32", "uint32", &["4294967296", "-1", "1e10"]),
        ("u64", "uint64", &["18446744073709551616", "-1", "100000000000000000000", "1e536870000", "2e19"]),
        ("s32", "sint32", &["2147483648", "-2147483649"]),
        ("s64", "sint64", &["9223372036854775808", "-9223372036854775809"]),
        ("f32", "fixed32", &["4294967296", "-1"]),
        ("f64", "fixed64", &["18446744073709551616", "-1"]),
        ("sf32", "sfixed32", &["2147483648", "-2147483649"]),
        ("sf64", "sfixed64", &["9223372036854775808", "-9223372036854775809"]),
    ] {
        for number in numbers {
            refused(name, number, &format!("number {number} is out of range of {kind}"));
            refused(name, &format!("\"{number}\""), &format!("string \"{number}\" is out of range of {kind}"));
        }
    }
}

#[test]
fn integers_in_other_forms() {
    for (json, want) in [
        ("100000.000", 100_000),
        ("1e5", 100_000),
        ("1E+5", 100_000),
        ("1e05", 100_000),
        ("2.147483647e9", 2_147_483_647),
        ("-2.147483648e9", -2_147_483_648),
        ("100e-2", 1),
        ("12300e-1", 1230),
        ("0.001e3", 1),
        ("10000000000000000000000e-22", 1),
        ("1.00000000000000000000000000000", 1),
        ("0.00000000000000000000000000001e29", 1),
        ("7", 7),
        ("12345678", 12_345_678),
        ("123456789", 123_456_789),
    ] {
        field("i32", json, &[v(1, want)]);
    }
    field("i64", "12345678901234567", &[v(2, 12_345_678_901_234_567)]);
    field("i64", "1234567890123456", &[v(2, 1_234_567_890_123_456)]);
    field("u64", "1844674407370955161.5e1", &[v(4, -1)]);
    field("u64", "1844674407370955161500e-2", &[v(4, -1)]);
}

#[test]
fn fractions_are_no_integers() {
    for number in [
        "0.5",
        "1.5",
        "1e-1",
        "-0.1",
        "123456789.000000001",
        "1e-99999999999999999999",
        "18446744073709551615.5",
        "0.10000000000000000000000000001",
    ] {
        let want = format!("expected int32, found number {number}");
        refused("i32", number, &want);
        refused("i32", &format!("\"{number}\""), &format!("expected int32, found string \"{number}\""));
    }
}

#[test]
fn numbers_follow_json() {
    for name in ["i32", "dbl", "flt", "value"] {
        let at = name.len() + 4;
        for (json, expected, offset) in [
            ("01", "a number without leading zeros, found number 01", 0),
            ("-01", "a number without leading zeros, found number 01", 1),
            ("00", "a number without leading zeros, found number 00", 0),
            ("-", "a digit, found `}`", 1),
            ("-x", "a digit, found x", 1),
            ("--1", "a digit, found number -1", 1),
            ("1.", "a digit behind the decimal point, found `}`", 2),
            ("1.e5", "a digit behind the decimal point, found e5", 2),
            ("1e", "a digit of the exponent, found `}`", 2),
            ("1e+", "a digit of the exponent, found `}`", 3),
            ("1ex", "a digit of the exponent, found x", 2),
            ("+1", "a value, found `+`", 0),
            (".5", "a value, found `.`", 0),
        ] {
            let want = format!("{name}: expected {expected} (byte {})", at + offset);
            refuse(&format!("{{\"{name}\":{json}}}"), &want);
        }
        refuse(&format!("{{\"{name}\":0x10}}"), &format!("expected `,` or `}}`, found x10 (byte {})", at + 1));
        refuse(&format!("{{\"{name}\":1_000}}"), &format!("expected `,` or `}}`, found _000 (byte {})", at + 1));
        refuse(&format!("{{\"{name}\":1 000}}"), &format!("expected `,` or `}}`, found number 000 (byte {})", at + 2));
    }
}

#[test]
fn numbers_in_quotes_follow_json_too() {
    for text in [
        "",
        " 1",
        "1 ",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "0x10",
        "1e",
        "12abc",
        "12 34",
        "12,34",
        "12谷歌34",
        "abc",
        "1\\n",
        "--1",
        "-",
        "nan",
        "inf",
        "infinity",
        "+Infinity",
        "NAN",
    ] {
        for (name, kind) in
            [("i32", "int32"), ("u64", "uint64"), ("f32", "fixed32"), ("dbl", "double"), ("flt", "float")]
        {
            let shown = if text == "1\\n" { "1\\\\n" } else { text };
            let want = format!("{name}: expected {kind}, found string \"{shown}\" (byte {})", name.len() + 4);
            refuse(&format!("{{\"{name}\":\"{text}\"}}"), &want);
        }
    }
    for name in ["NaN", "Infinity", "-Infinity"] {
        refuse(&format!("{{\"i32\":\"{name}\"}}"), &format!("i32: expected int32, found string {name:?} (byte 7)"));
    }
    check(r#"{"i32":"2\u003147"}"#, &[v(1, 2147)]);
    check(r#"{"i32":"1\u00315"                }"#, &[v(1, 115)]);
}

#[test]
fn only_numbers_are_numbers() {
    for (json, found) in [("true", "true"), ("false", "false"), ("{}", "object"), ("[1]", "array")] {
        refused("i32", json, &format!("expected int32, found {found}"));
        refused("dbl", json, &format!("expected double, found {found}"));
        refused("flt", json, &format!("expected float, found {found}"));
    }
    for word in ["NaN", "Infinity"] {
        refused("dbl", word, &format!("expected a value, found {word}"));
    }
}

#[test]
fn booleans_are_not_quoted_and_no_numbers() {
    for (json, found) in [("0", "number 0"), ("1", "number 1"), ("\"true\"", "string \"true\"")] {
        refused("yes", json, &format!("expected bool, found {found}"));
    }
}

#[test]
fn doubles_are_rounded_to_the_nearest() {
    for number in [
        "1",
        "1.5",
        "-1.5",
        "0.1",
        "123456789.123456789",
        "9007199254740993",
        "1e22",
        "1e23",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "5e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e-400",
        "0.3",
        "2.5",
        "4.35",
        "8.41e21",
        "12345678901234567890",
        "0.000000000000000000000000000001",
        "179769313486231570000e288",
        "9223372036854775807",
        "18446744073709551615",
        "18446744073709551616",
        "1234567.1234567890123456",
    ] {
        let want: f64 = number.parse().expect("a number");
        field("dbl", number, &if want == 0.0 { vec![] } else { vec![d(12, want)] });
    }
    for bits in 0..300u32 {
        let number =
            format!("{:?}", f64::from_bits(0x3ff1_2345_6789_abcd_u64.wrapping_mul(u64::from(bits) * 2 + 1) >> 2));
        field("dbl", &number, &[d(12, number.parse().expect("a number"))]);
    }
}

#[test]
fn zero_has_two_signs() {
    field("dbl", "0", &[]);
    field("dbl", "-0", &[d(12, -0.0)]);
    field("dbl", "-0.0e5", &[d(12, -0.0)]);
    field("flt", "-0", &[f32(11, 0x8000_0000)]);
    field("flt", "0.0", &[]);
}

#[test]
fn floats_are_rounded_once() {
    for number in [
        "1",
        "0.1",
        "16777217",
        "3.4028235e38",
        "3.402823466385288598e38",
        "1.175494e-38",
        "1e-45",
        "7e-46",
        "1e-50",
        "1.00000017881393432617187499",
        "1.00000017881393432617187500",
        "1.00000017881393432617187501",
        "16777217.000000001",
        "16777219",
        "0.000000000000000000000000000000000000011754943508222875",
    ] {
        let want: f32 = number.parse().expect("a number");
        field("flt", number, &if want == 0.0 { vec![] } else { vec![f32(11, want.to_bits())] });
    }
}

#[test]
fn floats_do_not_overflow() {
    for (name, kind, numbers) in [
        ("flt", "float", &["3.4028236e38", "-3.5e38", "1e39", "1e400"][..]),
        ("dbl", "double", &["1.7976931348623159e308", "-1.9e308", "1e309", "1e99999999999999999999"]),
    ] {
        for number in numbers {
            refused(name, number, &format!("number {number} is out of range of {kind}"));
            refused(name, &format!("\"{number}\""), &format!("string \"{number}\" is out of range of {kind}"));
        }
    }
}

#[test]
fn special_floats_are_names_in_quotes() {
    check(r#"{"dbl":"NaN"}"#, &[d(12, f64::NAN)]);
    check(r#"{"dbl":"Infinity"}"#, &[d(12, f64::INFINITY)]);
    check(r#"{"dbl":"-Infinity"}"#, &[d(12, f64::NEG_INFINITY)]);
    check(r#"{"flt":"NaN"}"#, &[f32(11, f32::NAN.to_bits())]);
    check(r#"{"flt":"-Infinity"}"#, &[f32(11, f32::NEG_INFINITY.to_bits())]);
}

#[test]
fn lists_of_numbers() {
    let packed: Vec<u8> = [1, 0x96, 0x01, 0].to_vec();
    check(r#"{"ints":[1,150,0]}"#, &[s(21, &packed)]);
    check(r#"{"ints": [ 1 , 150 , 0 ] }"#, &[s(21, &packed)]);
    check(r#"{"ints":["1",1.5e2,0]            }"#, &[s(21, &packed)]);
    check(r#"{"loose":[1,150,0]}"#, &[v(22, 1), v(22, 150), v(22, 0)]);
    check(r#"{"s64s":[-1,1,0,-9223372036854775808]}"#, &[s(27, [&[1, 2, 0][..], &[0xff; 9], &[1]].concat())]);
    check(
        r#"{"s64s":[5,70,8200,1234567,9999999,12345678,1]}"#,
        &[s(
            27,
            [
                &[10][..],
                &[0x8c, 1],
                &[0x90, 0x80, 1],
                &[0x8e, 0xda, 0x96, 1],
                &[0xfe, 0xd9, 0xc4, 9],
                &[0x9c, 0x85, 0xe3, 0x0b],
                &[2],
            ]
            .concat(),
        )],
    );
    check(r#"{"f32s":[1,4294967295]}"#, &[s(28, [1, 0, 0, 0, 255, 255, 255, 255])]);
    check(r#"{"bools":[true,false]}"#, &[s(29, [1, 0])]);
    check(r#"{"dbls":[1,"NaN"]}"#, &[s(26, [1f64.to_le_bytes(), f64::NAN.to_le_bytes()].concat())]);
    check(r#"{"ints":[],"loose":[],"dbls":[]}"#, &[]);
}

#[test]
fn every_number_of_digits_in_a_list() {
    let mut numbers = Vec::new();
    for digits in 1..=10 {
        for first in [1u64, 2, 7, 9] {
            for filler in [0, 9] {
                let text = first.to_string() + &filler.to_string().repeat(digits - 1);
                numbers.extend(text.parse::<i32>().ok().into_iter().flat_map(|number| [number, -number, number]));
            }
        }
    }
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let packed: Vec<u8> =
        numbers.iter().flat_map(|number| crate::support::raw(i64::from(*number).cast_unsigned())).collect();
    for gap in [",", " ,", ", ", ",                         "] {
        check(&format!("{{\"ints\":[{}]}}", texts.join(gap)), &[s(21, &packed)]);
    }
    let positive: Vec<String> = texts.iter().filter(|text| !text.starts_with('-')).cloned().collect();
    let packed: Vec<u8> = numbers
        .iter()
        .filter(|number| **number > 0)
        .flat_map(|number| crate::support::raw(u64::from(number.unsigned_abs())))
        .collect();
    check(&format!("{{\"ints\":[{}]}}", positive.join(",")), &[s(21, &packed)]);
}

#[test]
fn errors_in_lists_name_the_element() {
    refuse(r#"{"ints":[1,false,3]}"#, "ints[1]: expected int32, found false (byte 11)");
    refuse(r#"{"ints":[1,2,"name",4]}"#, "ints[2]: expected int32, found string \"name\" (byte 13)");
    refuse(r#"{"ints":[1,2,3,{"a":4}]}"#, "ints[3]: expected int32, found object (byte 15)");
    refuse(r#"{"ints":[1,22222222222,3,4,5,6]}"#, "ints[1]: number 22222222222 is out of range of int32 (byte 11)");
    refuse(
        r#"{"ints":[1,01,3,4,5,6,7,8,9,0]}"#,
        "ints[1]: expected a number without leading zeros, found number 01 (byte 11)",
    );
    refuse(r#"{"ints":[1,,3,4,5,6,7,8,9,0]}"#, "ints[1]: expected a value, found `,` (byte 11)");
    refuse(r#"{"ints":[1,null,2]}"#, "ints[1]: null cannot be an element of a list or a value of a map (byte 11)");
    refuse(r#"{"texts":["1",2]}"#, "texts[1]: expected string, found number 2 (byte 14)");
    refuse(r#"{"ints":1}"#, "ints: expected array of int32, found number 1 (byte 8)");
    refuse(r#"{"ints":{}}"#, "ints: expected array of int32, found object (byte 8)");
    refuse(r#"{"ints":[[1]]}"#, "ints[0]: expected int32, found array (byte 9)");
}
