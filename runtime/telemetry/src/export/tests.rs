use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use parking_lot::Mutex;
use tidegate_observe::{
    metric::Family,
    ports::{Again, ExportError, Exporter, Sending},
    sampler::Sampler,
    span::Span,
};

use super::{Sender, gather};
use crate::{
    metrics::Metrics,
    tracer::{BATCH, Figures, Tracer, tests::span},
};

/// Answers as told, and tells what it was sent.
#[derive(Debug)]
struct Fake {
    answers: Arc<Mutex<Vec<Result<(), ExportError>>>>,
    sent: mpsc::Sender<usize>,
}

impl Exporter for Fake {
    fn spans<'a>(&'a mut self, spans: &'a [Span]) -> Sending<'a> {
        self.sent.send(spans.len()).unwrap();
        let answer = self.answers.lock().pop();
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }

    fn metrics<'a>(&'a mut self, _: &'a [Family], _: Duration, _: Duration) -> Sending<'a> {
        Box::pin(async { Ok(()) })
    }
}

fn error(again: Again) -> ExportError {
    ExportError { message: "no".to_owned(), again }
}

/// Hands over a full batch for each of `answers`, waits until all were given, and ends.
fn run(answers: &[Result<(), ExportError>], batches: usize) -> (Vec<usize>, Figures, Metrics) {
    let tracer = Tracer::new(Sampler::new(1.0, true), BATCH * batches);
    let metrics = Arc::new(Metrics::new("1.2.3", 1));
    metrics.register_tracer(&tracer);
    let (sent, sizes) = mpsc::channel();
    let answers = Arc::new(Mutex::new(answers.iter().rev().cloned().collect::<Vec<_>>()));
    let fake = Fake { answers: Arc::clone(&answers), sent };
    let sender = Sender::start::<std::io::Error>(
        tracer.clone(),
        Arc::clone(&metrics),
        (Duration::ZERO, Duration::from_secs(3_600)),
        || Ok(Box::new(fake)),
    )
    .unwrap();
    tracer.offer((0..(BATCH * batches) as u64).map(span));
    drop(sender);
    let figures = tracer.figures();
    (sizes.iter().collect(), figures, Arc::into_inner(metrics).unwrap())
}

#[test]
fn what_waits_is_sent_at_the_end() {
    let (sizes, figures, _) = run(&[Ok(()), Ok(())], 2);
    assert_eq!(sizes, [BATCH, BATCH]);
    let exported = 2 * BATCH as u64;
    assert_eq!(figures, Figures { exported, queue_limit: exported, ..Figures::default() });
}

#[test]
fn spans_that_are_not_taken_are_counted() {
    let (_, figures, metrics) = run(&[Err(error(Again::No(Some(3)))), Err(error(Again::No(None)))], 2);
    let batch = BATCH as u64;
    let want = Figures { exported: batch - 3, failed: batch + 3, queue_limit: 2 * batch, ..Figures::default() };
    assert_eq!(figures, want);
    assert_eq!(metrics.export().figures(), [(0, 2), (1, 0)]);
}

#[test]
fn a_collector_that_does_not_answer_holds_up_the_end_for_a_bounded_time() {
    // Both batches are lost to the one bound: the second is not even waited for.
    let (_, figures, _) = run(&[], 2);
    assert_eq!((figures.failed, figures.queued), (2 * BATCH as u64, 0));
}

#[tokio::test(start_paused = true)]
async fn spans_wait_for_company_but_not_for_long() {
    let tracer = Tracer::new(Sampler::new(1.0, true), 2 * BATCH);
    let begun = tokio::time::Instant::from_std(crate::clock::now());
    tracer.offer([span(1)]);
    gather(&tracer).await;
    assert_eq!(begun.elapsed(), super::SPAN_DELAY);
    tracer.offer((0..BATCH as u64).map(span));
    gather(&tracer).await;
    assert_eq!(begun.elapsed(), super::SPAN_DELAY);
}
