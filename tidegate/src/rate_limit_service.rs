//! The rate limit service for others, opened as a config says. Ports that are said as before stay open, and what was
//! counted stays as long as the service is there.

use parking_lot::Mutex;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::config::RateLimitService;
use tidegate_control::{Loaded, Report, diagnostics};
use tidegate_gateway::Stores;
use tidegate_gateway::config::Place;
use tidegate_limit::Keys;
use tidegate_limiter::{Limits, Server, Service, Settings};
use tidegate_telemetry::metrics::Metrics;
use tidegate_telemetry::random;

/// The service, if the config in force has one.
#[derive(Debug)]
pub(crate) struct ForOthers {
    metrics: Arc<Metrics>,
    threads: usize,
    /// Of limits that are counted in this process.
    keys: Keys,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    /// The process ends: nothing is opened any more.
    stopped: bool,
}

#[derive(Debug)]
struct Running {
    service: Arc<Service>,
    server: Server,
    grpc: Option<Bound>,
    resp: Option<Bound>,
}

/// A port that is open.
#[derive(Debug)]
struct Bound {
    /// As the config has it: the port may be 0.
    said: SocketAddr,
    listener: TcpListener,
}

impl ForOthers {
    /// Nothing is served yet.
    pub(crate) fn new(metrics: Arc<Metrics>, threads: usize) -> Self {
        Self { metrics, threads, keys: Keys::new(random::u128()), state: Mutex::default() }
    }

    /// What a config says of it, over these stores. What can fail fails before anything is changed.
    ///
    /// # Errors
    /// A port cannot be bound, or threads cannot be started.
    pub(crate) fn open(&self, loaded: &Loaded, stores: &Stores) -> Result<(), Report> {
        let mut state = self.state.lock();
        if state.stopped {
            return Ok(());
        }
        let drain = loaded.config.drain;
        let Some(said) = &loaded.rate_limit_service else {
            if let Some(running) = state.running.take() {
                tracing::info!("the rate limit service is switched off");
                stop(running, drain);
            }
            return Ok(());
        };
        let before = state.running.as_ref();
        let known = |bound: Option<&Bound>, said: Option<SocketAddr>| bound.map(|bound| bound.said) == said;
        let same = before.is_some_and(|running| {
            known(running.grpc.as_ref(), said.config.bind) && known(running.resp.as_ref(), said.config.resp)
        });
        if let Some(running) = before.filter(|_| same) {
            let (limits, keys) = self.limits(said, loaded, stores);
            running.service.replace(&said.config, limits, &keys);
            return Ok(());
        }
        let wrong = |address: SocketAddr, error: &io::Error, place: Place| {
            Report::new(vec![diagnostics::cannot_listen(address, error, place, &loaded.source)])
        };
        let bind = |address: Option<SocketAddr>, kept: Option<&Bound>, place: Place| {
            let Some(address) = address else { return Ok(None) };
            let listener = match kept.filter(|kept| kept.said == address) {
                Some(kept) => kept.listener.try_clone(),
                None => Server::bind(address),
            };
            let listener = listener.map_err(|error| wrong(address, &error, place))?;
            Ok(Some(Bound { said: address, listener }))
        };
        let grpc = bind(said.config.bind, before.and_then(|running| running.grpc.as_ref()), said.bind_place)?;
        let resp = bind(said.config.resp, before.and_then(|running| running.resp.as_ref()), said.resp_place)?;
        let (limits, keys) = self.limits(said, loaded, stores);
        let service = match before {
            Some(running) => Arc::clone(&running.service),
            None => Service::new(&said.config, limits.clone(), &keys),
        };
        let clone = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.listener.try_clone()).transpose();
        let started = clone(&grpc)
            .and_then(|grpc| Ok((grpc, clone(&resp)?)))
            .and_then(|(grpc, resp)| Server::start(&service, Settings { grpc, resp, threads: self.threads }));
        let at = said.config.bind.or(said.config.resp).unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        let server = started.map_err(|error| wrong(at, &error, said.bind_place))?;
        if before.is_some() {
            service.replace(&said.config, limits, &keys);
        }
        service.register(&self.metrics);
        tell("the rate limit service listens on http://", &grpc);
        tell("CL.THROTTLE is answered on redis://", &resp);
        if let Some(before) = state.running.replace(Running { service, server, grpc, resp }) {
            stop(before, drain);
        }
        Ok(())
    }

    /// Where limits are counted, and what their keys are made with.
    fn limits(&self, said: &RateLimitService, loaded: &Loaded, stores: &Stores) -> (Limits, Keys) {
        let store = said.store.as_ref().and_then(|name| stores.get(name));
        let secret = |name: &String| loaded.stores.iter().find(|store| store.store.name == *name);
        let secret = said.store.as_ref().and_then(secret).map(|store| &store.store.secret);
        match (store.and_then(|store| store.counters()), secret) {
            (Some(store), Some(secret)) => (Limits::Shared(Arc::clone(store)), Keys::of_text(secret)),
            _ => (Limits::Local, self.keys),
        }
    }

    /// Accepts nothing more, and lets calls in flight end within `drain`.
    pub(crate) fn stop(&self, drain: Duration) {
        let running = {
            let mut state = self.state.lock();
            state.stopped = true;
            state.running.take()
        };
        if let Some(running) = running {
            let Running { server, grpc, resp, .. } = running;
            // The sockets are closed with the last one of their copies.
            drop((grpc, resp));
            server.stop(drain);
        }
    }
}

/// Ends it elsewhere: to wait for its calls would hold up the new config.
fn stop(running: Running, drain: Duration) {
    let Running { server, grpc, resp, .. } = running;
    drop((grpc, resp));
    let ended = std::thread::Builder::new().name("limiter-stop".into()).spawn(move || server.stop(drain));
    if let Err(error) = ended {
        tracing::error!(%error, "cannot wait for the end of the rate limit service that was before");
    }
}

fn tell(what: &str, bound: &Option<Bound>) {
    if let Some(address) = bound.as_ref().and_then(|bound| bound.listener.local_addr().ok()) {
        tracing::info!(%address, "{what}{address}");
    }
}
