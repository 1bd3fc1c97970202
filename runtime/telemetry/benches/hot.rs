//! What a request pays for being observed: nanoseconds of one thread, for each operation.
#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::{
    hint::black_box,
    time::{Duration, SystemTime},
};

use tidegate_telemetry::{
    access_log::{AccessLog, Format, Record},
    clock,
    metrics::Metrics,
    random,
    request_id::RequestId,
    trace_context::TraceContext,
};

const ROUNDS: u32 = 200_000;

fn main() {
    let metrics = Metrics::new("bench", 2);
    let route = metrics.route("shop", "shop.v1.Orders/Get");
    measure("observe a request", || route.observe(200, 0, black_box(Duration::from_millis(3))));
    measure("count it in flight", || drop(metrics.in_flight().guard()));
    measure("make a request id", || {
        black_box(RequestId::generate(black_box(1_795_406_706_789), random::u128()));
    });
    let traceparent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    measure("pass a traceparent on", || {
        let context = TraceContext::parse(black_box(traceparent)).expect("it is valid");
        black_box(context.child(random::u64()).to_traceparent());
    });
    for format in [Format::Json, Format::Text] {
        let output = Box::new(std::io::sink());
        let (log, writer) = AccessLog::start(format, output, 1, usize::MAX).expect("a thread");
        let context = TraceContext::generate(1, 2);
        let name = format!("write a line of the access log, {format:?}");
        measure(&name, || log.write(black_box(&record(context))));
        writer.close();
    }
}

fn measure(what: &str, mut operation: impl FnMut()) {
    operation();
    let began = clock::now();
    (0..ROUNDS).for_each(|_| operation());
    let nanos = (clock::now() - began).as_nanos() / u128::from(ROUNDS);
    println!("{what}: {nanos} ns");
}

fn record(context: TraceContext) -> Record<'static> {
    Record {
        began: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_406_706_789),
        request_id: "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        trace_id: Some(context.trace_id),
        span_id: Some(context.span_id),
        peer: Some(([127, 0, 0, 1], 4_711).into()),
        host: Some(b"api.example.com"),
        method: "GET",
        path: "/v1/orders/42?view=full",
        protocol: "HTTP/1.1",
        route: Some("shop.v1.Orders"),
        rpc: Some("shop.v1.Orders/Get"),
        upstream: Some("shop"),
        canary: None,
        fallback: None,
        endpoint: Some("127.0.0.1:50051"),
        status: 200,
        grpc_status: Some(0),
        duration: Duration::from_micros(1_234),
        upstream_duration: Some(Duration::from_micros(987)),
        attempts: None,
        queued: None,
        bytes_in: 0,
        bytes_out: 321,
        reason: None,
        limit: None,
        user_agent: Some(b"curl/8.0"),
    }
}
