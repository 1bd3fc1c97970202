//! Access log and traces follow the config while the gateway runs: what began under one config is told where that
//! one says.

use crate::collector::{Collector, Told};
use crate::named_upstream::{self, Client};
use crate::running::Running;
use crate::{folder, program};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc;
use tidegate_source_rig::certificates::Certificates;

fn config(upstream: SocketAddr, telemetry: &str) -> String {
    format!(
        "\
listeners: [{{ bind: 127.0.0.1:0 }}]
upstreams: {{ web: {{ endpoints: ['{upstream}'] }} }}
routes: [{{ path: /*, upstream: web }}]
telemetry: {telemetry}
"
    )
}

fn start(folder: &Path, config: &str) -> Running {
    fs::write(folder.join("tidegate.yaml"), config).expect("written");
    Running::start(program(folder, &["run"]))
}

/// Changes the config and waits until it is in force.
fn change(running: &mut Running, folder: &Path, config: &str) {
    crate::replace(folder.join("tidegate.yaml"), config);
    running.wait_for_log("the config is in force");
}

/// An upstream that answers one request, when it is told to.
fn patient() -> (SocketAddr, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let ((tell, asked), (go, told)) = (mpsc::channel(), mpsc::channel());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(stream.try_clone().expect("a socket")).read_line(&mut line).expect("a request");
        tell.send(()).expect("the test waits");
        told.recv().expect("the test says so");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("the gateway waits");
    });
    (address, asked, go)
}

#[test]
fn the_access_log_changes_its_form_and_its_file_and_loses_no_line() {
    let folder = folder(&[]);
    let (upstream, asked, go) = patient();
    let log = |file: &str, fields: &str| format!("{{ access_log: {{ to: {file}, fields: [{fields}] }} }}");
    let mut running = start(folder.path(), &config(upstream, &log("one.log", "method, path, status")));
    let address = running.addresses[0].clone();
    let begun = std::thread::spawn(move || Client::new(&address).get("x-from: begun"));
    asked.recv().expect("the request is on its way");
    let web = named_upstream::start("web");
    change(&mut running, folder.path(), &config(web, &log("two.log", "path, status, protocol")));
    Client::new(&running.addresses[0]).get("x-from: test");
    go.send(()).expect("the upstream waits");
    assert_eq!(begun.join().expect("no panic").0, "HTTP/1.1 200 OK");
    change(&mut running, folder.path(), &config(web, "{ access_log: off }"));
    Client::new(&running.addresses[0]).get("x-from: test");
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).expect("it was opened");
    assert_eq!(read("one.log"), "{\"method\":\"GET\",\"path\":\"/page\",\"status\":200}\n");
    assert_eq!(read("two.log"), "{\"path\":\"/page\",\"status\":200,\"protocol\":\"HTTP/1.1\"}\n");
}

/// The next request's spans, and which process they are from.
fn spans(collector: &Collector) -> (usize, Value) {
    loop {
        if let Told::Traces(_, ExportTraceServiceRequest { resource_spans }) = collector.next() {
            let [of_resource] = &resource_spans[..] else { panic!("{resource_spans:?}") };
            let resource = of_resource.resource.as_ref().expect("a resource");
            let instance = resource.attributes.iter().find(|attribute| attribute.key == "service.instance.id");
            let instance = instance.and_then(|attribute| attribute.value.clone()?.value).expect("an id");
            let requests = of_resource.scope_spans.iter().flat_map(|of_scope| &of_scope.spans);
            match requests.filter(|span| span.name != "config reload").count() {
                // That of the change.
                0 => {}
                spans => return (spans, instance),
            }
        }
    }
}

#[test]
fn traces_go_to_the_collector_that_the_config_names_now() {
    let certificates = Certificates::new();
    let (first, second) = (
        Collector::start(),
        Collector::start_with_tls(&certificates.read("server.pem"), &certificates.read("server.key")),
    );
    let web = named_upstream::start("web");
    let folder = folder(&[]);
    fs::write(folder.path().join("ca.pem"), certificates.read("ca.pem")).expect("written");
    let to = |endpoint: &str| config(web, &format!("{{ access_log: off, otlp: {{ {endpoint}, sample: 100% }} }}"));
    let mut running = start(folder.path(), &to(&format!("endpoint: 'http://{}'", first.address)));
    Client::new(&running.addresses[0]).get("x-from: test");
    let (count, instance) = spans(&first);
    assert_eq!(count, 2, "the request and the call");

    let over_tls = format!("endpoint: 'https://{}', ca: ca.pem", second.address);
    change(&mut running, folder.path(), &to(&over_tls));
    Client::new(&running.addresses[0]).get("x-from: test");
    assert_eq!(spans(&second), (2, instance), "the same process");

    crate::replace(folder.path().join("tidegate.yaml"), to(&over_tls.replace("ca.pem", "missing.pem")));
    let refused = running.wait_for_log("the config is refused");
    let column = over_tls.len() - "ca.pem".len() + "telemetry: { access_log: off, otlp: { ".len() + 1;
    assert!(refused.contains(&format!("tidegate.yaml:4:{column}: there is no file `missing.pem`")), "{refused}");
    Client::new(&running.addresses[0]).get("x-from: test");
    assert_eq!(spans(&second).0, 2, "what was in force stays");
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_log_that_cannot_be_opened_refuses_the_config() {
    let web = named_upstream::start("web");
    let folder = folder(&[]);
    let mut running = start(folder.path(), &config(web, "{ access_log: { to: a.log, fields: [status] } }"));
    let wrong = config(web, "{ access_log: { to: no/such/folder/a.log } }");
    crate::replace(folder.path().join("tidegate.yaml"), wrong);
    let refused = running.wait_for_log("the config is refused");
    let why = "tidegate.yaml:4:26: cannot open the access log `no/such/folder/a.log`: No such file or directory";
    assert!(refused.contains(why), "{refused}");
    Client::new(&running.addresses[0]).get("x-from: test");
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
    assert_eq!(fs::read_to_string(folder.path().join("a.log")).expect("it was opened"), "{\"status\":200}\n");
}
