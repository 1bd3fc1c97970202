//! What clients may take: every key, the defaults, and what is refused.

use crate::{LISTENERS, ROUTES, UPSTREAMS, lines, parse, rejects};
use std::time::Duration;
use tidegate_gateway::config::Limits;
use tidegate_gateway::config::limits::{Body, Connections, H2, Headers, Memory, Replies};
use tidegate_upstream::Keepalive;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn every_limit_of_a_listener_arrives() {
    let listener = [
        "connections: { max: 3, fd_reserve: 4 }",
        "memory: { max: 1GiB, shed: 90% }",
        "listeners:",
        "  - bind: 127.0.0.1:0",
        "    connections: { max: 5, per_ip: 6 }",
        "    headers: { max: 7, max_bytes: 8KiB, timeout: 9s }",
        "    body: { max_bytes: 10KiB, timeout: 11s, min_rate: 12B/s }",
        "    idle_timeout: 13s",
        "    write_timeout: 14s",
        "    request_timeout: 15s",
        "    max_age: 16s",
        "    max_requests: 17",
        "    h2:",
        "      max_streams: 18",
        "      stream_window: 128KiB",
        "      connection_window: 1MiB",
        "      max_resets: 19",
        "      max_local_resets: 20",
        "      ping_interval: 21s",
        "      ping_timeout: 22s",
    ];
    let text = lines(&[&listener[..], &[UPSTREAMS, ROUTES]].concat());
    let config = parse(&text).expect("it is right").config;
    assert_eq!(config.connections, Connections { max: 3, fd_reserve: 4 });
    assert_eq!(config.memory, Memory { max: Some(1 << 30), shed_percent: 90 });
    let want = Limits {
        connections: 5,
        connections_per_ip: 6,
        headers: Headers { max: 7, max_bytes: 8 << 10, timeout: seconds(9) },
        body: Body { max_bytes: 10 << 10, timeout: seconds(11), min_rate: 12 },
        idle_timeout: seconds(13),
        write_timeout: seconds(14),
        request_timeout: seconds(15),
        max_age: seconds(16),
        max_requests: 17,
        h2: H2 {
            max_streams: 18,
            stream_window: 128 << 10,
            connection_window: 1 << 20,
            max_resets: 19,
            max_local_resets: 20,
            ping_interval: seconds(21),
            ping_timeout: seconds(22),
        },
    };
    assert_eq!(*config.listeners[0].limits, want);
}

#[test]
fn without_a_word_the_limits_are_the_safe_ones() {
    let config = parse(&lines(&[LISTENERS, UPSTREAMS, ROUTES])).expect("it is right").config;
    assert_eq!(*config.listeners[0].limits, Limits::default());
    assert_eq!(config.connections, Connections::default());
    assert_eq!(config.memory.shed_percent, 95);
    let machine = tidegate_control::machine::memory();
    assert_eq!(config.memory.max, machine.map(|bytes| bytes / 5 * 4));
    assert_eq!(config.upstreams[0].replies, Replies::default());
    let endpoints = config.upstreams[0].pool.endpoints.clone();
    let pool = tidegate_upstream::Config { connections_ahead: 1, ..tidegate_upstream::Config::new("shop", endpoints) };
    assert_eq!(config.upstreams[0].pool, pool);
    assert_eq!((config.routes[0].max_body, config.routes[0].max_message), (None, None));
}

#[test]
fn every_limit_of_an_upstream_and_of_a_route_arrives() {
    let text = [
        LISTENERS,
        "upstreams:",
        "  shop:",
        "    endpoints: [127.0.0.1:50051]",
        "    schema: { proto: [proto] }",
        "    connect_timeout: 1s",
        "    connections: 2",
        "    connections_ahead: 2",
        "    streams: 3",
        "    waiting: 4",
        "    idle_timeout: 5s",
        "    keepalive: { interval: 6s, timeout: 7s }",
        "    h2: { stream_window: 64KiB, max_header_bytes: 8KiB }",
        "    max_message: 9KiB",
        "    max_ratio: 10",
        "routes: [{ service: shop.v1.Orders, upstream: shop, max_body: 11KiB, max_message: 12KiB }]",
    ];
    let config = parse(&lines(&text)).expect("it is right").config;
    let upstream = &config.upstreams[0];
    let want = tidegate_upstream::Config {
        connect_timeout: seconds(1),
        connections_max: 2,
        connections_ahead: 2,
        streams_max: 3,
        waiting_max: 4,
        idle_timeout: Some(seconds(5)),
        keepalive: Some(Keepalive { interval: seconds(6), timeout: seconds(7) }),
        stream_window_bytes: 64 << 10,
        // Of all streams together.
        connection_window_bytes: 3 * (64 << 10),
        header_list_max_bytes: 8 << 10,
        ..tidegate_upstream::Config::new("shop", upstream.pool.endpoints.clone())
    };
    assert_eq!(upstream.pool, want);
    assert_eq!(upstream.pool.problems(), []);
    assert_eq!(upstream.replies, Replies { max_message: 9 << 10, max_ratio: 10 });
    assert_eq!((config.routes[0].max_body, config.routes[0].max_message), (Some(11 << 10), Some(12 << 10)));
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let listener = "listeners: [{ bind: 127.0.0.1:0, headers: { max: 0, timeout: 10 }, body: { min_rate: 240 }, \
                    h2: { stream_window: 2MiB, connection_window: 1MiB } }]";
    rejects(
        &lines(&[listener, UPSTREAMS, ROUTES]),
        r"
error: `max` must be a number, not `0`
 --> tidegate.yaml:1:50
  |
1 | listeners: [{ bind: 127.0.0.1:0, headers: { max: 0, timeout: 10 }, body: { min_rate: 240 }, h2: { stream_window: 2MiB, connection_window: 1MiB } }]
  |                                                  ^ from `1` to `1000`

error: `timeout` must be a duration, not `10`
 --> tidegate.yaml:1:62
  |
1 | listeners: [{ bind: 127.0.0.1:0, headers: { max: 0, timeout: 10 }, body: { min_rate: 240 }, h2: { stream_window: 2MiB, connection_window: 1MiB } }]
  |                                                              ^^ it needs a unit: `10s` or `10ms`

error: `min_rate` must be a rate, not `240`
 --> tidegate.yaml:1:86
  |
1 | listeners: [{ bind: 127.0.0.1:0, headers: { max: 0, timeout: 10 }, body: { min_rate: 240 }, h2: { stream_window: 2MiB, connection_window: 1MiB } }]
  |                                                                                      ^^^ write for example `240B/s` or `1KiB/s`

error: `connection_window` is less than `stream_window`
 --> tidegate.yaml:1:139
  |
1 | listeners: [{ bind: 127.0.0.1:0, headers: { max: 0, timeout: 10 }, body: { min_rate: 240 }, h2: { stream_window: 2MiB, connection_window: 1MiB } }]
  |                                                                                                                                           ^^^^ one stream could not use its own
",
    );
}
