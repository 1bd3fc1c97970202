use super::{BadTimeout, grpc_timeout, grpc_timeout_value, parse_grpc_timeout, parse_request_timeout};
use std::time::Duration;

#[test]
fn grpc_timeouts_are_read_in_every_unit() {
    let cases: [(&str, Duration); 7] = [
        ("1H", Duration::from_secs(3600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("6n", Duration::from_nanos(6)),
        ("99999999H", Duration::from_secs(99_999_999 * 3600)),
    ];
    for (text, want) in cases {
        assert_eq!(parse_grpc_timeout(text.as_bytes()), Ok(want), "{text}");
    }
}

#[test]
fn malformed_grpc_timeouts_are_refused() {
    for text in ["", "S", "1", "123456789S", "-1S", "1.5S", "1x", " 1S", "1S "] {
        assert_eq!(parse_grpc_timeout(text.as_bytes()), Err(BadTimeout), "{text:?}");
    }
}

#[test]
fn request_timeouts_are_seconds_unless_they_say_otherwise() {
    let cases = [("2", 2000), ("0.25", 250), ("250ms", 250), ("1.5s", 1500), ("2m", 120_000), (" 1 ", 1000)];
    for (text, want) in cases {
        assert_eq!(parse_request_timeout(text.as_bytes()), Ok(Duration::from_millis(want)), "{text}");
    }
    for text in ["", "s", "-1", "1e3", "inf", "nan", "1h", "1.2.3", "9999999999"] {
        assert_eq!(parse_request_timeout(text.as_bytes()), Err(BadTimeout), "{text:?}");
    }
}

#[test]
fn written_timeouts_round_up_and_fit_eight_digits() {
    let cases = [
        (Duration::ZERO, "1n"),
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_nanos(100_000_001), "100001u"),
        (Duration::from_nanos(999_999_999), "1000000u"),
        (Duration::from_nanos(14_999_000_001), "15000m"),
        (Duration::from_secs(100), "100000m"),
        (Duration::from_secs(100_000), "100000S"),
        (Duration::from_millis(99_999_999_001), "1666667M"),
        (Duration::from_secs(60 * 99_999_999), "99999999M"),
    ];
    for (left, want) in cases {
        let mut text = Vec::new();
        grpc_timeout(left, &mut text);
        assert_eq!(String::from_utf8_lossy(&text), want, "{left:?}");
        assert!(parse_grpc_timeout(&text).is_ok_and(|read| read >= left), "{left:?}");
    }
}

#[test]
fn a_timeout_beyond_what_can_be_written_is_the_longest_that_can() {
    let mut text = Vec::new();
    grpc_timeout(Duration::from_secs(60 * 100_000_000), &mut text);
    assert_eq!(text, b"99999999M");
}

#[test]
fn a_header_has_the_value_of_its_own_call() {
    for millis in [15_000, 15_000, 14_999, 2, 15_000] {
        let mut want = Vec::new();
        grpc_timeout(Duration::from_millis(millis), &mut want);
        assert_eq!(grpc_timeout_value(Duration::from_millis(millis)).as_bytes(), want);
    }
}
