//! While the config changes, every answer is wholly of one generation.

use crate::named_upstream::{self, Client};
use crate::running::Running;
use crate::{folder, program};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

const CHANGES: usize = 10;
const CLIENTS: usize = 4;
/// Answers that are looked at between two changes.
const BETWEEN: usize = 50;

/// What is said to the upstream, which upstream that is, and what is said to the client.
const GENERATIONS: [(&str, &str); 2] = [("a", "one"), ("b", "two")];

fn config(upstreams: [SocketAddr; 2], which: usize) -> String {
    let ([a, b], (upstream, told)) = (upstreams, GENERATIONS[which]);
    format!(
        "\
listeners: [{{ bind: 127.0.0.1:0, max_requests: 1000000 }}]
upstreams:
  a: {{ endpoints: ['{a}'] }}
  b: {{ endpoints: ['{b}'] }}
routes:
  - path: /page
    upstream: {upstream}
    request_headers: {{ set: {{ x-injected: {told} }} }}
    response_headers: {{ set: {{ x-response: {told} }} }}
"
    )
}

/// An answer under one of the configs.
fn answer(which: usize) -> (String, String, String) {
    let (upstream, told) = GENERATIONS[which];
    ("HTTP/1.1 200 OK".to_owned(), told.to_owned(), format!("{upstream} was told {told}"))
}

#[test]
fn answers_under_load_are_of_one_config_or_of_the_other_and_never_of_both() {
    let upstreams = [named_upstream::start("a"), named_upstream::start("b")];
    let folder = folder(&[("tidegate.yaml", &config(upstreams, 0))]);
    let mut running = Running::start(program(folder.path(), &["run"]));
    let address = running.addresses[0].clone();
    let stop = AtomicBool::new(false);
    let (tell, answers) = mpsc::channel();
    let mut seen = BTreeSet::new();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (tell, stop, address) = (tell.clone(), &stop, &address);
            scope.spawn(move || {
                let mut client = Client::new(address);
                while !stop.load(Ordering::Relaxed) && tell.send(client.get("x-from: test")).is_ok() {}
            });
        }
        drop(tell);
        for number in 1..=CHANGES {
            seen.extend(answers.iter().take(BETWEEN));
            crate::replace(folder.path().join("tidegate.yaml"), config(upstreams, number % 2));
            running.wait_for_log("the config is in force");
            // Whoever asks now is answered by it.
            assert_eq!(Client::new(&address).get("x-from: test"), answer(number % 2), "after change {number}");
        }
        stop.store(true, Ordering::Relaxed);
        seen.extend(answers);
    });
    assert_eq!(seen, BTreeSet::from([answer(0), answer(1)]));
}
