//! The Prometheus metrics of the process, and the forms in which others read them.
//!
//! One [`Metrics`] per process; nothing is global. Labels are bounded by construction: routes and
//! methods come from the config and the schema, statuses from tables, listeners and upstreams from
//! the config. Handles are resolved when a config is compiled; a series disappears from the
//! exposition when the last handle to it is dropped, so a reload leaves nothing behind, and a
//! route that survives the reload keeps its counts.

pub mod access_log;
pub mod breakers;
pub mod canaries;
pub mod concurrency;
pub mod config;
pub mod endpoints;
pub mod export;
pub mod limit_stores;
pub mod limits;
pub mod listeners;
pub mod process;
pub mod rate_limit_service;
pub mod rate_limits;
pub mod requests;
pub mod retries;
pub mod schemas;
pub mod upstreams;

mod exposition;
mod family;
mod living;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use prometheus_client::{encoding::text, registry::Registry};
use tidegate_observe::metric::Family;

use crate::shard;

/// A text in which a scraper reads metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// OpenMetrics 1.0.0, the only one with exemplars.
    OpenMetrics,
    /// Prometheus' older format, 0.0.4.
    Prometheus,
}

impl TextFormat {
    /// The form for a scraper that sent this `Accept`: OpenMetrics for who names it and does not refuse it,
    /// the older one, which everybody reads, for all others.
    #[must_use]
    pub fn for_accept(accept: &str) -> Self {
        let wanted = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"))
                && !parts.any(|part| matches!(part.split_once('='), Some(("q", q)) if q.parse() == Ok(0.0)))
        };
        if accept.split(',').any(wanted) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Arc<requests::Requests>,
    listeners: Arc<listeners::Listeners>,
    limits: Arc<limits::Limits>,
    upstreams: Arc<upstreams::Upstreams>,
    config: Arc<config::Config>,
    access_log: Arc<access_log::AccessLog>,
    schemas: Arc<schemas::Schemas>,
    canaries: Arc<canaries::Canaries>,
    breakers: Arc<breakers::Breakers>,
    concurrency: Arc<concurrency::Limits>,
    retries: Arc<retries::All>,
    endpoints: Arc<endpoints::Endpoints>,
    rate_limits: Arc<rate_limits::RateLimits>,
    rate_limit_service: Arc<rate_limit_service::Services>,
    limit_stores: Arc<limit_stores::LimitStores>,
    export: Arc<export::Export>,
}

impl Metrics {
    /// Metrics for a process of `version` whose data plane has `workers` threads.
    #[must_use]
    pub fn new(version: &'static str, workers: usize) -> Self {
        let shards = shard::count_for(workers);
        let requests = Arc::new(requests::Requests::new(shards));
        let listeners = Arc::new(listeners::Listeners::default());
        let limits = Arc::new(limits::Limits::default());
        let upstreams = Arc::new(upstreams::Upstreams::default());
        let config = Arc::new(config::Config::default());
        let access_log = Arc::new(access_log::AccessLog::default());
        let schemas = Arc::new(schemas::Schemas::default());
        let canaries = Arc::new(canaries::Canaries::new(shards));
        let breakers = Arc::new(breakers::Breakers::default());
        let concurrency = Arc::new(concurrency::Limits::default());
        let retries = Arc::new(retries::All::default());
        let endpoints = Arc::new(endpoints::Endpoints::default());
        let rate_limits = Arc::new(rate_limits::RateLimits::default());
        let rate_limit_service = Arc::new(rate_limit_service::Services::default());
        let limit_stores = Arc::new(limit_stores::LimitStores::default());
        let export = Arc::new(export::Export::default());

        let mut registry = Registry::with_prefix("tidegate");
        registry.register_collector(Box::new(process::Build { version }));
        registry.register_collector(Box::new(Arc::clone(&requests)));
        registry.register_collector(Box::new(Arc::clone(&listeners)));
        registry.register_collector(Box::new(Arc::clone(&limits)));
        registry.register_collector(Box::new(Arc::clone(&upstreams)));
        registry.register_collector(Box::new(Arc::clone(&config)));
        registry.register_collector(Box::new(Arc::clone(&access_log)));
        registry.register_collector(Box::new(Arc::clone(&schemas)));
        registry.register_collector(Box::new(Arc::clone(&canaries)));
        registry.register_collector(Box::new(Arc::clone(&breakers)));
        registry.register_collector(Box::new(Arc::clone(&concurrency)));
        registry.register_collector(Box::new(Arc::clone(&retries)));
        registry.register_collector(Box::new(Arc::clone(&endpoints)));
        registry.register_collector(Box::new(Arc::clone(&rate_limits)));
        registry.register_collector(Box::new(Arc::clone(&rate_limit_service)));
        registry.register_collector(Box::new(Arc::clone(&limit_stores)));
        registry.register_collector(Box::new(Arc::clone(&export)));
        Self {
            registry,
            requests,
            listeners,
            limits,
            upstreams,
            config,
            access_log,
            schemas,
            canaries,
            breakers,
            concurrency,
            retries,
            endpoints,
            rate_limits,
            rate_limit_service,
            limit_stores,
            export,
        }
    }

    /// The handle to observe requests of `method` (an RPC as `pkg.Service/Method`, or an HTTP
    /// method) on `route`; the same series for the same pair.
    #[must_use]
    pub fn route(&self, route: &str, method: &str) -> Arc<requests::Route> {
        self.requests.route(route, method)
    }

    /// The number of requests between their first byte and their end.
    #[must_use]
    pub fn in_flight(&self) -> &requests::InFlight {
        self.requests.in_flight()
    }

    /// The handle to count the connections of the listener `name`.
    #[must_use]
    pub fn listener(&self, name: &str) -> Arc<listeners::Listener> {
        self.listeners.listener(name)
    }

    /// Where limits that were reached are counted.
    #[must_use]
    pub fn limits(&self) -> &limits::Limits {
        &self.limits
    }

    /// Adds an upstream's figures to the exposition for as long as `source` lives. Sources of the
    /// same name (one per worker) are shown as their sum.
    pub fn register_upstream<S: upstreams::Source>(&self, source: &Arc<S>) {
        self.upstreams.register(source);
    }

    /// The figures of each upstream that is registered, workers added up.
    #[must_use]
    pub fn upstreams(&self) -> Vec<(String, upstreams::Figures)> {
        self.upstreams.sums()
    }

    /// Where the outcome of a config load is told.
    #[must_use]
    pub fn config(&self) -> &config::Config {
        &self.config
    }

    /// Where the fetches of an upstream's schema are told; the same for the same upstream.
    #[must_use]
    pub fn schema(&self, upstream: &str) -> Arc<schemas::Schema> {
        self.schemas.schema(upstream)
    }

    /// The counter of a canary rule; the same for the same three. [`canaries::NO_RULE`] is for the requests
    /// that no rule took.
    #[must_use]
    pub fn canary_rule(&self, route: &str, rule: &str, upstream: &str) -> Arc<canaries::Rule> {
        self.canaries.rule(route, rule, upstream)
    }

    /// Adds a plan's figures to the exposition for as long as `plan` lives, in place of another one of its name.
    pub fn register_plan<P: canaries::Plan>(&self, plan: &Arc<P>) {
        self.canaries.register(plan);
    }

    /// Adds a circuit breaker's figures to the exposition for as long as `breaker` lives, in place of another one of
    /// its labels.
    pub fn register_breaker<B: breakers::Breaker>(&self, breaker: &Arc<B>) {
        self.breakers.register(breaker);
    }

    /// Adds the figures of a limit of calls in flight to the exposition for as long as `limit` lives, in place of another
    /// one of its labels.
    pub fn register_concurrency<L: concurrency::Limit>(&self, limit: &Arc<L>) {
        self.concurrency.register(limit);
    }

    /// Adds the figures of an upstream's retries to the exposition for as long as `retries` live, in place of others of
    /// that upstream.
    pub fn register_retries<R: retries::Retries>(&self, retries: &Arc<R>) {
        self.retries.register(retries);
    }

    /// Adds the figures of an upstream's endpoints to the exposition for as long as `fleet` lives, in place of those of
    /// another one of its name.
    pub fn register_fleet<F: endpoints::Fleet>(&self, fleet: &Arc<F>) {
        self.endpoints.register(fleet);
    }

    /// Adds a rate limit's figures to the exposition for as long as `limit` lives, in place of another one of its name.
    pub fn register_rate_limit<R: rate_limits::RateLimit>(&self, limit: &Arc<R>) {
        self.rate_limits.register(limit);
    }

    /// Adds the figures of the rate limit service to the exposition for as long as `service` lives, in place of those of
    /// another one.
    pub fn register_rate_limit_service<S: rate_limit_service::RateLimitService>(&self, service: &Arc<S>) {
        self.rate_limit_service.register(service);
    }

    /// Shows a store of limits for as long as it lives.
    pub fn register_limit_store<S: limit_stores::LimitStore>(&self, store: &Arc<S>) {
        self.limit_stores.register(store);
    }

    /// Adds the access log's figures to the exposition.
    pub fn register_access_log(&self, log: &crate::access_log::AccessLog) {
        self.access_log.register(log);
    }

    /// Adds the figures of the export of spans and metrics to the exposition.
    pub fn register_tracer(&self, tracer: &crate::tracer::Tracer) {
        self.export.register(tracer);
    }

    /// Where exports are counted.
    #[must_use]
    pub fn export(&self) -> &export::Export {
        &self.export
    }

    /// Writes everything as OpenMetrics text.
    ///
    /// # Errors
    /// Those of `out`; a `String` has none.
    pub fn encode(&self, out: &mut impl fmt::Write) -> fmt::Result {
        self.encode_as(TextFormat::OpenMetrics, out)
    }

    /// Writes everything in this form.
    ///
    /// # Errors
    /// Those of `out`; a `String` has none.
    pub fn encode_as(&self, format: TextFormat, out: &mut impl fmt::Write) -> fmt::Result {
        let raw = self.raw()?;
        match format {
            TextFormat::OpenMetrics => exposition::openmetrics(&raw, &self.requests.exemplars(), out),
            TextFormat::Prometheus => exposition::prometheus(&raw, out),
        }
    }

    /// Everything as plain values.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        self.raw().map(|raw| exposition::families(&raw, &self.requests.exemplars())).unwrap_or_default()
    }

    fn raw(&self) -> Result<String, fmt::Error> {
        let mut raw = String::with_capacity(16 * 1024);
        text::encode(&mut raw, &self.registry)?;
        Ok(raw)
    }
}
