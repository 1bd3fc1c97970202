//! A gateway that follows its upstreams.

use crate::found::{Directory, asking};
use crate::parse_in;
use crate::reflecting::{self, Grpc, Port, Versions, tonic};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tidegate_control::generations::StateFolder;
use tidegate_control::{Follower, SchemaState, SchemaStates, Sources};
use tidegate_gateway::{Gateway, Snapshot, Telemetry};
use tidegate_schema::Compiler;
use tidegate_telemetry::metrics::Metrics;
use tower_service::Service as _;

/// A service at this path.
fn serving(path: &str) -> impl Grpc + use<> {
    service("Echo", path)
}

fn service(name: &str, path: &str) -> impl Grpc + use<> {
    let text = format!(
        r#"
syntax = "proto3";
package demo.v1;
import "google/api/annotations.proto";
service {name} {{ rpc Say(Words) returns (Words) {{ option (google.api.http) = {{ get: "{path}" }}; }} }}
message Words {{ string text = 1; }}
"#
    );
    tonic(Versions::V1, &[("echo.proto", &text)])
}

struct Rig {
    gateway: Arc<Gateway>,
    /// Of upstreams whose endpoints are found.
    directory: Directory,
    follower: Option<Follower>,
    states: Arc<SchemaStates>,
}

impl Rig {
    /// A gateway of a config, which has `{1}`, `{2}` in place of addresses; nothing is fetched yet.
    fn new(config: &str, ports: &[&Port]) -> Self {
        let mut text = "listeners: [{ bind: 127.0.0.1:0 }]\n".to_owned() + config;
        for (index, port) in ports.iter().enumerate() {
            text = text.replace(&format!("{{{}}}", index + 1), &port.address().to_string());
        }
        let folder = crate::folder(&[]);
        let loaded = parse_in(folder.path(), &text, &[]).unwrap_or_else(|report| panic!("{report}"));
        let sources = Sources::load(Arc::new(loaded.config), &loaded.source, &Compiler::default());
        let sources = Arc::new(sources.unwrap_or_else(|report| panic!("{report}")));
        let metrics = Arc::new(Metrics::new("0", 1));
        let schemas = sources.with(&Default::default()).unwrap_or_else(|report| panic!("{report}"));
        let snapshot = Snapshot::compile(Arc::clone(sources.config()), &schemas, &metrics, 1).expect("it compiles");
        let gateway = Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }));
        let directory = Directory::default();
        let follower = Follower::new(&gateway, sources, &asking(&directory));
        Self { gateway, directory, states: follower.states(), follower: Some(follower) }
    }

    async fn first(&mut self) {
        self.follower.as_mut().expect("it does not run").first().await;
    }

    /// Keeps what it is told in this folder.
    fn keeping(mut self, folder: &Path) -> Self {
        let state = StateFolder::open(folder).expect("the folder is there");
        self.follower = self.follower.take().map(|follower| follower.keeping(Some(state)));
        self
    }

    /// Goes on to follow until the test ends.
    fn run(&mut self) {
        tokio::spawn(self.follower.take().expect("it does not run").run());
    }

    /// Waits until the states are such that `reached` holds, and shows them.
    async fn until(&self, reached: impl FnMut(&Vec<SchemaState>) -> bool) -> Vec<String> {
        let mut watch = self.states.watch();
        let states = watch.wait_for(reached).await.expect("it runs");
        states.iter().map(SchemaState::to_string).collect()
    }

    fn shown(&self) -> Vec<String> {
        self.states.all().iter().map(SchemaState::to_string).collect()
    }

    /// `PATH UPSTREAM HOST` of what is served.
    fn served(&self) -> Vec<String> {
        let lines = self.gateway.snapshot().route_lines();
        lines.into_iter().map(|line| format!("{} {} {}", line.path, line.upstream, line.host)).collect()
    }

    fn metric(&self, line: &str) -> bool {
        let mut text = String::new();
        self.gateway.telemetry().metrics.encode(&mut text).expect("text");
        text.lines().any(|known| known == line)
    }

    fn fetches(&self, result: &str) -> String {
        let mut text = String::new();
        self.gateway.telemetry().metrics.encode(&mut text).expect("text");
        let line = text.lines().find(|line| {
            line.starts_with("tidegate_schema_fetches_total{") && line.contains(&format!("result=\"{result}\""))
        });
        line.and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned()
    }
}

const ONE: &str = "\
upstreams: { up: { endpoints: ['{1}'], schema: { reflection: { interval: 1h, timeout: 60s } } } }
routes: [{ service: demo.v1.Echo, upstream: up }]
";

#[tokio::test]
async fn what_is_there_at_the_start_is_served_from_the_start() {
    let (one, two) = (Port::new(), Port::new());
    let _servers = [one.serve(serving("/one")), two.serve(serving("/two"))];
    let mut rig = Rig::new(
        "\
upstreams:
  one: { endpoints: ['{1}'], schema: { reflection: true } }
  two: { endpoints: ['{2}'], schema: { reflection: true } }
  alike: { endpoints: ['{1}'], schema: { like: one } }
routes:
  - { service: demo.v1.Echo, upstream: one }
  - { service: demo.v1.Echo, upstream: two, host: two.test }
  - { service: demo.v1.Echo, upstream: alike, host: alike.test }
",
        &[&one, &two],
    );
    assert_eq!(rig.served(), [""; 0]);
    assert_eq!(rig.shown(), ["schema of one: not asked yet", "schema of two: not asked yet"]);
    rig.first().await;
    assert_eq!(rig.served(), ["/one alike alike.test", "/two two two.test", "/one one *"]);
    let told = |name: &str, port: &Port| format!("schema of {name}: 1 service, told by {}", port.address());
    assert_eq!(rig.shown(), [told("one", &one), told("two", &two)]);
    assert_eq!(rig.gateway.snapshot().generation, 3);
}

#[tokio::test]
async fn an_upstream_that_is_down_at_the_start_is_served_when_it_comes() {
    let port = Port::new();
    let mut rig = Rig::new(ONE, &[&port]);
    rig.first().await;
    let down = format!(
        "schema of up: unknown, its routes answer 503: {}: \
         cannot connect: cannot open the connection: Connection refused (os error 111)",
        port.address()
    );
    assert_eq!(rig.shown(), [down]);
    rig.run();
    let _server = port.serve(serving("/echo"));
    let up = rig.until(|states| states[0].is_current()).await;
    assert_eq!(up, [format!("schema of up: 1 service, told by {}", port.address())]);
    assert_eq!(rig.served(), ["/echo up *"]);
}

/// The interval is an hour: what makes it ask is the connection, which is lost.
#[tokio::test]
async fn an_upstream_that_was_restarted_is_asked_at_once() {
    let port = Port::new();
    let server = port.serve(serving("/before"));
    let mut rig = Rig::new(ONE, &[&port]);
    rig.first().await;
    assert_eq!(rig.served(), ["/before up *"]);
    rig.run();

    let changes = rig.states.watch();
    drop(server);
    let server = port.serve(serving("/after"));
    wait_for_change(changes).await;
    assert_eq!(rig.served(), ["/after up *"]);

    // A schema without the service that is routed changes nothing and says why.
    drop(server);
    let server = port.serve(service("Other", "/other"));
    let bad = rig.until(|states| states[0].trouble.is_some()).await;
    let address = port.address();
    let why = "the schema of `up` has no service `demo.v1.Echo`";
    assert_eq!(bad, [format!("schema of up: an earlier one stays in force: {address}: {why}")]);
    assert_eq!(rig.served(), ["/after up *"]);
    assert_eq!([rig.fetches("accepted"), rig.fetches("rejected")], ["2", "1"]);

    drop(server);
    let _server = port.serve(serving("/again"));
    rig.until(|states| states[0].is_current()).await;
    assert_eq!(rig.served(), ["/again up *"]);
}

/// The directory has nothing to say at first, and then an upstream that moves.
#[tokio::test]
async fn an_upstream_whose_endpoints_are_found_is_followed_to_where_it_moves() {
    let (one, two) = (Port::new(), Port::new());
    let found = "\
upstreams: { up: { endpoints: { srv: _grpc._tcp.up.test }, schema: { reflection: { interval: 1h, timeout: 60s } } } }
routes: [{ service: demo.v1.Echo, upstream: up }]
";
    let mut rig = Rig::new(found, &[]);
    rig.directory.is_away("nobody knows");
    rig.first().await;
    let unknown = "schema of up: unknown, its routes answer 503: srv _grpc._tcp.up.test: nobody knows";
    assert_eq!(rig.shown(), [unknown]);
    rig.run();
    let server = one.serve(serving("/one"));
    rig.directory.has(&[&one]);
    let told = rig.until(|states| states[0].is_current()).await;
    assert_eq!(told, [format!("schema of up: 1 service, told by {}", one.address())]);
    assert_eq!(rig.served(), ["/one up *"]);

    let changes = rig.states.watch();
    let _server = two.serve(serving("/two"));
    rig.directory.has(&[&two]);
    drop(server);
    wait_for_change(changes).await;
    assert_eq!(rig.shown(), [format!("schema of up: 1 service, told by {}", two.address())]);
    assert_eq!(rig.served(), ["/two up *"]);
}

async fn wait_for_change(mut changes: tokio::sync::watch::Receiver<Vec<SchemaState>>) {
    changes.changed().await.expect("it runs");
    // Requests may fail while it restarts: that it is current again is what counts.
    changes.wait_for(|states| states[0].is_current()).await.expect("it runs");
}

#[tokio::test]
async fn rules_of_two_upstreams_that_contradict_each_other_leave_the_first_in_force() {
    let (one, two) = (Port::new(), Port::new());
    let server = one.serve(service("One", "/same/{text}"));
    let _other = two.serve(service("Two", "/same/{text}"));
    let mut rig = Rig::new(
        "\
upstreams:
  one: { endpoints: ['{1}'], schema: { reflection: { interval: 1h } } }
  two: { endpoints: ['{2}'], schema: { reflection: { interval: 1h } } }
routes:
  - { service: demo.v1.One, upstream: one }
  - { service: demo.v1.Two, upstream: two }
",
        &[&one, &two],
    );
    rig.first().await;
    assert_eq!(rig.served(), ["/same/{text} one *"]);
    let told = rig.shown();
    let unknown = format!("schema of two: unknown, its routes answer 503: {}: ", two.address());
    assert!(told[1].starts_with(&unknown), "{}", told[1]);
    assert!(told[1].contains("demo.v1.Two.Say") && told[1].contains("demo.v1.One.Say"), "{}", told[1]);

    // When the first has changed the other is no longer in the wrong, and comes without being asked again.
    rig.run();
    drop(server);
    let _server = one.serve(service("One", "/other/{text}"));
    rig.until(|states| states.iter().all(SchemaState::is_current)).await;
    assert_eq!(rig.served(), ["/other/{text} one *", "/same/{text} two *"]);
}

/// The connection stays, and the interval is an hour: it is the request that makes it ask.
#[tokio::test]
async fn a_hint_of_a_request_makes_it_ask_again() {
    let port = Port::new();
    let (mut before, mut after) = (serving("/before"), serving("/after"));
    let changed = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&changed);
    let _server = port.serve(reflecting::service(move |request| match switch.load(Ordering::Relaxed) {
        false => before.call(request),
        true => after.call(request),
    }));
    let mut rig = Rig::new(ONE, &[&port]);
    rig.first().await;
    assert_eq!(rig.served(), ["/before up *"]);
    rig.run();
    let mut changes = rig.states.watch();
    changed.store(true, Ordering::Relaxed);
    rig.gateway.snapshot().schema_hints().give(0);
    changes.changed().await.expect("it runs");
    assert_eq!(rig.served(), ["/after up *"]);
}

/// Has told what it serves at this path, which is in `folder` then, and is gone.
async fn told_before(folder: &Path, port: &Port, path: &str) {
    let _server = port.serve(serving(path));
    let mut rig = Rig::new(ONE, &[port]).keeping(folder);
    rig.first().await;
    assert_eq!(rig.served(), [format!("{path} up *")]);
}

#[tokio::test]
async fn what_an_upstream_told_before_is_in_force_while_it_is_away() {
    let folder = crate::folder(&[]);
    told_before(folder.path(), &Port::new(), "/before").await;
    let file = File::options().write(true).open(folder.path().join("schema-up.pb")).expect("it is kept");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)).expect("set");

    // Nobody has listened here yet.
    let port = Port::new();
    let mut rig = Rig::new(ONE, &[&port]).keeping(folder.path());
    rig.first().await;
    assert_eq!(rig.served(), ["/before up *"]);
    let away = format!(
        "schema of up: an earlier one from disk is in force, last told 2027-01-15T08:00:00.000Z: {}: \
         cannot connect: cannot open the connection: Connection refused (os error 111)",
        port.address()
    );
    assert_eq!(rig.shown(), [away]);
    assert!(rig.metric("tidegate_schema_in_force{upstream=\"up\"} 1"));
    assert!(rig.metric("tidegate_schema_current{upstream=\"up\"} 0"));

    rig.run();
    let _server = port.serve(serving("/after"));
    let back = rig.until(|states| states[0].is_current()).await;
    assert_eq!(back, [format!("schema of up: 1 service, told by {}", port.address())]);
    assert_eq!(rig.served(), ["/after up *"]);
    assert!(rig.metric("tidegate_schema_current{upstream=\"up\"} 1"));
}

#[tokio::test]
async fn what_was_kept_is_in_force_while_the_upstream_tells_what_cannot_be_used() {
    let (port, folder) = (Port::new(), crate::folder(&[]));
    told_before(folder.path(), &port, "/before").await;
    let _server = port.serve(service("Other", "/other"));
    let mut rig = Rig::new(ONE, &[&port]).keeping(folder.path());
    rig.first().await;
    assert_eq!(rig.served(), ["/before up *"]);
    let shown = rig.shown().remove(0);
    let why = format!("{}: the schema of `up` has no service `demo.v1.Echo`", port.address());
    assert!(shown.contains("an earlier one from disk is in force") && shown.ends_with(&why), "{shown}");
}

#[tokio::test]
async fn what_was_kept_and_cannot_be_used_is_as_if_it_were_not_there() {
    let (port, folder) = (Port::new(), crate::folder(&[]));
    fs::write(folder.path().join("schema-up.pb"), b"\xff no descriptors").expect("written");
    let mut rig = Rig::new(ONE, &[&port]).keeping(folder.path());
    rig.first().await;
    assert_eq!(rig.served(), [""; 0]);
    assert!(rig.shown()[0].contains("unknown, its routes answer 503"), "{:?}", rig.shown());
}
