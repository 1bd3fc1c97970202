//! The admin port over a socket.
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_control::admin::{Bound, Phase, Readiness, Shown};
use tidegate_control::config::Admin;
use tidegate_gateway::config::Place;
use tidegate_telemetry::metrics::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// An admin port that runs until it is dropped.
struct Port {
    address: SocketAddr,
    readiness: Arc<Readiness>,
    _stop: oneshot::Sender<()>,
}

async fn port(token: Option<&str>) -> Port {
    let bind = "127.0.0.1:0".parse().expect("an address");
    let admin = Admin { bind, token: token.map(str::to_owned), place: Place::default() };
    let bound = Bound::bind(&admin).await.expect("a free port");
    let address = bound.address();
    let readiness = Arc::new(Readiness::default());
    let shown = Shown {
        metrics: Arc::new(Metrics::new("1.2.3", 1)),
        readiness: Arc::clone(&readiness),
        schemas: Arc::default(),
        handle: None,
        log: None,
        version: "1.2.3",
    };
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(bound.serve(shown, async move {
        let _ = stopped.await;
    }));
    Port { address, readiness, _stop: stop }
}

impl Port {
    /// Sends a request and gives status line, headers but the date, and body.
    async fn ask(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connect");
        stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await.expect("send");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect::<String>().replace('\r', "")
    }

    /// The status of the answer.
    async fn status(&self, head: &str) -> String {
        self.ask(head).await.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn readiness_follows_the_phase() {
    let port = port(None).await;
    let request = "GET /readyz HTTP/1.1\r\nhost: localhost";
    let verbose = "GET /readyz?verbose HTTP/1.1\r\nhost: localhost";
    let mut seen = Vec::new();
    for phase in [Phase::Starting, Phase::Serving, Phase::Draining] {
        port.readiness.set(phase);
        let body = port.ask(verbose).await;
        seen.push((port.status(request).await, body.split("\n\n").nth(1).unwrap_or_default().to_owned()));
    }
    let starting = "[-]config loaded\n[-]listeners open\n[+]not draining\nreadyz: starting\n";
    let serving = "[+]config loaded\n[+]listeners open\n[+]not draining\nreadyz: ok\n";
    let draining = "[+]config loaded\n[+]listeners open\n[-]not draining\nreadyz: draining\n";
    assert_eq!(
        seen,
        [("503", starting), ("200", serving), ("503", draining)].map(|(s, b)| (s.to_owned(), b.to_owned()))
    );
}

#[tokio::test]
async fn liveness_is_the_whole_answer() {
    assert_eq!(
        port(None).await.ask("GET /livez HTTP/1.1\r\nhost: 127.0.0.1:9901").await,
        "HTTP/1.1 200 OK\ncontent-type: text/plain; charset=utf-8\ncache-control: no-store\n\
         x-content-type-options: nosniff\nconnection: close\ncontent-length: 3\n\nok\n"
    );
}

#[tokio::test]
async fn metrics_are_in_the_form_that_is_asked_for() {
    let port = port(None).await;
    let older = "text/plain; version=0.0.4; charset=utf-8";
    let newer = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    for (accept, content_type) in [
        ("", older),
        ("\r\naccept: */*", older),
        ("\r\naccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1", older),
        ("\r\naccept: application/openmetrics-text;q=0, text/plain", older),
        ("\r\naccept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3", newer),
    ] {
        let answer = port.ask(&format!("GET /metrics HTTP/1.1\r\nhost: [::1]:9901{accept}")).await;
        assert!(answer.contains(&format!("\ncontent-type: {content_type}\n")), "{accept}: {answer}");
        assert!(answer.contains("version=\"1.2.3\""), "{answer}");
        assert_eq!(answer.ends_with("# EOF\n"), content_type == newer, "{accept}: {answer}");
    }
}

#[tokio::test]
async fn only_what_is_there_is_answered_and_only_to_get_and_head() {
    let port = port(None).await;
    let mut seen = Vec::new();
    for head in [
        "GET / HTTP/1.1\r\nhost: localhost",
        "HEAD /metrics HTTP/1.1\r\nhost: localhost",
        "GET /nothing HTTP/1.1\r\nhost: localhost",
        "POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0",
        "GET /metrics HTTP/1.1\r\nhost: evil.example",
        "GET /metrics HTTP/1.1\r\nhost: 127.0.0.1.evil.example:80",
        "GET /livez HTTP/1.0",
    ] {
        seen.push(port.status(head).await);
    }
    assert_eq!(seen, ["200", "200", "404", "405", "403", "403", "200"]);
}

#[tokio::test]
async fn with_a_token_only_health_is_open() {
    let port = port(Some("s3cret")).await;
    let mut seen = Vec::new();
    for (path, header) in [
        ("/livez", ""),
        ("/readyz", ""),
        ("/metrics", ""),
        ("/", "\r\nauthorization: Bearer"),
        ("/metrics", "\r\nauthorization: Bearer s3creT"),
        ("/metrics", "\r\nauthorization: Bearer s3cret2"),
        ("/metrics", "\r\nauthorization: Basic s3cret"),
        ("/metrics", "\r\nauthorization: bearer s3cret"),
    ] {
        seen.push(port.status(&format!("GET {path} HTTP/1.1\r\nhost: localhost{header}")).await);
    }
    assert_eq!(seen, ["200", "503", "401", "401", "401", "401", "401", "200"]);
}
