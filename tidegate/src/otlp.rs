//! Traces and metrics to a collector.

use crate::cli::VERSION;
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::config::{Otlp, OtlpProtocol};
use tidegate_control::{Diagnostic, Report, Source};
use tidegate_observe::ports::Exporter;
use tidegate_observe::sampler::Sampler;
use tidegate_otlp::{Protocol, Settings};
use tidegate_telemetry::export::Sender;
use tidegate_telemetry::metrics::Metrics;
use tidegate_telemetry::request_id::RequestId;
use tidegate_telemetry::tracer::Tracer;
use tidegate_telemetry::{clock, random};

/// What the collector knows this process by, from its first config to its last.
#[derive(Debug)]
pub(crate) struct Origin {
    instance: RequestId,
    /// When counting began, since the Unix epoch.
    since: Duration,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let now = clock::wall();
        Self { instance: RequestId::generate(clock::unix_ms(now), random::u128()), since: clock::unix(now) }
    }
}

/// Starts to send what the tracer takes, and the metrics. The sender ends when it is dropped.
///
/// # Errors
/// A header, the endpoint or a certificate cannot be used, or the thread could not be started.
pub(crate) fn start(
    config: &Otlp,
    metrics: &Arc<Metrics>,
    source: &Arc<Source>,
    origin: &Origin,
) -> Result<(Tracer, Sender), Report> {
    let failed = |why: String| {
        let message = format!("traces and metrics cannot be sent: {why}");
        Report::new(vec![Diagnostic::error(message).at(source, config.place.into())])
    };
    let settings = Settings {
        endpoint: config.endpoint.clone(),
        protocol: match config.protocol {
            OtlpProtocol::Grpc => Protocol::Grpc,
            OtlpProtocol::Http => Protocol::Http,
        },
        headers: config.headers.clone(),
        ca: config.ca.as_ref().map(|ca| ca.pem.clone()),
        timeout: config.timeout,
        resource: resource(config, origin),
        version: VERSION,
    };
    let tracer = Tracer::new(Sampler::new(config.sample.ratio(), config.errors), config.queue);
    let exporter = move || tidegate_otlp::Otlp::new(&settings).map(|otlp| Box::new(otlp) as Box<dyn Exporter>);
    let sender = Sender::start(tracer.clone(), Arc::clone(metrics), (origin.since, config.interval), exporter);
    Ok((tracer, sender.map_err(|error| failed(error.to_string()))?))
}

/// What is told of this process, beside what the config says of it.
fn resource(config: &Otlp, origin: &Origin) -> Vec<(String, String)> {
    let ours =
        [("service.name", "tidegate"), ("service.version", VERSION), ("service.instance.id", origin.instance.as_str())];
    let ours = ours.into_iter().filter(|(name, _)| !config.resource.iter().any(|(known, _)| known == name));
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ours.chain(config.resource.iter().cloned()).collect()
}
