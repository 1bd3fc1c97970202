//! The finder against a DNS server on the loopback.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SRV};
use hickory_proto::rr::{Name, RData, Record};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_dns::{Dns, Question, Servers};
use tidegate_traffic::discovery::{Finder, Found, Lost, Place};
use tokio::net::UdpSocket;

/// What a server answers: the records of a question, or that there is no such name.
type Zone = Arc<Mutex<Vec<(&'static str, u32, RData)>>>;

/// A server of these records; of other names it says that they are not there.
async fn server(zone: &Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let zone = Arc::clone(zone);
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut packet).await.expect("a question");
            let question = Message::from_vec(&packet[..length]).expect("a question");
            let answer = answer(question, &zone.lock());
            socket.send_to(&answer.to_vec().expect("an answer"), from).await.expect("it is sent");
        }
    });
    address
}

fn answer(question: Message, zone: &[(&'static str, u32, RData)]) -> Message {
    let asked = question.queries[0].clone();
    let mut answer = question.into_response();
    let of_name = |name: &str| Name::from_ascii(name).expect("a name") == *asked.name();
    for (name, ttl, data) in zone.iter().filter(|(name, ..)| of_name(name)) {
        if data.record_type() == asked.query_type() {
            answer.add_answer(Record::from_rdata(Name::from_ascii(name).expect("a name"), *ttl, data.clone()));
        }
    }
    if !zone.iter().any(|(name, ..)| of_name(name)) {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer
}

fn place(host: &str, port: u16, weight: u32) -> Place {
    Place { host: host.into(), port, weight }
}

fn addresses(host: &str, at: SocketAddr) -> Dns {
    Dns::new(Question::Addresses { host: host.into(), port: 50051 }, Servers::These(vec![at]))
}

#[tokio::test]
async fn every_address_of_a_name_is_an_endpoint_for_as_long_as_its_ttl() {
    let zone: Zone = Arc::default();
    let at = server(&zone).await;
    *zone.lock() = vec![
        ("shop.test.", 30, RData::A(A::new(10, 0, 0, 2))),
        ("shop.test.", 7, RData::A(A::new(10, 0, 0, 1))),
        ("shop.test.", 60, RData::AAAA(AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, 1))),
    ];
    let mut finder = addresses("shop.test.", at);
    let all = vec![place("10.0.0.1", 50051, 1), place("10.0.0.2", 50051, 1), place("fd00::1", 50051, 1)];
    assert_eq!(finder.next().await, Ok(Found { places: all, again: Some(Duration::from_secs(7)), wrong: vec![] }));
    // Nothing is remembered: what is asked again is asked.
    *zone.lock() = vec![("shop.test.", 5, RData::A(A::new(10, 0, 0, 9)))];
    let moved = Found { places: vec![place("10.0.0.9", 50051, 1)], again: Some(Duration::from_secs(5)), wrong: vec![] };
    assert_eq!(finder.next().await, Ok(moved.clone()));
    zone.lock().clear();
    assert_eq!(finder.next().await, Err(Lost("there is no shop.test. in DNS".into())));
    *zone.lock() = vec![("shop.test.", 5, RData::A(A::new(10, 0, 0, 9)))];
    assert_eq!(finder.next().await, Ok(moved), "it goes on after an error");
}

#[tokio::test]
async fn of_a_service_the_addresses_of_the_targets_of_the_lowest_priority_are_endpoints_with_their_weights() {
    let srv = |priority, weight, port, target: &str| {
        RData::SRV(SRV::new(priority, weight, port, Name::from_ascii(target).expect("a name")))
    };
    let name = "_grpc._tcp.shop.test.";
    let zone: Zone = Arc::new(Mutex::new(vec![
        (name, 30, srv(1, 0, 50051, "b.shop.test.")),
        (name, 30, srv(1, 3, 50052, "a.shop.test.")),
        (name, 30, srv(2, 5, 50053, "backup.shop.test.")),
        (name, 30, srv(0, 5, 50053, ".")),
        ("other.test.", 30, RData::A(A::new(10, 0, 0, 1))),
    ]));
    let at = server(&zone).await;
    let mut finder = Dns::new(Question::Service(name.into()), Servers::These(vec![at]));
    let alone = finder.next().await.expect_err("nobody knows an address of them");
    assert_eq!(alone, Lost("there is no a.shop.test in DNS; there is no b.shop.test in DNS".into()));
    let address = |last| RData::A(A::new(10, 0, 0, last));
    zone.lock().extend([
        ("a.shop.test.", 30, address(1)),
        ("a.shop.test.", 7, address(2)),
        ("b.shop.test.", 60, address(3)),
    ]);
    let places = vec![place("10.0.0.1", 50052, 3), place("10.0.0.2", 50052, 3), place("10.0.0.3", 50051, 1)];
    let all = Found { places, again: Some(Duration::from_secs(7)), wrong: vec![] };
    assert_eq!(finder.next().await, Ok(all));
    zone.lock().retain(|(name, ..)| *name != "b.shop.test.");
    let found = finder.next().await.expect("an address is left");
    assert_eq!((found.places.len(), found.wrong), (2, vec!["there is no b.shop.test in DNS".to_owned()]));
    let mut other = Dns::new(Question::Service("other.test.".into()), Servers::These(vec![at]));
    assert_eq!(other.next().await, Err(Lost("other.test. has no records of that kind".into())));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_no_answer() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let gone = socket.local_addr().expect("an address");
    drop(socket);
    let lost = addresses("shop.test.", gone).next().await.expect_err("nobody answers");
    assert!(lost.0.contains("shop.test."), "{lost}");
}
