use super::{Admission, Permit, Refusal};
use crate::config::{Config, Limits, limits};
use crate::gateway::{Gateway, Telemetry};
use crate::snapshot::{Schemas, Snapshot};
use std::net::IpAddr;
use std::sync::Arc;
use tidegate_telemetry::metrics::Metrics;

fn gateway(max: usize) -> Arc<Gateway> {
    let metrics = Arc::new(Metrics::new("0", 1));
    let connections = limits::Connections { max, ..limits::Connections::default() };
    let memory = limits::Memory { max: Some(1000), ..limits::Memory::default() };
    let config = Config { connections, memory, ..Config::default() };
    let snapshot = Snapshot::compile(config, &Schemas::new(), &metrics, 1).expect("nothing can be wrong");
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
}

fn gate(gateway: &Gateway, connections: usize, connections_per_ip: usize) -> Arc<Admission> {
    let limits = Limits { connections, connections_per_ip, ..Limits::default() };
    Admission::new(Arc::new(limits), Arc::default(), gateway.telemetry().metrics.listener("l"))
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn why(admitted: Result<Permit, Refusal>) -> Refusal {
    admitted.expect_err("it is refused")
}

#[test]
fn each_limit_refuses_with_its_own_reason_and_gives_back_what_others_had_taken() {
    let gateway = gateway(3);
    let (first, second) = (gate(&gateway, 2, 1), gate(&gateway, 2, 2));
    let a = first.admit(&gateway, ip("10.0.0.1")).expect("free");
    assert_eq!(why(first.admit(&gateway, ip("10.0.0.1"))), Refusal::Address);
    let _b = first.admit(&gateway, ip("10.0.0.2")).expect("free");
    assert_eq!(why(first.admit(&gateway, ip("10.0.0.3"))), Refusal::Listener);
    let _c = second.admit(&gateway, ip("10.0.0.1")).expect("each listener counts for itself");
    assert_eq!(why(second.admit(&gateway, ip("10.0.0.1"))), Refusal::Process);
    drop(a);
    let _again = first.admit(&gateway, ip("10.0.0.1")).expect("what was refused took nothing");
}

#[test]
fn an_address_that_has_left_is_forgotten() {
    let gateway = gateway(3);
    let gate = gate(&gateway, 3, 3);
    let permits = [1, 2].map(|_| gate.admit(&gateway, ip("10.0.0.1")).expect("free"));
    assert_eq!(gate.addresses.lock().len(), 1);
    drop(permits);
    assert_eq!(gate.addresses.lock().len(), 0);
}

#[test]
fn an_ipv6_network_is_one_client_and_a_mapped_ipv4_address_is_ipv4() {
    let gateway = gateway(9);
    let gate = gate(&gateway, 9, 1);
    let taken = ["2001:db8:0:1::1", "2001:db8:0:2::1", "::ffff:10.0.0.1"];
    let _permits = taken.map(|address| gate.admit(&gateway, ip(address)).expect("free"));
    for address in ["2001:db8:0:1:ffff::2", "10.0.0.1"] {
        assert_eq!(why(gate.admit(&gateway, ip(address))), Refusal::Address, "{address}");
    }
}

#[test]
fn without_memory_no_connection_is_taken() {
    let gateway = gateway(3);
    gateway.memory().set_resident(1000);
    assert_eq!(why(gate(&gateway, 3, 3).admit(&gateway, ip("10.0.0.1"))), Refusal::Memory);
}
