use super::{Config, Duration, Endpoint, Keepalive, Problem};

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { host: host.into(), port }
}

#[test]
fn the_defaults_have_no_problems() {
    assert_eq!(Config::new("shop", vec![endpoint("localhost", 1)]).problems(), []);
}

#[test]
fn every_problem_is_found_at_once() {
    let config = Config {
        endpoints: vec![endpoint("a", 1), endpoint("", 1), endpoint("a", 0)],
        connect_timeout: Duration::ZERO,
        connections_max: 0,
        streams_max: 0,
        idle_timeout: Some(Duration::ZERO),
        keepalive: Some(Keepalive { interval: Duration::ZERO, timeout: Duration::ZERO }),
        stream_window_bytes: 65_534,
        connection_window_bytes: u32::MAX,
        ..Config::new("shop", Vec::new())
    };
    assert_eq!(
        config.problems(),
        [
            Problem::Endpoint(1),
            Problem::Endpoint(2),
            Problem::Zero("connect_timeout"),
            Problem::Zero("idle_timeout"),
            Problem::Zero("keepalive.interval"),
            Problem::Zero("keepalive.timeout"),
            Problem::Nothing("connections_max"),
            Problem::Nothing("streams_max"),
            Problem::Window("stream_window_bytes"),
            Problem::Window("connection_window_bytes"),
        ]
    );
    assert_eq!(Config::new("shop", Vec::new()).problems(), [Problem::NoEndpoints]);
}

#[test]
fn endpoints_print_as_authorities() {
    let shown = [("::1", 80), ("[::1]", 80), ("10.0.0.1", 1), ("shop.local", 65_535)]
        .map(|(host, port)| endpoint(host, port).to_string());
    assert_eq!(shown, ["[::1]:80", "[::1]:80", "10.0.0.1:1", "shop.local:65535"]);
}
