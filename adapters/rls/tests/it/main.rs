//! A rate limit service, as its client sees it: over real sockets, with a server that does as the test says.

mod calls;
mod secured;
mod server;
mod unwell;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_limit::front::{By, Failure, Outcome, Terms};
use tidegate_limit::ports::{Asked, LimitService as _, Question};
use tidegate_limit::{Algorithm, Ask, Decision, Key, Rate, Receipt, Retry, Scale};
use tidegate_rls::{Address, Clock, Config, Service};
use tokio::time::timeout;

/// What never comes fails a test instead of holding it up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "it is the node's clock")]
    let start = Instant::now();
    Arc::new(move || start.elapsed())
}

/// A service that has all the time that it needs.
pub(crate) fn config(url: &str) -> Config {
    let address = Address::parse(url).expect("an address");
    Config { budget: PATIENCE, connect: PATIENCE, patience: PATIENCE, ..Config::new(address, "edge", clock()) }
}

/// Terms of five a second.
pub(crate) fn terms(failure: Failure) -> Terms {
    let bucket = Algorithm::TokenBucket { rate: Rate::per_second(5), burst: 5 };
    Terms::plain(bucket.compile(Scale::Shared).expect("a bucket"), 0, failure)
}

/// A question about one entry, at this cost.
pub(crate) fn question<'a>(terms: &'a Terms, entry: (&'a str, &str), cost: u64) -> Question<'a> {
    let key =
        Key(u128::from_be_bytes(std::array::from_fn(|index| entry.0.as_bytes().get(index).copied().unwrap_or(0))));
    let entries = vec![(entry.0, entry.1.to_owned())];
    Question { key, terms, ask: Ask::spend(cost), entries, quota: None }
}

/// Asks, and waits for all answers: each with the place of its question.
pub(crate) async fn ask(service: &Service, questions: &[Question<'_>]) -> Vec<(usize, Outcome)> {
    let mut heard = Vec::new();
    for (place, asked) in service.ask(questions) {
        let outcome = match asked {
            Asked::Answered(outcome) => outcome,
            Asked::Waits(answer) => soon("an answer", answer).await.expect("the service is there"),
        };
        heard.push((place, outcome));
    }
    heard
}

/// Asks for one unit of one limit.
pub(crate) async fn ask_one(service: &Service, terms: &Terms) -> Outcome {
    ask(service, &[question(terms, ("user", "alice"), 1)]).await[0].1
}

pub(crate) async fn soon<T>(about: &str, what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.unwrap_or_else(|_| panic!("no {about}"))
}

/// Tries until it is so.
pub(crate) async fn until(about: &str, mut look: impl AsyncFnMut() -> bool) {
    // What is answered at once must not keep the others of this thread from running.
    soon(about, async {
        while !look().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// What a service says.
pub(crate) fn said(asked: u64, granted: u64, remaining: u64, retry: Retry, reset: u64, quota: Option<Rate>) -> Outcome {
    let (reset, wait) = (Duration::from_secs(reset), Duration::ZERO);
    let decision = Decision { asked, granted, remaining, retry, reset, wait, receipt: Receipt::default() };
    Outcome { decision, by: By::Service { quota } }
}
