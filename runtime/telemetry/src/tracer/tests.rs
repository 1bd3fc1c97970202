use std::time::{Duration, SystemTime};

use tidegate_observe::{
    sampler::Sampler,
    span::{Kind, Outcome, Span},
};

use super::{BATCH, Figures, Tracer};

pub(crate) fn span(id: u64) -> Span {
    Span {
        trace_id: [1; 16],
        span_id: id.to_be_bytes(),
        parent: None,
        kind: Kind::Server,
        name: "GET /x".into(),
        start: Duration::ZERO,
        end: Duration::ZERO,
        sampled: true,
        attributes: vec![],
        events: vec![],
        outcome: Outcome::Unset,
    }
}

#[test]
fn what_finds_the_queue_full_is_dropped_and_counted() {
    let tracer = Tracer::new(Sampler::new(1.0, true), 3);
    tracer.offer([span(1), span(2)]);
    tracer.offer([span(3), span(4)]);
    assert_eq!(tracer.figures(), Figures { queue_full: 1, queued: 3, queue_limit: 3, ..Figures::default() });
    let ids: Vec<_> = tracer.take().iter().map(|span| u64::from_be_bytes(span.span_id)).collect();
    assert_eq!((ids, tracer.queued()), (vec![1, 2, 3], 0));
}

#[test]
fn a_batch_is_bounded_and_takes_the_oldest() {
    let tracer = Tracer::new(Sampler::new(1.0, true), BATCH + 1);
    tracer.offer((0..=BATCH as u64).map(span));
    let ids = |spans: Vec<Span>| spans.iter().map(|span| u64::from_be_bytes(span.span_id)).collect::<Vec<_>>();
    assert_eq!(ids(tracer.take()), (0..BATCH as u64).collect::<Vec<_>>());
    assert_eq!(ids(tracer.take()), [BATCH as u64]);
}

#[test]
fn a_config_that_was_tried_is_a_span_of_its_own() {
    let tracer = Tracer::new(Sampler::new(0.0, false), 10);
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
    tracer.config_tried(began, Duration::from_secs(1), ("file", "r7"), Ok(3));
    tracer.config_tried(began, Duration::ZERO, ("file", "r8"), Err("unknown key".to_owned()));
    let spans = tracer.take();
    let shown: Vec<_> =
        spans.iter().map(|span| (span.kind, span.outcome.clone(), span.events[0].name.as_ref())).collect();
    let refused = Outcome::Error("refused".into());
    assert_eq!(
        shown,
        [
            (Kind::Internal, Outcome::Unset, "tidegate.config.in_force"),
            (Kind::Internal, refused, "tidegate.config.refused"),
        ]
    );
    assert_eq!((spans[0].start, spans[0].end), (Duration::from_secs(9), Duration::from_secs(10)));
    assert!(spans[0].trace_id != spans[1].trace_id && spans[0].parent.is_none());
}
