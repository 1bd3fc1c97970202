//! URLs.

use super::{Address, AddressError};

fn address(host: &str, port: u16, tls: bool) -> Address {
    Address { host: host.to_owned(), port, tls }
}

#[test]
fn an_address_is_a_host_and_perhaps_a_port() {
    for (url, want, shown) in [
        ("rls://limits", address("limits", 8081, false), "rls://limits:8081"),
        ("rls://limits.mesh:80/", address("limits.mesh", 80, false), "rls://limits.mesh:80"),
        ("rlss://10.0.0.1:1", address("10.0.0.1", 1, true), "rlss://10.0.0.1:1"),
        ("rls://[::1]:9", address("::1", 9, false), "rls://[::1]:9"),
        ("rls://[::1]", address("::1", 8081, false), "rls://[::1]:8081"),
    ] {
        let read = Address::parse(url).expect(url);
        assert_eq!((read.to_string().as_str(), &read), (shown, &want));
    }
}

#[test]
fn what_is_no_address_is_told() {
    let host = |text: &str| AddressError::Host(text.to_owned());
    for (url, want) in [
        ("limits:8081", AddressError::Scheme),
        ("http://limits", AddressError::Scheme),
        ("rls://", AddressError::NoHost),
        ("rls://me:pass@limits", AddressError::User),
        ("rls://limits/edge", AddressError::Extra),
        ("rls://limits?domain=edge", AddressError::Extra),
        ("rls://limits:", host("limits:")),
        ("rls://limits:0", host("limits:0")),
        ("rls://limits:65536", host("limits:65536")),
        ("rls://a,b", host("a,b")),
        ("rls://::1", host("::1")),
        ("rls://[::1", host("[::1")),
        ("rls://a b", host("a b")),
    ] {
        assert_eq!(Address::parse(url), Err(want), "{url}");
    }
}
