//! Traces and metrics to a collector.

use crate::cli::VERSION;
use crate::load::Failure;
use std::sync::Arc;
use tidegate_control::config::{Otlp, OtlpProtocol};
use tidegate_control::{Diagnostic, Source};
use tidegate_observe::ports::Exporter;
use tidegate_observe::sampler::Sampler;
use tidegate_otlp::{Protocol, Settings};
use tidegate_telemetry::export::Sender;
use tidegate_telemetry::metrics::Metrics;
use tidegate_telemetry::request_id::RequestId;
use tidegate_telemetry::tracer::Tracer;
use tidegate_telemetry::{clock, random};

/// Starts to send what the tracer takes, and the metrics. The sender ends when it is dropped.
///
/// # Errors
/// A header or the endpoint cannot be used, or the thread could not be started.
pub(crate) fn start(config: &Otlp, metrics: &Arc<Metrics>, source: &Arc<Source>) -> Result<(Tracer, Sender), Failure> {
    let failed = |why: String| {
        let message = format!("traces and metrics cannot be sent: {why}");
        Failure::runtime(Diagnostic::error(message).at(source, config.place.into()))
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
        resource: resource(config),
        version: VERSION,
    };
    let tracer = Tracer::new(Sampler::new(config.sample.ratio(), config.errors), config.queue);
    metrics.register_tracer(&tracer);
    let exporter = move || tidegate_otlp::Otlp::new(&settings).map(|otlp| Box::new(otlp) as Box<dyn Exporter>);
    let sender = Sender::start(tracer.clone(), Arc::clone(metrics), config.interval, exporter);
    Ok((tracer, sender.map_err(|error| failed(error.to_string()))?))
}

/// What is told of this process, beside what the config says of it.
fn resource(config: &Otlp) -> Vec<(String, String)> {
    let instance = RequestId::generate(clock::unix_ms(clock::wall()), random::u128());
    let ours = [("service.name", "tidegate"), ("service.version", VERSION), ("service.instance.id", instance.as_str())];
    let ours = ours.into_iter().filter(|(name, _)| !config.resource.iter().any(|(known, _)| known == name));
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ours.chain(config.resource.iter().cloned()).collect()
}
