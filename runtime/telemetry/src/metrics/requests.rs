//! The request histogram: how long requests took, by route, method and status.
//!
//! A [`Route`] is resolved once per config; observing finds the series of the two statuses in a
//! small open-addressed table and adds to a bucket and a sum on the shard of the calling thread:
//! no lock, no formatting, no allocation but on the first request with a pair of statuses.

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};
use tidegate_observe::metric::{Exemplar, Labels};

use super::{exposition::Exemplars, family};
use crate::clock;
use crate::{
    shard,
    trace_context::{SpanId, TraceId},
};

/// The upper bounds of the buckets, in seconds: those that OpenTelemetry recommends for
/// `http.server.request.duration`, and below, because a call on the local network takes less than
/// 5 ms, and 15 s, the default timeout of a route.
pub const BUCKETS_SECONDS: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0];

/// The same bounds in the unit that is observed.
const BUCKETS_NANOS: [u64; BUCKETS_SECONDS.len()] = {
    let mut nanos = [0; BUCKETS_SECONDS.len()];
    let mut i = 0;
    while i < nanos.len() {
        // Exact: every bound is a multiple of half a millisecond.
        nanos[i] = (BUCKETS_SECONDS[i] * 10_000.0 + 0.5) as u64 * 100_000;
        i += 1;
    }
    nanos
};

/// The gRPC status of a request that has none, as on a route to a plain HTTP upstream.
pub const NO_GRPC_CODE: u8 = u8::MAX;

/// The names of the gRPC codes 0 to 16, from `google/rpc/code.proto`.
const GRPC_CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Pairs of statuses that one route can show; more are shown together as `other`. There are 17
/// pairs in the table of the gateway; a plain HTTP upstream may invent some.
const SERIES_MAX: usize = 32;

/// The requests of the process.
#[derive(Debug)]
pub(super) struct Requests {
    shards: usize,
    in_flight: InFlight,
    routes: Mutex<Vec<Weak<Route>>>,
}

/// The histogram of one route and method.
#[derive(Debug)]
pub struct Route {
    route: Box<str>,
    method: Box<str>,
    shards: usize,
    table: [Slot; SERIES_MAX],
    /// What no slot was left for.
    other: OnceLock<Series>,
}

/// Requests between their begin and their end.
#[derive(Debug)]
pub struct InFlight(shard::Sum);

/// Counts a request as in flight until dropped.
#[derive(Debug)]
pub struct InFlightGuard<'a>(&'a InFlight);

/// A place for the series of one pair of statuses; `key` 0 is free.
#[derive(Debug, Default)]
struct Slot {
    key: AtomicU32,
    series: OnceLock<Series>,
}

#[derive(Debug)]
struct Series {
    shards: Box<[Shard]>,
    /// The last request of each bucket that was traced, if one was.
    exemplars: OnceLock<Box<[Mutex<Option<Exemplar>>; BUCKETS_SECONDS.len() + 1]>>,
}

/// One thread's part of a series.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    /// Not cumulative; the last counts what is above all bounds.
    buckets: [AtomicU64; BUCKETS_SECONDS.len() + 1],
    nanos: AtomicU64,
}

// === impl Requests ===

impl Requests {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards, in_flight: InFlight(shard::Sum::new(shards)), routes: Mutex::new(Vec::new()) }
    }

    pub(super) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    pub(super) fn route(&self, route: &str, method: &str) -> Arc<Route> {
        let mut routes = self.routes.lock();
        routes.retain(|route| route.strong_count() > 0);
        let found =
            routes.iter().filter_map(Weak::upgrade).find(|known| *known.route == *route && *known.method == *method);
        found.unwrap_or_else(|| {
            let route = Arc::new(Route::new(route, method, self.shards));
            routes.push(Arc::downgrade(&route));
            route
        })
    }
}

impl Requests {
    /// One traced request for each bucket that has had one.
    pub(super) fn exemplars(&self) -> Exemplars<'static> {
        let mut of = Vec::new();
        for route in self.routes.lock().iter().filter_map(Weak::upgrade) {
            route.add_exemplars(&mut of);
        }
        Exemplars { family: "tidegate_request_duration_seconds", of }
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        family::gauge(
            encoder,
            ("requests_in_flight", "Requests that have begun and not ended."),
            self.in_flight.0.get(),
        )?;
        let routes: Vec<_> = self.routes.lock().iter().filter_map(Weak::upgrade).collect();
        let mut histogram = encoder.encode_descriptor(
            "request_duration",
            "Time from the head of a request to the end of its answer.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        routes.iter().try_for_each(|route| route.encode(&mut histogram))
    }
}

// === impl Route ===

impl Route {
    fn new(route: &str, method: &str, shards: usize) -> Self {
        Self {
            route: route.into(),
            method: method.into(),
            shards,
            table: std::array::from_fn(|_| Slot::default()),
            other: OnceLock::new(),
        }
    }

    /// The route's name, as the label shows it.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The method's name, as the label shows it.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Counts a request that ended with the HTTP `status` (499 if the client left) and the gRPC
    /// code `grpc` ([`NO_GRPC_CODE`] if it has none) after `elapsed`.
    pub fn observe(&self, status: u16, grpc: u8, elapsed: Duration) {
        let series = self.series(status, grpc).get_or_init(|| Series::new(self.shards));
        series.observe(elapsed);
    }

    /// Remembers a request that was traced as the example of its bucket. It was [observed](Self::observe) before.
    pub fn exemplify(&self, status: u16, grpc: u8, elapsed: Duration, of: (TraceId, SpanId), at: SystemTime) {
        let Some(series) = self.series(status, grpc).get() else { return };
        let (_, bucket) = bucket(elapsed);
        let exemplars = series.exemplars.get_or_init(|| Box::new([const { Mutex::new(None) }; _]));
        // Whoever finds it taken leaves it: one example is as good as another.
        if let Some(mut place) = exemplars[bucket].try_lock() {
            let at = clock::unix(at);
            let (trace_id, span_id) = (of.0.to_bytes(), of.1.to_bytes());
            *place = Some(Exemplar { bucket, value: elapsed.as_secs_f64(), at, trace_id, span_id });
        }
    }

    /// The place of the series of these statuses, claimed if there was none.
    fn series(&self, status: u16, grpc: u8) -> &OnceLock<Series> {
        let key = key(status, grpc);
        let start = usize::from(status).wrapping_mul(7).wrapping_add(usize::from(grpc));
        for step in 0..SERIES_MAX {
            let slot = &self.table[start.wrapping_add(step) % SERIES_MAX];
            let mut owner = slot.key.load(Ordering::Relaxed);
            if owner == 0 {
                // A slot's owner never changes, so whoever wins the race owns it for good.
                owner = slot
                    .key
                    .compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed)
                    .map_or_else(|winner| winner, |_| key);
            }
            if owner == key {
                return &slot.series;
            }
        }
        &self.other
    }

    fn encode(&self, histogram: &mut MetricEncoder<'_>) -> fmt::Result {
        self.each(|labels, series| series.encode(histogram, labels))
    }

    fn add_exemplars(&self, to: &mut Vec<(Labels, Vec<Exemplar>)>) {
        let all = self.each(|labels, series| {
            let Some(exemplars) = series.exemplars.get() else { return Ok(()) };
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            to.push((labels.collect(), exemplars.iter().filter_map(|place| *place.lock()).collect()));
            Ok(())
        });
        debug_assert!(all.is_ok(), "nothing in it fails");
    }

    fn each(&self, mut show: impl FnMut(&[(&'static str, &str); 4], &Series) -> fmt::Result) -> fmt::Result {
        for slot in &self.table {
            let Some(series) = slot.series.get() else { continue };
            let (status, grpc) = statuses(slot.key.load(Ordering::Relaxed));
            let name = GRPC_CODES.get(usize::from(grpc)).copied().unwrap_or_default();
            show(&self.labels(itoa::Buffer::new().format(status), name), series)?;
        }
        match self.other.get() {
            Some(series) => show(&self.labels("other", ""), series),
            None => Ok(()),
        }
    }

    fn labels<'a>(&'a self, status: &'a str, grpc: &'a str) -> [(&'static str, &'a str); 4] {
        [("route", &self.route), ("method", &self.method), ("status_code", status), ("grpc_code", grpc)]
    }
}

/// The key of a pair of statuses: never 0.
fn key(status: u16, grpc: u8) -> u32 {
    (1 << 31) | (u32::from(status) << 8) | u32::from(grpc)
}

/// The pair of statuses of a key.
fn statuses(key: u32) -> (u16, u8) {
    let [_, high, low, grpc] = key.to_be_bytes();
    (u16::from_be_bytes([high, low]), grpc)
}

/// A duration in nanoseconds, and its bucket.
fn bucket(elapsed: Duration) -> (u64, usize) {
    let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    (nanos, BUCKETS_NANOS.partition_point(|bound| *bound < nanos))
}

// === impl Series ===

impl Series {
    fn new(shards: usize) -> Self {
        Self { shards: (0..shards).map(|_| Shard::default()).collect(), exemplars: OnceLock::new() }
    }

    fn observe(&self, elapsed: Duration) {
        let (nanos, bucket) = bucket(elapsed);
        let shard = &self.shards[shard::of_this_thread(self.shards.len())];
        shard.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        shard.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    fn encode(&self, histogram: &mut MetricEncoder<'_>, labels: &[(&'static str, &str); 4]) -> fmt::Result {
        let bounds = BUCKETS_SECONDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .enumerate()
            .map(|(i, bound)| {
                let counts = self.shards.iter().map(|shard| shard.buckets[i].load(Ordering::Relaxed));
                (bound, counts.sum())
            })
            .collect();
        // The count is what the buckets say, so that the two agree whatever is added meanwhile.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let nanos = self.shards.iter().map(|shard| shard.nanos.load(Ordering::Relaxed));
        let sum: Duration = nanos.map(Duration::from_nanos).sum();
        histogram.encode_family(labels)?.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None)
    }
}

// === impl InFlight ===

impl InFlight {
    /// A request begins. To be paired with one [`end`](Self::end), on any thread.
    pub fn begin(&self) {
        self.0.add(1);
    }

    /// A request ends.
    pub fn end(&self) {
        self.0.add(-1);
    }

    /// A request begins, and ends when the result is dropped.
    #[must_use]
    pub fn guard(&self) -> InFlightGuard<'_> {
        self.begin();
        InFlightGuard(self)
    }

    /// How many requests are in flight.
    #[must_use]
    pub fn get(&self) -> u64 {
        u64::try_from(self.0.get()).unwrap_or(0)
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
