//! The service over sockets, with clients that others wrote: tonic, and Redis' own.

mod grpc;
#[expect(dead_code, reason = "shared with the tests of single calls")]
mod messages;
mod redis;
mod resp;

use std::net::SocketAddr;
use std::time::Duration;

use tidegate_limit::Keys;
use tidegate_limiter::config::{Algorithm, Config, Descriptor, Domain, Headers, Limit, OnFailure, Quota, Unit};
use tidegate_limiter::{Limits, Server, Service, Settings};

/// A service that listens; ends with this value.
struct Serving {
    server: Option<Server>,
    grpc: SocketAddr,
    resp: SocketAddr,
}

impl Serving {
    fn start(config: &Config, limits: Limits) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let bind = || Server::bind(local).expect("a free port");
        let (grpc, resp) = (bind(), bind());
        let service = Service::new(config, limits, &Keys::new(0));
        let address = |listener: &std::net::TcpListener| listener.local_addr().expect("an address");
        let (grpc_at, resp_at) = (address(&grpc), address(&resp));
        let settings = Settings { grpc: Some(grpc), resp: Some(resp), threads: 2 };
        let server = Some(Server::start(&service, settings).expect("threads"));
        Self { server, grpc: grpc_at, resp: resp_at }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop(Duration::ZERO);
        }
    }
}

/// A level with a limit of so many a day, which does not end within a test.
fn level(key: &str, limit: u32) -> Descriptor {
    let quota = Some(Quota { requests_per_unit: limit, unit: Unit::Day });
    let limit = Some(Limit { quota, name: String::new(), replaces: Vec::new() });
    Descriptor { key: key.to_owned(), limit, ..Default::default() }
}

fn config(descriptors: Vec<Descriptor>) -> Config {
    Config {
        bind: None,
        resp: None,
        resp_password: None,
        algorithm: Algorithm::SlidingWindow,
        keys: 1024,
        headers: Headers::Never,
        on_failure: OnFailure::Error,
        domains: vec![Domain { name: "d".to_owned(), descriptors }],
    }
}
