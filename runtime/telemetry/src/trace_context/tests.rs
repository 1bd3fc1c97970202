use proptest::prelude::*;

use super::{ParseError, SpanId, TraceContext, TraceId};

/// The example of the recommendation, section 3.2.
const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn example() -> TraceContext {
    TraceContext {
        trace_id: TraceId(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()),
        span_id: SpanId(0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()),
        sampled: true,
        random: false,
    }
}

#[track_caller]
fn refused(value: &str, error: ParseError) {
    assert_eq!(TraceContext::parse(value.as_bytes()), Err(error), "{value}");
}

#[test]
fn the_example_of_the_recommendation_is_read_and_written() {
    assert_eq!(TraceContext::parse(EXAMPLE.as_bytes()), Ok(example()));
    assert_eq!(example().to_traceparent(), EXAMPLE.as_bytes());
}

#[test]
fn ids_print_as_the_header_spells_them() {
    let context = example();
    assert_eq!(
        (context.trace_id.to_string(), context.span_id.to_string()),
        ("4bf92f3577b34da6a3ce929d0e0e4736".into(), "00f067aa0ba902b7".into())
    );
    assert_eq!(&context.trace_id.to_hex(), b"4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(&context.span_id.to_hex(), b"00f067aa0ba902b7");
}

#[test]
fn what_the_recommendation_calls_invalid_is_refused() {
    refused("", ParseError::Length);
    refused(&EXAMPLE[..54], ParseError::Length);
    refused(&format!("{EXAMPLE}-00"), ParseError::Length);
    refused(&EXAMPLE.replacen("00-", "ff-", 1), ParseError::Version);
    refused(&EXAMPLE.replacen("00-", "0g-", 1), ParseError::Syntax);
    refused(&EXAMPLE.replace("4bf92f", "4BF92F"), ParseError::Syntax);
    refused(&EXAMPLE.replace('-', "_"), ParseError::Syntax);
    refused(&EXAMPLE.replace("-01", "-0x"), ParseError::Syntax);
    refused("00-00000000000000000000000000000000-00f067aa0ba902b7-01", ParseError::ZeroTraceId);
    refused("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", ParseError::ZeroSpanId);
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known() {
    let later = EXAMPLE.replacen("00-", "cc-", 1);
    assert_eq!(TraceContext::parse(later.as_bytes()), Ok(example()));
    assert_eq!(TraceContext::parse(format!("{later}-what").as_bytes()), Ok(example()));
    refused(&format!("{later}.what"), ParseError::Syntax);
}

#[test]
fn unknown_flags_are_not_sent_on() {
    let read = TraceContext::parse(EXAMPLE.replace("-01", "-ff").as_bytes()).unwrap();
    assert_eq!(read, TraceContext { random: true, ..example() });
    assert!(read.to_traceparent().ends_with(b"-03"));
}

#[test]
fn a_child_keeps_the_trace_and_has_its_own_span() {
    assert_eq!(example().child(7), TraceContext { span_id: SpanId(7_u64.to_be_bytes()), ..example() });
}

#[test]
fn zero_bits_still_make_valid_ids() {
    let context = TraceContext::generate(0, 0);
    assert_eq!(TraceContext::parse(&context.to_traceparent()), Ok(context));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(trace: u128, span: u64, sampled: bool) {
        let context = TraceContext { sampled, ..TraceContext::generate(trace, span) };
        prop_assert_eq!(TraceContext::parse(&context.to_traceparent()), Ok(context));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(context) = TraceContext::parse(&bytes) {
            prop_assert_eq!(TraceContext::parse(&context.to_traceparent()), Ok(context));
        }
    }
}
