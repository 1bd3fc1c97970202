use super::{BadNetwork, Network};
use std::net::IpAddr;

fn network(text: &str) -> Network {
    text.parse().expect("a network")
}

#[test]
fn a_network_holds_its_addresses_and_no_others() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.6", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
        ("::/0", "::1", true),
        ("::/0", "10.0.0.1", false),
    ];
    for (text, address, want) in cases {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(network(text).contains(address), want, "{address} in {text}");
    }
}

#[test]
fn what_is_no_network_is_refused() {
    let cases = [
        ("", BadNetwork::Syntax),
        ("10.0.0.0/", BadNetwork::Syntax),
        ("10.0.0.0/+8", BadNetwork::Syntax),
        ("local", BadNetwork::Syntax),
        ("10.0.0.0/33", BadNetwork::Length(32)),
        ("10.0.0.0/999", BadNetwork::Length(32)),
        ("fd00::/129", BadNetwork::Length(128)),
        ("10.1.0.0/8", BadNetwork::HostBits(network("10.0.0.0/8"))),
    ];
    for (text, want) in cases {
        assert_eq!(text.parse::<Network>(), Err(want), "{text}");
    }
}
