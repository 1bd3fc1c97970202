//! A gateway behind one connection in memory, for tests of what a connection may do.

use super::patience::AtWork;
use super::streams::Streams;
use super::worker::Shared;
use crate::config::Config;
use crate::gateway::{Gateway, Telemetry};
use crate::phase::Phase;
use crate::snapshot::{Schemas, Snapshot};
use crate::upstreams::Pools;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_telemetry::access_log::AccessLog;
use tidegate_telemetry::metrics::Metrics;
use tokio::sync::watch;

/// A gateway without routes: it answers 404 to everything.
pub(super) fn shared(phase: watch::Receiver<Phase>) -> Rc<Shared> {
    shared_with(phase, None)
}

/// The same with an access log.
pub(super) fn shared_with(phase: watch::Receiver<Phase>, access_log: Option<AccessLog>) -> Rc<Shared> {
    let metrics = Arc::new(Metrics::new("0", 1));
    let snapshot = Snapshot::compile(Config::default(), &Schemas::new(), &metrics, 1).expect("nothing can be wrong");
    let gateway = Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log, tracer: None }));
    let pools = Rc::new(Pools::new(&gateway.snapshot(), gateway.telemetry()));
    Rc::new(Shared { gateway, pools, phase, streams: Streams::default(), at_work: AtWork::default() })
}

/// The counters that are not 0, without their prefix.
pub(super) fn counted(shared: &Shared) -> Vec<String> {
    let mut text = String::new();
    shared.gateway.telemetry().metrics.encode(&mut text).expect("text");
    let of_interest = |line: &&str| {
        let prefixes = ["tidegate_limited_total{", "tidegate_bad_requests_total{"];
        prefixes.iter().any(|prefix| line.starts_with(prefix)) && !line.ends_with(" 0")
    };
    text.lines().filter(of_interest).map(|line| line.trim_start_matches("tidegate_").to_owned()).collect()
}

/// Where a log goes that is looked at.
#[derive(Clone, Default)]
pub(super) struct Written(Arc<parking_lot::Mutex<Vec<u8>>>);

impl Written {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("text")
    }
}

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
