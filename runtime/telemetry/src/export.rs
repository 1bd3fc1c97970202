//! Sends spans and metrics to a collector, on a thread of its own.
//!
//! Spans go when a [`BATCH`] waits, or [`SPAN_DELAY`] after the first; metrics at an interval. One
//! thing is sent at a time. A collector that is down or slow is tried again with growing waits, meanwhile
//! the queue fills up; nothing else notices.

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tidegate_observe::{
    ports::{Again, ExportError, Exporter},
    retry,
    span::Span,
};
use tokio::{
    runtime::Builder,
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    clock,
    metrics::{Metrics, export::Signal},
    random,
    tracer::{BATCH, Tracer},
};

/// How long a span waits for others that go with it.
pub const SPAN_DELAY: Duration = Duration::from_secs(1);

/// How long the end may take: what waits is sent by then, or lost and counted.
pub const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// The thread that sends. Dropping it sends what waits, for at most [`FLUSH_WITHIN`], and ends the thread.
#[derive(Debug)]
pub struct Sender {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    /// Starts the thread. `exporter` is called within its runtime. Metrics are sent every `interval`; they have been
    /// counted `since` then, a time after the Unix epoch.
    ///
    /// # Errors
    /// That of `exporter`; or the thread or its runtime could not be started.
    pub fn start<E: Into<Box<dyn Error + Send + Sync>>>(
        tracer: Tracer,
        metrics: Arc<Metrics>,
        (since, interval): (Duration, Duration),
        exporter: impl FnOnce() -> Result<Box<dyn Exporter>, E>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let exporter = {
            let _within = runtime.enter();
            exporter().map_err(io::Error::other)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("otlp".into()).spawn(move || {
            runtime.block_on(async {
                let batch = Vec::new();
                let sending = Sending { tracer, metrics, exporter, interval, batch, since, troubled: [false; 2] };
                sending.run(stopped).await;
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook; there is nothing to add.
            drop(thread.join());
        }
    }
}

struct Sending {
    tracer: Tracer,
    metrics: Arc<Metrics>,
    exporter: Box<dyn Exporter>,
    interval: Duration,
    /// Spans that are being sent.
    batch: Vec<Span>,
    /// When counting began, since the Unix epoch.
    since: Duration,
    /// Whether the last export failed, by signal: said once, not each time.
    troubled: [bool; 2],
}

// === impl Sending ===

impl Sending {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        tokio::select! {
            () = self.serve() => {}
            // Its sender is dropped to say it.
            _ = &mut stopped => {}
        }
        self.flush().await;
    }

    /// Sends for ever. What is in hand when this is dropped stays there.
    async fn serve(&mut self) {
        let mut metrics_due = now() + self.interval;
        loop {
            tokio::select! {
                () = gather(&self.tracer) => self.send_spans(None).await,
                () = sleep_until(metrics_due) => {
                    if !self.tracer.is_retired() {
                        self.send_metrics(None).await;
                    }
                    metrics_due = now() + self.interval;
                }
            }
        }
    }

    /// Sends what waits, each thing once.
    async fn flush(&mut self) {
        let until = now() + FLUSH_WITHIN;
        while !self.batch.is_empty() || self.tracer.queued() > 0 {
            self.send_spans(Some(until)).await;
        }
        if !self.tracer.is_retired() {
            self.send_metrics(Some(until)).await;
        }
    }

    /// Sends the batch that is in hand, else one of the spans that wait.
    async fn send_spans(&mut self, until: Option<Instant>) {
        if self.batch.is_empty() {
            self.batch = self.tracer.take();
        }
        let mut failures = 0;
        let lost = loop {
            let result = by(until, self.exporter.spans(&self.batch)).await;
            self.tell(Signal::Traces, &result);
            match self.again(&result, &mut failures, until) {
                Next::Done => break 0,
                Next::GiveUp(lost) => break lost.unwrap_or(u64::MAX),
                Next::Wait(wait) => tokio::time::sleep(wait).await,
            }
        };
        let spans = self.batch.len() as u64;
        self.batch.clear();
        let lost = lost.min(spans);
        self.tracer.settled(spans - lost, lost);
    }

    /// Sends the metrics as they are at each attempt.
    async fn send_metrics(&mut self, until: Option<Instant>) {
        let mut failures = 0;
        loop {
            let families = self.metrics.families();
            let at = clock::unix(clock::wall());
            let result = by(until, self.exporter.metrics(&families, self.since, at)).await;
            self.tell(Signal::Metrics, &result);
            match self.again(&result, &mut failures, until) {
                // They are sums: what did not arrive now will with the next.
                Next::Done | Next::GiveUp(_) => return,
                Next::Wait(wait) if wait >= self.interval => return,
                Next::Wait(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    fn again(&self, result: &Result<(), ExportError>, failures: &mut u32, until: Option<Instant>) -> Next {
        let Err(error) = result else { return Next::Done };
        *failures += 1;
        match error.again {
            Again::No(lost) => Next::GiveUp(lost),
            Again::After(_) if until.is_some() => Next::GiveUp(None),
            Again::After(asked) => retry::wait(*failures, asked, random::u64()).map_or(Next::GiveUp(None), Next::Wait),
        }
    }

    /// Counts, and logs what has changed.
    fn tell(&mut self, signal: Signal, result: &Result<(), ExportError>) {
        self.metrics.export().attempted(signal, result.is_ok());
        let was = std::mem::replace(&mut self.troubled[signal as usize], result.is_err());
        let what = signal.name();
        match result {
            Err(error) if !was => {
                tracing::warn!(%error, "{what} do not reach the collector; requests are served as ever");
            }
            Ok(()) if was => tracing::info!("{what} reach the collector again"),
            _ => {}
        }
    }
}

enum Next {
    Done,
    /// So many were lost; `None` is all.
    GiveUp(Option<u64>),
    Wait(Duration),
}

/// Waits until there is a batch, or spans that have waited long enough.
async fn gather(tracer: &Tracer) {
    while tracer.queued() == 0 {
        tracer.woken().await;
    }
    let delay = tokio::time::sleep(SPAN_DELAY);
    let mut delay = std::pin::pin!(delay);
    while tracer.queued() < BATCH {
        tokio::select! {
            () = tracer.woken() => {}
            () = &mut delay => return,
        }
    }
}

async fn by(until: Option<Instant>, sending: impl Future<Output = Result<(), ExportError>>) -> Result<(), ExportError> {
    let Some(until) = until else { return sending.await };
    timeout_at(until, sending)
        .await
        .unwrap_or_else(|_| Err(ExportError { message: "the process ends".to_owned(), again: Again::After(None) }))
}

fn now() -> Instant {
    clock::now().into()
}
