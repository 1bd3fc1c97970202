use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    Metrics,
    limits::{BadRequest, Limit},
    listeners::Refusal,
    requests::NO_GRPC_CODE,
    schemas::Fetch,
    upstreams::{Figures, Source},
};
use crate::access_log::{AccessLog, Format};

fn exposition(metrics: &Metrics) -> String {
    let mut out = String::new();
    metrics.encode(&mut out).unwrap();
    out
}

/// The sample lines (no comments) that begin with `prefix`.
fn samples(metrics: &Metrics, prefix: &str) -> Vec<String> {
    exposition(metrics).lines().filter(|line| line.starts_with(prefix)).map(str::to_owned).collect()
}

fn request_counts(metrics: &Metrics) -> Vec<String> {
    samples(metrics, "tidegate_request_duration_seconds_count")
}

#[test]
fn a_request_is_in_every_bucket_at_or_above_its_duration() {
    let metrics = Metrics::new("1.2.3", 2);
    let route = metrics.route("shop", "shop.v1.Orders/Get");
    // Exactly on a bound, inside, below all and above all.
    for micros in [5_000, 30_000, 1, 20_000_000] {
        route.observe(200, 0, Duration::from_micros(micros));
    }
    let labels = r#"route="shop",method="shop.v1.Orders/Get",status_code="200",grpc_code="OK""#;
    let buckets = [
        ("0.001", 1),
        ("0.0025", 1),
        ("0.005", 2),
        ("0.01", 2),
        ("0.025", 2),
        ("0.05", 3),
        ("0.075", 3),
        ("0.1", 3),
        ("0.25", 3),
        ("0.5", 3),
        ("0.75", 3),
        ("1.0", 3),
        ("2.5", 3),
        ("5.0", 3),
        ("7.5", 3),
        ("10.0", 3),
        ("15.0", 3),
        ("+Inf", 4),
    ];
    let mut expected = vec![
        format!("tidegate_request_duration_seconds_sum{{{labels}}} 20.035001"),
        format!("tidegate_request_duration_seconds_count{{{labels}}} 4"),
    ];
    expected.extend(
        buckets.map(|(le, count)| format!("tidegate_request_duration_seconds_bucket{{le=\"{le}\",{labels}}} {count}")),
    );
    assert_eq!(samples(&metrics, "tidegate_request_duration_seconds"), expected);
}

#[test]
fn each_pair_of_statuses_is_a_series() {
    let metrics = Metrics::new("1.2.3", 1);
    let route = metrics.route("r", "m");
    route.observe(499, 1, Duration::ZERO);
    route.observe(499, 1, Duration::ZERO);
    route.observe(200, NO_GRPC_CODE, Duration::ZERO);
    let mut counts = request_counts(&metrics);
    counts.sort();
    let name = "tidegate_request_duration_seconds_count";
    assert_eq!(
        counts,
        [
            format!(r#"{name}{{route="r",method="m",status_code="200",grpc_code=""}} 1"#),
            format!(r#"{name}{{route="r",method="m",status_code="499",grpc_code="CANCELLED"}} 2"#),
        ]
    );
}

#[test]
fn more_statuses_than_there_are_series_are_shown_together() {
    let metrics = Metrics::new("1.2.3", 1);
    let route = metrics.route("r", "m");
    (100..200).for_each(|status| route.observe(status, 0, Duration::ZERO));
    let counts = request_counts(&metrics);
    assert_eq!(counts.len(), 33);
    assert_eq!(
        counts.last().unwrap(),
        "tidegate_request_duration_seconds_count\
         {route=\"r\",method=\"m\",status_code=\"other\",grpc_code=\"\"} 68"
    );
}

#[test]
fn threads_add_up() {
    let metrics = Arc::new(Metrics::new("1.2.3", 4));
    let route = metrics.route("r", "m");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (metrics, route) = (Arc::clone(&metrics), Arc::clone(&route));
            std::thread::spawn(move || {
                for status in [200, 404].repeat(500) {
                    let _in_flight = metrics.in_flight().guard();
                    route.observe(status, 0, Duration::from_millis(1));
                }
                metrics.in_flight().begin();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // Ended on another thread than it began on.
    metrics.in_flight().end();

    let counts: Vec<_> =
        request_counts(&metrics).iter().map(|line| line.rsplit_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!((counts, metrics.in_flight().get()), (vec!["4000".into(), "4000".into()], 7));
    assert_eq!(samples(&metrics, "tidegate_requests"), ["tidegate_requests_in_flight 7"]);
}

#[test]
fn a_route_keeps_its_counts_while_anybody_holds_it_and_then_disappears() {
    let metrics = Metrics::new("1.2.3", 1);
    let before = metrics.route("r", "m");
    before.observe(200, 0, Duration::ZERO);
    let after = metrics.route("r", "m");
    drop(before);
    after.observe(200, 0, Duration::ZERO);
    let name = "tidegate_request_duration_seconds_count";
    let labels = r#"route="r",method="m",status_code="200",grpc_code="OK""#;
    assert_eq!(request_counts(&metrics), [format!("{name}{{{labels}}} 2")]);
    drop(after);
    assert_eq!(request_counts(&metrics), [""; 0]);
}

#[test]
fn names_from_the_config_cannot_break_the_exposition() {
    let metrics = Metrics::new("1.2.3", 1);
    let _listener = metrics.listener("a\"} evil{x=\"1\n");
    assert_eq!(
        samples(&metrics, "tidegate_connections{"),
        ["tidegate_connections{listener=\"a\\\"} evil{x=\\\"1\\n\"} 0"]
    );
}

#[test]
fn connections_are_counted_by_listener() {
    let metrics = Metrics::new("1.2.3", 1);
    let listener = metrics.listener("0.0.0.0:8080");
    let open = [listener.accepted(), metrics.listener("0.0.0.0:8080").accepted()];
    let [one, _two] = open;
    drop(one);
    listener.refused(Refusal::Address);
    listener.set_limit(10);
    assert_eq!(
        samples(&metrics, "tidegate_connections"),
        [
            r#"tidegate_connections{listener="0.0.0.0:8080"} 1"#,
            r#"tidegate_connections_accepted_total{listener="0.0.0.0:8080"} 2"#,
            r#"tidegate_connections_refused_total{listener="0.0.0.0:8080",reason="process"} 0"#,
            r#"tidegate_connections_refused_total{listener="0.0.0.0:8080",reason="listener"} 0"#,
            r#"tidegate_connections_refused_total{listener="0.0.0.0:8080",reason="address"} 1"#,
            r#"tidegate_connections_refused_total{listener="0.0.0.0:8080",reason="memory"} 0"#,
            r#"tidegate_connections_limit{listener="0.0.0.0:8080"} 10"#,
            "tidegate_connections_process_limit 0",
        ]
    );
    assert_eq!(listener.open(), 1);
}

#[derive(Debug)]
struct Worker(&'static str, u64);

impl Source for Worker {
    fn name(&self) -> &str {
        self.0
    }

    fn figures(&self) -> Figures {
        Figures {
            connections_open: self.1,
            requests: 10 * self.1,
            failures: vec![("reset", self.1), ("deadline", 0)],
            ..Figures::default()
        }
    }
}

#[test]
fn the_workers_of_an_upstream_are_shown_as_one() {
    let metrics = Metrics::new("1.2.3", 1);
    let workers = [Worker("shop", 1), Worker("web", 5), Worker("shop", 2)].map(Arc::new);
    workers.iter().for_each(|worker| metrics.register_upstream(worker));
    metrics.register_upstream(&Arc::new(Worker("gone", 1)));

    assert_eq!(
        [
            samples(&metrics, "tidegate_upstream_connections{"),
            samples(&metrics, "tidegate_upstream_requests_total"),
            samples(&metrics, "tidegate_upstream_failures_total"),
        ]
        .concat(),
        [
            r#"tidegate_upstream_connections{upstream="shop"} 3"#,
            r#"tidegate_upstream_connections{upstream="web"} 5"#,
            r#"tidegate_upstream_requests_total{upstream="shop"} 30"#,
            r#"tidegate_upstream_requests_total{upstream="web"} 50"#,
            r#"tidegate_upstream_failures_total{upstream="shop",reason="reset"} 3"#,
            r#"tidegate_upstream_failures_total{upstream="shop",reason="deadline"} 0"#,
            r#"tidegate_upstream_failures_total{upstream="web",reason="reset"} 5"#,
            r#"tidegate_upstream_failures_total{upstream="web",reason="deadline"} 0"#,
        ]
    );
}

#[test]
fn the_config_in_force_and_the_last_attempt_are_shown() {
    let metrics = Metrics::new("1.2.3", 1);
    metrics.config().accepted(7, SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
    metrics.config().rejected();
    metrics.config().source_read(false);
    assert_eq!(
        samples(&metrics, "tidegate_config"),
        [
            "tidegate_config_generation 7",
            r#"tidegate_config_loads_total{result="accepted"} 1"#,
            r#"tidegate_config_loads_total{result="rejected"} 1"#,
            "tidegate_config_last_load_accepted 0",
            "tidegate_config_source_up 0",
            "tidegate_config_last_accepted_timestamp_seconds 1",
        ]
    );
}

#[test]
fn the_access_log_is_shown_while_it_lives() {
    let metrics = Metrics::new("1.2.3", 1);
    let (log, writer) = AccessLog::start(Format::Json, Box::new(std::io::sink()), 1, 1_024).unwrap();
    metrics.register_access_log(&log);
    assert_eq!(
        samples(&metrics, "tidegate_access_log"),
        [
            "tidegate_access_log_lines_total 0",
            "tidegate_access_log_dropped_total 0",
            "tidegate_access_log_queue_bytes 0",
            "tidegate_access_log_queue_limit_bytes 1024",
        ]
    );
    writer.close();
    drop(log);
    assert_eq!(samples(&metrics, "tidegate_access_log"), [""; 0]);
}

#[test]
fn an_empty_exposition_is_complete() {
    let text = exposition(&Metrics::new("1.2.3", 1));
    assert!(text.contains("tidegate_build_info{version=\"1.2.3\"} 1\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn limits_that_were_reached_are_counted_by_limit() {
    let metrics = Metrics::new("1.2.3", 1);
    metrics.limits().reached(Limit::WriteTimeout);
    metrics.limits().bad_request(BadRequest::Header);
    let counted =
        |prefix: &str| samples(&metrics, prefix).into_iter().filter(|line| !line.ends_with(" 0")).collect::<Vec<_>>();
    assert_eq!(counted("tidegate_limited"), [r#"tidegate_limited_total{limit="write_timeout"} 1"#]);
    assert_eq!(counted("tidegate_bad_requests"), [r#"tidegate_bad_requests_total{reason="header"} 1"#]);
}

#[test]
fn memory_in_use_is_the_larger_of_what_is_held_and_what_is_resident() {
    let metrics = Metrics::new("1.2.3", 1);
    let memory = &metrics.limits().memory;
    memory.hold(100);
    memory.set_resident(70);
    assert_eq!(memory.used(), 100);
    memory.hold(-60);
    assert_eq!(memory.used(), 70);
    memory.set_limit(90);
    let want = ["tidegate_memory_held_bytes 40", "tidegate_memory_resident_bytes 70", "tidegate_memory_limit_bytes 90"];
    assert_eq!(samples(&metrics, "tidegate_memory"), want);
}

#[test]
fn schemas_are_shown_where_they_are_followed() {
    let metrics = Metrics::new("1.2.3", 1);
    assert_eq!(samples(&metrics, "tidegate_schema"), Vec::<String>::new());
    metrics.schema("shop").fetched(Fetch::Accepted, true, SystemTime::UNIX_EPOCH + Duration::from_millis(7_900));
    metrics.schema("shop").fetched(Fetch::Rejected, false, SystemTime::UNIX_EPOCH + Duration::from_secs(9));
    metrics.schema("far").fetched(Fetch::Failed, false, SystemTime::UNIX_EPOCH + Duration::from_secs(9));
    assert_eq!(
        samples(&metrics, "tidegate_schema"),
        [
            r#"tidegate_schema_in_force{upstream="shop"} 1"#,
            r#"tidegate_schema_in_force{upstream="far"} 0"#,
            r#"tidegate_schema_current{upstream="shop"} 0"#,
            r#"tidegate_schema_current{upstream="far"} 0"#,
            r#"tidegate_schema_last_answered_timestamp_seconds{upstream="shop"} 9"#,
            r#"tidegate_schema_last_answered_timestamp_seconds{upstream="far"} 0"#,
            r#"tidegate_schema_fetches_total{upstream="shop",result="accepted"} 1"#,
            r#"tidegate_schema_fetches_total{upstream="shop",result="unchanged"} 0"#,
            r#"tidegate_schema_fetches_total{upstream="shop",result="rejected"} 1"#,
            r#"tidegate_schema_fetches_total{upstream="shop",result="failed"} 0"#,
            r#"tidegate_schema_fetches_total{upstream="far",result="accepted"} 0"#,
            r#"tidegate_schema_fetches_total{upstream="far",result="unchanged"} 0"#,
            r#"tidegate_schema_fetches_total{upstream="far",result="rejected"} 0"#,
            r#"tidegate_schema_fetches_total{upstream="far",result="failed"} 1"#,
        ]
    );
}
