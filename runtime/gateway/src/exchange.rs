//! One request from begin to end: its ids, its deadline, and its single line in metrics and log.

pub(crate) mod attempts;
mod debug;
mod end;
mod limits;
mod log;
mod plain;
mod spans;
mod trace;

use crate::answer::Refusal;
use crate::breakers::{self, Admitted, ByEndpoint, Canned, Instead};
use crate::canary::Chosen;
use crate::config::{DEFAULT_IDLE_TIMEOUT, DEFAULT_TIMEOUT, Limits};
use crate::deadline::{asked_grpc_timeout, asked_timeout, grpc_timeout_value};
use crate::gates::Places;
use crate::gateway::Gateway;
use crate::idle::{Upload, Watch};
use crate::limits::Told;
use crate::local;
use crate::memory::Held;
use crate::metadata::{REQUEST_ID, TRACEPARENT, once};
use crate::peer::Peer;
use crate::phase::Phase;
use crate::room::{Room, Taken, Turn, wait_for_room};
use crate::sent::Sent;
use crate::snapshot::{Routed, RoutedRpc, Snapshot};
use http::header::{HeaderMap, HeaderValue};
use http::{Method, StatusCode, request};
use log::LogFields;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tidegate_telemetry::metrics::requests;
use tidegate_telemetry::request_id::{self, RequestId};
use tidegate_telemetry::{clock, random};
use tidegate_transcode::{Code, Status};
use tidegate_upstream::{Affinity, ClientDeadline, Gated};
use trace::Trace;

/// What is known of a request, and what must be told when it ends.
#[derive(Debug)]
pub(crate) struct Exchange {
    gateway: Arc<Gateway>,
    snapshot: Arc<Snapshot>,
    started: Instant,
    request_id: HeaderValue,
    trace: Trace,
    sent: Sent,
    deadline: Option<Instant>,
    /// The answer has no body, but the headers that it would have with one.
    is_head: bool,
    /// Its place in the snapshot's config, once it is known.
    route: Option<usize>,
    /// A side of the call may be a stream, which has no deadline by default but may not be silent for ever.
    streams: bool,
    series: Arc<requests::Route>,
    /// What the access log and spans tell, if there is one or the other.
    log: Option<Box<LogFields>>,
    /// A trusted peer asked what became of its request.
    debug: bool,
    bytes_in: u64,
    /// Of a request that is a stream.
    upload: Option<Upload>,
    /// What the route's canary rules chose, if it has any.
    canary: Option<Chosen>,
    /// That the route's breaker let it pass.
    admitted: Option<Admitted>,
    /// What lets it pass to an endpoint, where each has a breaker.
    gate: Option<Arc<ByEndpoint>>,
    /// What answers in place of the upstream that was chosen, if something does.
    instead: Option<Instead>,
    /// The answer, if it is one that is always the same.
    canned: Option<Arc<Canned>>,
    /// Its places among the calls in flight, where they are limited.
    places: Option<Box<Places>>,
    /// What rate limits said, if that is of any interest.
    told: Option<Box<Told>>,
    /// The upstream was called: if it does not answer, that is its own fault.
    calling: bool,
    /// How long it took to begin its answer, where that is what a canary is measured by.
    answered: Option<Duration>,
    bytes_out: u64,
    limits: Arc<Limits>,
    /// The deadline is the listener's, not the route's.
    capped: bool,
    /// The deadline is the client's.
    asked: bool,
    /// Where the request stands on the ring of its upstream, if that has one.
    place: Option<u64>,
    /// Bytes in memory for this request.
    held: Option<Held>,
    /// That of its connection, for large replies.
    room: Room,
    taken: Option<Taken>,
    ended: bool,
}

// === begin ===

impl Exchange {
    /// Request id, trace, clock, and the config that holds for this request.
    pub(crate) fn begin(gateway: &Arc<Gateway>, snapshot: Arc<Snapshot>, head: &request::Parts, peer: &Peer) -> Self {
        let sent = Sent::of(&head.headers);
        let wall = clock::wall();
        gateway.telemetry().metrics.in_flight().begin();
        let debug = debug::asked(&head.headers, peer);
        let sinks = &snapshot.sinks;
        let told = sinks.access_log.is_some() || sinks.tracer.is_some() || debug;
        let tracer = sinks.tracer.as_deref().map(|tracer| &**tracer);
        let log = told.then(|| Box::new(LogFields::new(head, peer, wall)));
        Self {
            gateway: Arc::clone(gateway),
            started: clock::now(),
            request_id: request_id(sent.request_id.then_some(&head.headers), wall),
            trace: Trace::begin(tracer, sent.traceparent.then_some(&head.headers), peer.is_trusted()),
            sent,
            deadline: None,
            is_head: head.method == Method::HEAD,
            route: None,
            streams: false,
            series: Arc::clone(&snapshot.unrouted),
            log,
            debug,
            bytes_in: 0,
            upload: None,
            canary: None,
            admitted: None,
            gate: None,
            instead: None,
            canned: None,
            places: None,
            told: None,
            calling: false,
            answered: None,
            bytes_out: 0,
            limits: Arc::clone(snapshot.limits_of(peer)),
            capped: false,
            asked: false,
            place: None,
            held: None,
            room: peer.room.clone(),
            taken: None,
            ended: false,
            snapshot,
        }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn shared_gateway(&self) -> Arc<Gateway> {
        Arc::clone(&self.gateway)
    }

    /// So many bytes more are in memory for this request, until it ends.
    pub(crate) fn hold(&mut self, bytes: usize) {
        self.held.get_or_insert_with(|| self.gateway.memory().hold()).add(bytes);
    }

    /// Waits for room for a large message of a reply, once; it has it until it ends.
    pub(crate) async fn make_room(&mut self, len: usize, compressed: bool) -> Result<(), Refusal> {
        if self.taken.is_none() {
            let waiting = wait_for_room(&self.gateway, len)?;
            self.taken = Some(self.room.take(len, compressed, self.deadline).await?);
            // From here on it counts as it is read.
            drop(waiting);
        }
        Ok(())
    }

    /// Room for the large messages of a stream.
    pub(crate) fn turn(&self) -> Turn {
        Turn::new(self.room.clone(), Arc::clone(&self.gateway))
    }

    /// What its client may take, by the config that holds for this request.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The route is known: from here on the request counts under its name.
    pub(crate) fn routed(&mut self, routed: &Routed<'_>) {
        self.route = Some(routed.matched.binding.tag as usize);
        self.series = Arc::clone(&routed.target.metrics);
        if let Some(log) = &mut self.log {
            let binding = routed.matched.binding;
            log.rpc = Some(Arc::clone(&binding.rpc));
            log.route = Some(binding.template.as_str().into());
            log.upstream = Some(self.snapshot.config.upstreams[routed.route.upstream].name.as_str().into());
        }
    }

    /// The route's canary rules chose this.
    pub(crate) fn chosen(&mut self, chosen: Chosen) {
        if let Some(log) = self.log.as_mut().filter(|_| chosen.rule.is_some()) {
            log.upstream = Some(self.snapshot.config.upstreams[chosen.upstream].name.as_str().into());
        }
        self.canary = Some(chosen);
    }

    /// The upstream that was chosen, else the route's own; an index into the config's.
    pub(crate) fn upstream(&self, stable: usize) -> usize {
        self.canary.as_ref().map_or(stable, |chosen| chosen.upstream)
    }

    /// The canary rule that took the request.
    pub(crate) fn canary_rule(&self) -> Option<&str> {
        self.canary.as_ref()?.rule.as_deref()
    }

    /// Whether a request that matched nothing might match once a schema has come; then whoever fetches
    /// schemas is told to hurry.
    pub(crate) fn wants_schema(&self, head: &request::Parts) -> bool {
        let pending = self.snapshot.pending(&head.uri, &head.headers);
        pending.inspect(|owner| self.snapshot.hints.give(*owner)).is_some()
    }

    /// The same as [`routed`](Self::routed) for a native call.
    pub(crate) fn routed_rpc(&mut self, routed: &RoutedRpc<'_>) {
        self.route = Some(routed.method.route);
        self.series = Arc::clone(&routed.method.metrics);
        if let Some(log) = &mut self.log {
            // A method that the schema does not have is named as it was called: this is no label.
            log.rpc = Some(match routed.method.kind {
                Some(_) => Arc::clone(&routed.method.name),
                None => routed.uri.path().into(),
            });
            log.native = true;
            log.route = Some((&*routed.method.name).into());
            log.upstream = Some(self.snapshot.config.upstreams[routed.route.upstream].name.as_str().into());
        }
    }

    /// The same for a call that the gateway answers by itself.
    pub(crate) fn routed_local(&mut self, method: &local::Method) {
        self.series = Arc::clone(&method.metrics);
        if let Some(log) = &mut self.log {
            log.native = true;
            log.rpc = Some(Arc::clone(&method.path));
            log.route = Some((&*method.path).into());
        }
    }

    /// The deadline: what the caller asks for (`grpc-timeout`, `x-request-timeout`), capped by the
    /// route's timeout. A stream has none unless either says so.
    ///
    /// # Errors
    /// 400 for a header that cannot be read.
    pub(crate) fn set_deadline(&mut self, head: &request::Parts, routed: &Routed<'_>) -> Result<(), Refusal> {
        let binding = routed.matched.binding;
        self.streams = binding.server_streaming || binding.client_streaming;
        let asked = if self.sent.timeout { asked_timeout(&head.headers)? } else { None };
        self.limit_time(asked, routed.route.timeout);
        Ok(())
    }

    /// The same for a native call, whose client asks by `grpc-timeout` alone.
    ///
    /// # Errors
    /// 400 for a header that cannot be read.
    pub(crate) fn set_rpc_deadline(&mut self, headers: &HeaderMap, routed: &RoutedRpc<'_>) -> Result<(), Refusal> {
        self.streams = routed.streams();
        let asked = if self.sent.timeout { asked_grpc_timeout(headers)? } else { None };
        self.limit_time(asked, routed.route.timeout);
        Ok(())
    }

    /// The same for a call that the gateway answers by itself.
    ///
    /// # Errors
    /// 400 for a header that cannot be read.
    pub(crate) fn set_local_deadline(&mut self, headers: &HeaderMap, streams: bool) -> Result<(), Refusal> {
        self.streams = streams;
        self.limit_time(asked_grpc_timeout(headers)?, None);
        Ok(())
    }

    /// Where the request stands on the ring of its upstream.
    pub(crate) fn stands_at(&mut self, place: Option<u64>) {
        self.place = place;
    }

    /// Puts into a request what the choice and the judgement of an endpoint need to know. `asked` says that its
    /// deadline is the client's.
    pub(crate) fn hint(&self, extensions: &mut http::Extensions, asked: bool) {
        if let Some(place) = self.place {
            extensions.insert(Affinity(place));
        }
        if asked {
            extensions.insert(ClientDeadline);
        }
        if let Some(gate) = &self.gate {
            extensions.insert(Gated(Arc::<ByEndpoint>::clone(gate)));
        }
    }

    fn limit_time(&mut self, asked: Option<Duration>, of_route: Option<Duration>) {
        let mut cap = of_route.or((!self.streams).then_some(DEFAULT_TIMEOUT));
        if !self.streams && cap.is_some_and(|cap| cap > self.limits.request_timeout) {
            cap = Some(self.limits.request_timeout);
            self.capped = true;
        }
        let timeout = match (asked, cap) {
            (Some(asked), Some(cap)) => Some(asked.min(cap)),
            (asked, cap) => asked.or(cap),
        };
        self.asked = asked.is_some() && asked == timeout;
        self.deadline = timeout.and_then(|timeout| self.started.checked_add(timeout));
    }

    pub(crate) fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    /// The gateway stops, and the time of its drain is over: what is in flight has to end.
    pub(crate) fn must_end(&self) -> bool {
        self.gateway.phase() == Phase::Over
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Which headers its client sent.
    pub(crate) fn sent_headers(&self) -> Sent {
        self.sent
    }

    /// The trace begins here: a `tracestate` that came is of no trace (W3C Trace Context, section 3.3).
    pub(crate) fn begins_trace(&self) -> bool {
        self.trace.parent.is_none()
    }

    /// What is left of the deadline, as the upstream is told.
    pub(crate) fn grpc_timeout(&self) -> Option<HeaderValue> {
        Some(grpc_timeout_value(self.deadline?.saturating_duration_since(clock::now())))
    }

    /// Request id and trace context, as metadata. No two requests have the same, see [`once`].
    pub(crate) fn write_ids(&self, metadata: &mut HeaderMap) {
        metadata.insert(REQUEST_ID, self.request_id.clone());
        self.write_trace(metadata);
    }

    fn write_trace(&self, metadata: &mut HeaderMap) {
        if let Ok(traceparent) = HeaderValue::from_bytes(&self.trace.onward().to_traceparent()) {
            metadata.insert(TRACEPARENT, once(traceparent));
        }
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        self.bytes_in += bytes as u64;
    }

    /// The request is a stream: whoever reads it tells what comes.
    pub(crate) fn upload_begins(&mut self) -> Upload {
        self.upload.insert(Upload::begin()).clone()
    }

    pub(crate) fn upload(&self) -> Option<Upload> {
        self.upload.clone()
    }

    /// Watches that a stream of this request does not outlive its deadline, nor goes silent.
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(DEFAULT_IDLE_TIMEOUT, self.deadline, self.upload())
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// That a breaker let the call pass, and what answers in place of the upstream that was chosen.
    pub(crate) fn passed(
        &mut self,
        admitted: Option<Admitted>,
        instead: Option<Instead>,
        gate: Option<Arc<ByEndpoint>>,
    ) {
        self.admitted = admitted;
        self.instead = instead;
        self.gate = gate;
    }

    /// What was asked for an endpoint, in vain.
    pub(crate) fn take_gate(&mut self) -> Option<Arc<ByEndpoint>> {
        self.gate.take()
    }

    /// The call came back from an endpoint: from here on its breaker is the one that judges.
    pub(crate) fn came_back(&mut self) {
        if let Some(gate) = &self.gate {
            self.admitted = gate.take();
        }
    }

    /// From here on the upstream with this index in the config is called.
    pub(crate) fn begins_call(&mut self, upstream: usize) {
        self.calling = true;
        let name = self.instead.map(|_| self.snapshot.config.upstreams[upstream].name.as_str().into());
        if let Some(log) = &mut self.log {
            log.upstream_started = Some(clock::now());
            log.upstream = name.or(log.upstream.take());
        }
    }

    /// No upstream is called: this is the answer.
    pub(crate) fn is_answered(&mut self, canned: Arc<Canned>) {
        self.canned = Some(canned);
    }

    /// The call was made, with or without success, at this endpoint.
    pub(crate) fn called(&mut self, endpoint: Option<&str>) {
        if self.canary.as_ref().is_some_and(Chosen::is_counted) {
            self.answered = Some(clock::now().saturating_duration_since(self.started));
        }
        if let Some(log) = &mut self.log {
            log.endpoint = endpoint.map(Box::from);
        }
    }

    /// The upstream began to answer: a stream is judged by that, for it is as long as it likes.
    pub(crate) fn begun(&mut self, status: StatusCode, headers: &HeaderMap) {
        if self.streams
            && let Some(places) = &mut self.places
        {
            places.answered();
        }
        // A status in the head, and nothing else, is the end.
        if self.streams && Status::code_in(headers).is_none() {
            self.judge(breakers::verdict(status, Code::Ok, None, false));
        }
    }

    /// Tells the breaker how the call went, once.
    pub(super) fn judge(&mut self, failed: Option<bool>) {
        if let Some(admitted) = self.admitted.take() {
            // How long a stream of requests takes is the client's matter.
            admitted.end(failed, self.upload.is_none());
        }
    }

    /// The upstream sent the request again so many times before it was answered.
    pub(crate) fn resent(&mut self, times: u32) {
        if let Some(log) = &mut self.log {
            log.resent = times;
        }
    }

    pub(crate) fn upstream_answered(&mut self) {
        if let Some(log) = &mut self.log {
            log.upstream_took = log.upstream_started.map(|started| clock::now().saturating_duration_since(started));
        }
    }
}

/// The client's request id if it is well-formed, else one of our own; in either direction.
fn request_id(headers: Option<&HeaderMap>, wall: SystemTime) -> HeaderValue {
    once(match headers.and_then(|headers| headers.get(&REQUEST_ID)) {
        Some(id) if request_id::is_well_formed(id.as_bytes()) => id.clone(),
        _ => {
            let id = RequestId::generate(clock::unix_ms(wall), random::u128());
            HeaderValue::from_bytes(id.as_str().as_bytes()).unwrap_or(HeaderValue::from_static("-"))
        }
    })
}
