//! Configs that change while the gateway serves.

use crate::rig::{Scripted, echo, request};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::{Config, Limits, Listener, Place, Trust};
use tidegate_gateway::server::{Listeners, Server};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Peer, Single, Snapshot, pipeline};

/// What never comes fails a test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that serves on ports of its own; its upstream is down.
struct Hot {
    gateway: Arc<Gateway>,
    server: Option<Server>,
}

impl Hot {
    fn start() -> Self {
        let gateway = echo();
        let first = changed(&gateway, |config| {
            config.workers = 1;
            config.drain = Duration::from_millis(100);
            config.listeners = vec![free()];
        });
        let listeners = Listeners::bind(&first.config).expect("a free port");
        gateway.apply(first);
        let server = Server::start(&gateway, listeners).expect("a worker");
        Self { gateway, server: Some(server) }
    }

    fn apply(&self, change: impl FnOnce(&mut Config)) {
        let snapshot = changed(&self.gateway, change);
        let ports = self.server().ports();
        let prepared = ports.prepare(&snapshot.config).expect("the ports are free");
        self.gateway.apply(snapshot);
        ports.commit(prepared);
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs until it is dropped")
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.server().ports().addresses()
    }
}

impl Drop for Hot {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            std::thread::spawn(move || server.shutdown());
        }
    }
}

fn free() -> Listener {
    Listener::new(([127, 0, 0, 1], 0).into(), Place::default())
}

/// The config in force with a change, compiled.
fn changed(gateway: &Gateway, change: impl FnOnce(&mut Config)) -> Snapshot {
    let snapshot = gateway.snapshot();
    let mut config = (*snapshot.config).clone();
    change(&mut config);
    let schema = snapshot.services().next().map(|(_, schema)| Arc::clone(schema)).expect("a service");
    let schemas = Schemas::from([("up".to_owned(), schema)]);
    Snapshot::compile(config, &schemas, &gateway.telemetry().metrics, 0).expect("the config compiles")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends a request and reads its answer: the status, and whether the connection is to be closed.
fn ask(stream: &mut TcpStream, request: &str) -> (u16, bool) {
    stream.write_all(request.as_bytes()).expect("send");
    let (mut head, mut byte) = (String::new(), [0]);
    while !head.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer");
        head.push(char::from(byte[0]));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).expect("a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, head.contains("connection: close"))
}

const NOTHING: &str = "GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_listener_that_stays_keeps_its_socket_and_its_connections() {
    let hot = Hot::start();
    let before = hot.addresses();
    let mut stream = connect(before[0]);
    assert_eq!(ask(&mut stream, NOTHING), (404, false));
    hot.apply(|config| config.listeners.push(Listener::new(([127, 0, 0, 2], 0).into(), Place::default())));
    let after = hot.addresses();
    assert_eq!((after[0], after.len()), (before[0], 2));
    assert_eq!(ask(&mut stream, NOTHING), (404, false));
    assert_eq!(ask(&mut connect(after[1]), NOTHING), (404, false));
}

#[test]
fn a_listener_that_is_gone_takes_nobody_new_and_ends_its_connections_with_their_answer() {
    let hot = Hot::start();
    let gone = hot.addresses()[0];
    let mut stream = connect(gone);
    assert_eq!(ask(&mut stream, NOTHING), (404, false));
    hot.apply(|config| config.listeners = vec![Listener::new(([127, 0, 0, 2], 0).into(), Place::default())]);
    // The worker is told of both at once, in this order: the new one serves after the old one was told.
    let other = hot.addresses()[0];
    assert_eq!(ask(&mut connect(other), NOTHING), (404, false));
    // What had not been accepted is served too; then the port is refused.
    let refused = std::iter::repeat_with(|| TcpStream::connect_timeout(&gone, PATIENCE))
        .find_map(Result::err)
        .map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    assert_eq!(ask(&mut stream, NOTHING), (404, true));
    assert_eq!(stream.read(&mut [0]).expect("closed in order"), 0);
}

#[test]
fn a_port_can_be_had_at_another_address_while_it_is_given_up_at_the_first() {
    let hot = Hot::start();
    let port = hot.addresses()[0].port();
    hot.apply(|config| config.listeners = vec![Listener::new(([0, 0, 0, 0], port).into(), Place::default())]);
    assert_eq!(hot.addresses(), [SocketAddr::from(([0, 0, 0, 0], port))]);
    assert_eq!(ask(&mut connect(([127, 0, 0, 3], port).into()), NOTHING), (404, false));
}

#[test]
fn a_port_that_another_has_changes_nothing() {
    let hot = Hot::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let bind = taken.local_addr().expect("an address");
    let place = Place { line: 7, column: 3 };
    let snapshot = changed(&hot.gateway, |config| config.listeners = vec![free(), Listener::new(bind, place)]);
    let error = hot.server().ports().prepare(&snapshot.config).expect_err("it is taken");
    assert_eq!((error.address, error.place, error.source.kind()), (bind, place, ErrorKind::AddrInUse));
    assert_eq!(hot.addresses().len(), 1);
    assert_eq!(ask(&mut connect(hot.addresses()[0]), NOTHING), (404, false));
}

#[test]
fn the_limits_of_a_request_are_those_of_its_config_on_connections_of_any_age() {
    let hot = Hot::start();
    let mut stream = connect(hot.addresses()[0]);
    let post = "PUT /things/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let before = ask(&mut stream, post).0;
    hot.apply(|config| {
        let mut limits = Limits::default();
        limits.body.max_bytes = 1;
        config.listeners[0].limits = Arc::new(limits);
    });
    assert_eq!((before, ask(&mut stream, post).0), (503, 413));
}

/// What the upstream is told of the user.
async fn user(gateway: &Arc<Gateway>, peer: &Peer) -> Option<String> {
    let up = Single(Scripted::unary(b""));
    let asked = request("GET /things/7", &[("x-user-id", "7")], "");
    drop(pipeline::handle(gateway, &up, asked, peer).await);
    let (head, _) = up.0.request();
    head.headers.get("x-user-id").map(|value| value.to_str().expect("text").to_owned())
}

#[tokio::test]
async fn who_is_believed_is_said_by_the_config_of_the_request_on_connections_of_any_age() {
    let bind = SocketAddr::from(([127, 0, 0, 1], 80));
    let listener = |peers: &[&str]| {
        let peers = peers.iter().map(|network| network.parse().expect("a network")).collect();
        let identity_headers = vec!["x-user-id".parse().expect("a name")];
        Listener { trust: Arc::new(Trust { peers, identity_headers }), ..Listener::new(bind, Place::default()) }
    };
    let gateway = echo();
    gateway.apply(changed(&gateway, |config| config.listeners = vec![listener(&[])]));
    let trust = Arc::clone(&gateway.snapshot().config.listeners[0].trust);
    let peer = Peer::new(([10, 0, 0, 7], 1234).into()).with_trust(&trust).by_listener(bind);
    let mut told = vec![user(&gateway, &peer).await];
    for peers in [&["10.0.0.0/8"][..], &["11.0.0.0/8"]] {
        gateway.apply(changed(&gateway, |config| config.listeners = vec![listener(peers)]));
        told.push(user(&gateway, &peer).await);
    }
    assert_eq!(told, [None, Some("7".to_owned()), None]);
}
