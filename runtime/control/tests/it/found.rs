//! Schemas of upstreams whose endpoints are found: by a directory that is told what it finds.

use crate::reflecting::{Grpc, Port, Versions, tonic};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::endpoints::Finders;
use tidegate_control::{Asking, FetchError, Fetcher};
use tidegate_schema::reflection::Asker;
use tidegate_traffic::discovery::{Finder, Found, Lost, Next, Place};
use tidegate_upstream::{Config, Discovery};

/// What is found now.
#[derive(Clone, Debug, Default)]
enum Answer {
    #[default]
    Nothing,
    /// At these addresses, with these weights.
    These(Vec<(String, u16, u32)>),
    Lost(&'static str),
    Silent,
    /// Nobody can find these.
    NoFinder(&'static str),
}

/// A directory, which all that it has opened ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory(Arc<Mutex<Answer>>);

impl Directory {
    fn says(&self, answer: Answer) {
        *self.0.lock() = answer;
    }

    /// These ports, all with the weight 1.
    pub(crate) fn has(&self, ports: &[&Port]) {
        self.weighs(&ports.iter().map(|port| (*port, 1)).collect::<Vec<_>>());
    }

    /// It cannot be asked.
    pub(crate) fn is_away(&self, why: &'static str) {
        self.says(Answer::Lost(why));
    }

    fn weighs(&self, ports: &[(&Port, u32)]) {
        let place = |(port, weight): &(&Port, u32)| (port.address().ip().to_string(), port.address().port(), *weight);
        self.says(Answer::These(ports.iter().map(place).collect()));
    }
}

impl Finders for Directory {
    fn open(&self, what: &Discovery) -> Result<Box<dyn Finder>, String> {
        assert_eq!(*what, service());
        match &*self.0.lock() {
            Answer::NoFinder(why) => Err((*why).to_owned()),
            _ => Ok(Box::new(self.clone())),
        }
    }
}

impl Finder for Directory {
    fn next(&mut self) -> Next<'_> {
        let answer = self.0.lock().clone();
        Box::pin(async move {
            match answer {
                Answer::These(places) => {
                    let places = places.into_iter().map(|(host, port, weight)| Place { host, port, weight }).collect();
                    Ok(Found { places, ..Found::default() })
                }
                Answer::Lost(why) => Err(Lost(why.to_owned())),
                Answer::Silent => std::future::pending().await,
                Answer::Nothing | Answer::NoFinder(_) => panic!("nobody asks"),
            }
        })
    }
}

fn service() -> Discovery {
    Discovery::Srv { name: "_grpc._tcp.up.test".into(), servers: Vec::new() }
}

/// How upstreams are asked that this directory knows.
pub(crate) fn asking(directory: &Directory) -> Asking {
    Asking { reflector: Arc::new(Asker), finders: Arc::new(directory.clone()) }
}

fn fetcher(directory: &Directory, timeout: Duration) -> Fetcher {
    let pool = Config { discovery: Some(service()), ..Config::new("up", Vec::new()) };
    Fetcher::new(&pool, timeout, vec!["demo.v1.Echo".into()], &asking(directory))
}

const LONG: Duration = Duration::from_secs(60);

fn echo(versions: Versions) -> impl Grpc {
    let text = "syntax = \"proto3\"; package demo.v1; service Echo { rpc Say(W) returns (W); } message W {}";
    tonic(versions, &[("echo.proto", text)])
}

/// Who told the schema.
async fn told_by(fetcher: &Fetcher) -> String {
    fetcher.fetch().await.expect("one tells").endpoint
}

async fn error(fetcher: &Fetcher) -> FetchError {
    fetcher.fetch().await.expect_err("nobody tells")
}

#[tokio::test]
async fn the_first_that_answers_counts_of_those_that_are_found() {
    let (down, without, with) = (Port::new(), Port::new(), Port::new());
    let _servers = [without.serve(echo(Versions::None)), with.serve(echo(Versions::V1))];
    let directory = Directory::default();
    let fetcher = fetcher(&directory, LONG);
    directory.has(&[&down, &without, &with]);
    assert_eq!(told_by(&fetcher).await, with.address().to_string());
    directory.has(&[&down, &without]);
    let (down, without) = (down.address(), without.address());
    assert_eq!(
        error(&fetcher).await.to_string(),
        format!(
            "{down}: cannot connect: cannot open the connection: Connection refused (os error 111); \
             {without}: it has no server reflection, neither grpc.reflection.v1 nor v1alpha"
        )
    );
}

#[tokio::test]
async fn who_told_last_is_asked_first_for_as_long_as_it_is_found() {
    let (old, new) = (Port::new(), Port::new());
    let running = old.serve(echo(Versions::V1));
    let directory = Directory::default();
    let fetcher = fetcher(&directory, LONG);
    directory.has(&[&new, &old]);
    assert_eq!(told_by(&fetcher).await, old.address().to_string(), "the new one is not up yet");
    let _new = new.serve(echo(Versions::V1));
    assert_eq!(told_by(&fetcher).await, old.address().to_string(), "both are up");
    directory.has(&[&new]);
    assert_eq!(told_by(&fetcher).await, new.address().to_string(), "the old one is up, and gone from the directory");
    drop(running);
    directory.has(&[&old, &new]);
    assert_eq!(told_by(&fetcher).await, new.address().to_string());
}

#[tokio::test]
async fn an_endpoint_without_weight_is_asked_only_if_there_is_no_other() {
    let (leaving, stays) = (Port::new(), Port::new());
    let _servers = [leaving.serve(echo(Versions::V1)), stays.serve(echo(Versions::V1))];
    let directory = Directory::default();
    let fetcher = fetcher(&directory, LONG);
    directory.weighs(&[(&leaving, 0), (&stays, 1)]);
    assert_eq!(told_by(&fetcher).await, stays.address().to_string());
    directory.weighs(&[(&leaving, 0)]);
    assert_eq!(told_by(&fetcher).await, leaving.address().to_string());
}

#[tokio::test]
async fn those_that_were_found_last_are_asked_while_none_can_be_found() {
    let port = Port::new();
    let running = port.serve(echo(Versions::V1));
    let directory = Directory::default();
    let fetcher = fetcher(&directory, LONG);
    directory.is_away("no answer from any DNS server");
    let lost = "srv _grpc._tcp.up.test: no answer from any DNS server";
    assert_eq!(error(&fetcher).await.to_string(), lost);
    directory.says(Answer::NoFinder("nobody knows"));
    assert_eq!(error(&fetcher).await.to_string(), "srv _grpc._tcp.up.test: nobody knows");
    directory.has(&[&port]);
    assert_eq!(told_by(&fetcher).await, port.address().to_string());
    directory.is_away("no answer from any DNS server");
    assert_eq!(told_by(&fetcher).await, port.address().to_string());
    drop(running);
    let error = error(&fetcher).await.to_string();
    assert!(error.starts_with(&format!("{lost}; {}: ", port.address())), "{error}");
}

#[tokio::test]
async fn a_directory_that_does_not_answer_is_given_up_in_time() {
    let directory = Directory::default();
    directory.says(Answer::Silent);
    let fetcher = fetcher(&directory, Duration::from_millis(50));
    let error = error(&fetcher).await.to_string();
    assert_eq!(error, "srv _grpc._tcp.up.test: its endpoints were not found within 50ms");
}

#[test]
fn of_many_endpoints_the_first_few_are_told() {
    let attempts = (0..10).map(|number| (format!("10.0.0.{number}:1"), "no".to_owned())).collect();
    let error = FetchError { upstream: "up".into(), attempts };
    let named: Vec<String> = (0..8).map(|number| format!("10.0.0.{number}:1: no")).collect();
    assert_eq!(error.to_string(), format!("{}; and 2 more", named.join("; ")));
}
