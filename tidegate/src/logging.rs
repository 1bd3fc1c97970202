//! The program's own log, on standard error. (The access log is another matter.)

use std::io::IsTerminal as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// Starts logging what `targets` lets through: for people on a terminal, else one JSON object a line.
pub(crate) fn start(targets: &Targets) {
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = if std::io::stderr().is_terminal() {
        layer.with_target(false).boxed()
    } else {
        layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    registry().with(layer.with_filter(targets.clone())).init();
}
