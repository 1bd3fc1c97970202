//! The program's own log, on standard error. (The access log is another matter.)

use crate::cli;
use std::io::IsTerminal as _;
use std::sync::Arc;
use tidegate_control::admin::LogLevel;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, registry, reload};

/// Changes what is logged while the program runs.
#[derive(Debug)]
struct Level(reload::Handle<Targets, Registry>);

/// Starts logging what `targets` lets through: for people on a terminal, else one JSON object a line.
pub(crate) fn start(targets: &Targets) -> Arc<dyn LogLevel> {
    let (filter, handle) = reload::Layer::new(targets.clone());
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = if std::io::stderr().is_terminal() {
        layer.with_target(false).boxed()
    } else {
        layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    registry().with(layer.with_filter(filter)).init();
    Arc::new(Level(handle))
}

impl LogLevel for Level {
    fn get(&self) -> String {
        self.0.with_current(Targets::to_string).unwrap_or_default()
    }

    fn set(&self, levels: &str) -> Result<(), String> {
        let targets = cli::targets(levels)?;
        self.0.reload(targets).map_err(|error| error.to_string())
    }
}
