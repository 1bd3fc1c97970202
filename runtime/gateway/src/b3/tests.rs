use super::{accept, emit};
use crate::config::B3;
use http::{HeaderMap, HeaderName, HeaderValue};

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let line =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    lines.iter().map(line).collect()
}

const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";

#[test]
fn either_form_becomes_a_traceparent() {
    let sampled = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01";
    let not = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-00";
    let short = "00-000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1-00";
    let span = ("x-b3-spanid", "E457B5A2E4D86BD1");
    let cases: &[(&[(&'static str, &'static str)], Option<&'static str>)] = &[
        (&[("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90")], Some(sampled)),
        (&[("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d")], Some(sampled)),
        (&[("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1")], Some(not)),
        (&[("b3", "64fe8b2a57d3eff7-e457b5a2e4d86bd1-0")], Some(short)),
        (&[("b3", "0")], None),
        (&[("b3", "x-y-1")], None),
        (
            &[("x-b3-traceid", TRACE), span, ("x-b3-sampled", "1"), ("x-b3-parentspanid", "05e3ac9a4f6e3b90")],
            Some(sampled),
        ),
        (&[("x-b3-traceid", TRACE), span, ("x-b3-flags", "1")], Some(sampled)),
        (&[("x-b3-traceid", TRACE), span], Some(not)),
        (&[("x-b3-traceid", "00000000000000000000000000000000"), span], None),
        (&[span], None),
        (&[("b3", "64fe8b2a57d3eff7-e457b5a2e4d86bd1-0"), ("traceparent", "theirs")], Some("theirs")),
    ];
    for (lines, want) in cases {
        let mut got = headers(lines);
        accept(&mut got);
        let want: Vec<_> = want.iter().map(|value| ("traceparent", *value)).collect();
        assert_eq!(got, headers(&want), "{lines:?}");
    }
}

#[test]
fn a_traceparent_is_said_in_either_form() {
    let line = ("traceparent", "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01");
    let mut single = headers(&[line]);
    emit(&mut single, B3::Single);
    assert_eq!(single, headers(&[line, ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")]));
    let mut multi = headers(&[line]);
    emit(&mut multi, B3::Multi);
    let want = [line, ("x-b3-traceid", TRACE), ("x-b3-spanid", "e457b5a2e4d86bd1"), ("x-b3-sampled", "1")];
    assert_eq!(multi, headers(&want));
}
