use super::*;

#[track_caller]
fn check<T: std::fmt::Debug + PartialEq>(
    parse: fn(&str) -> Result<T, Wrong>,
    good: &[(&str, T)],
    bad: &[(&str, &str)],
) {
    for (text, value) in good {
        assert_eq!(parse(text).as_ref(), Ok(value), "{text}");
    }
    for (text, hint) in bad {
        let error = parse(text).expect_err(text);
        assert_eq!(error.hint, *hint, "{text}");
    }
}

#[test]
fn durations_have_a_unit_and_are_exact() {
    let ns = Duration::from_nanos;
    let how = "write for example `250ms`, `2s` or `1m`";
    check(
        duration,
        &[
            ("250ms", ns(250_000_000)),
            ("2s", ns(2_000_000_000)),
            ("1m", ns(60_000_000_000)),
            ("24h", ns(86_400_000_000_000)),
            ("10us", ns(10_000)),
            ("1.5s", ns(1_500_000_000)),
            ("0.000000001s", ns(1)),
        ],
        &[
            ("10", "it needs a unit: `10s` or `10ms`"),
            ("0s", "it must be more than 0"),
            ("25h", "it can be at most `24h`"),
            ("99999999999999999999s", how),
            ("9999999999999h", how),
            ("0.0000000001s", how),
            ("1.0000001us", how),
            ("1.s", how),
            (".5s", how),
            ("1.2.3s", how),
            ("-1s", how),
            ("1 s", how),
            ("1d", how),
            ("s", how),
            ("", how),
        ],
    );
}

#[test]
fn a_bind_address_is_an_ip_address_and_a_port() {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let how = "write for example `0.0.0.0:8080` or `[::]:8080`";
    check(
        bind,
        &[("127.0.0.1:0", address("127.0.0.1:0")), ("[::1]:80", address("[::1]:80"))],
        &[
            ("8080", "write `0.0.0.0:8080` or `127.0.0.1:8080`"),
            (":8080", "write `0.0.0.0:8080` or `127.0.0.1:8080`"),
            ("localhost:80", "write `127.0.0.1:80`"),
            ("127.0.0.1", "the port is missing"),
            ("::1", "the port is missing"),
            ("127.0.0.1:65536", how),
            ("1.2.3:80", how),
            ("", how),
        ],
    );
}

#[test]
fn an_endpoint_is_a_host_and_a_port() {
    let range = "the port must be a number from 1 to 65535";
    check(
        endpoint,
        &[
            ("127.0.0.1:50051", ("127.0.0.1".to_owned(), 50051)),
            ("[::1]:80", ("::1".to_owned(), 80)),
            ("[0:0::1]:80", ("::1".to_owned(), 80)),
            ("Shop_1.local:1", ("Shop_1.local".to_owned(), 1)),
        ],
        &[
            ("http://a:1", "leave the scheme away: `127.0.0.1:50051`"),
            ("a", "the port is missing"),
            ("::1", "the port is missing"),
            ("127.0.0.1:0", "the port must not be 0"),
            ("a:0", "the port must not be 0"),
            ("a:", range),
            ("a:65536", range),
            ("a:+1", range),
            ("a:1x", range),
            (":1", "write for example `127.0.0.1:50051`"),
            ("a/b:1", "write for example `127.0.0.1:50051`"),
            ("a..b:1", "write for example `127.0.0.1:50051`"),
            ("-a:1", "write for example `127.0.0.1:50051`"),
        ],
    );
}

#[test]
fn a_host_is_a_name_or_a_wildcard_in_lower_case() {
    let exact = |text: &str| HostPattern::Exact(text.to_owned());
    let how = "write for example `api.example.com` or `\"*.example.com\"`";
    check(
        host,
        &[
            ("API.example.com", exact("api.example.com")),
            ("localhost", exact("localhost")),
            ("127.0.0.1", exact("127.0.0.1")),
            ("[::1]", exact("[::1]")),
            ("*.Example.com", HostPattern::Suffix(".example.com".to_owned())),
        ],
        &[
            ("example.com:80", "leave the port and the scheme away: routes match the name alone"),
            ("http://example.com", "leave the port and the scheme away: routes match the name alone"),
            ("*", "leave `host` away to match every host"),
            ("*.", "write for example `\"*.example.com\"`"),
            ("*.*.com", "write for example `\"*.example.com\"`"),
            ("api.*", how),
            ("a_b-.com", how),
            ("exämple.com", how),
            ("", how),
        ],
    );
}

#[test]
fn a_service_is_a_full_name() {
    let how = "for example `shop.v1.Orders`";
    check(
        service,
        &[("shop.v1.Orders", "shop.v1.Orders".to_owned()), ("Echo", "Echo".to_owned())],
        &[
            ("shop.v1.Orders/Get", "a service alone, without method"),
            (".a.B", how),
            ("a..B", how),
            ("1a.B", how),
            ("", how),
        ],
    );
}

#[test]
fn a_header_pattern_has_one_star_at_an_end() {
    let how = "for example `x-user-id`, `x-*` or `\"*-bin\"`";
    let reserved = "`grpc-…` belongs to the protocol and cannot be passed on";
    check(
        header_pattern,
        &[
            ("X-User-Id", "x-user-id".to_owned()),
            ("x-*", "x-*".to_owned()),
            ("*-bin", "*-bin".to_owned()),
            ("*", "*".to_owned()),
        ],
        &[
            ("a*b", how),
            ("**", how),
            ("*a*", how),
            ("x y", how),
            (":path", how),
            ("", how),
            ("grpc-timeout", reserved),
            ("Grpc-*", reserved),
        ],
    );
}

#[test]
fn numbers_of_workers_are_bounded() {
    let how = "write `0` for one per core, or at most `1024`";
    check(workers, &[("0", 0), ("1024", 1024)], &[("1025", how), ("-1", how), ("1.5", how), ("", how)]);
}

#[test]
fn booleans_are_true_and_false() {
    let how = "write `true` or `false`";
    check(boolean, &[("true", true), ("false", false)], &[("yes", how), ("True", how), ("1", how), ("", how)]);
}
