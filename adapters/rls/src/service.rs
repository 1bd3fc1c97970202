//! Answers for every question: the service's, or those of failure policies.

mod verdict;

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use parking_lot::Mutex;
use tidegate_limit::front::{Front, Outcome, Ticket};
use tidegate_limit::ports::{
    Answer, Asked, LimitService, Question, Servers, Standing as HowItStands, StoreError, Times,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::exchange::exchange;
use crate::failure::Failure;
use crate::link::{Link, Standing};
use crate::messages::{self, RateLimitResponse, SHOULD_RATE_LIMIT};

/// Limits of one domain of a rate limit service. Calls are made by tasks of the runtime that it was started in, so that
/// who leaves ends none: what was asked may have been counted.
pub struct Service {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    link: Arc<Link>,
    state: Mutex<State>,
    times: Mutex<Times>,
    calls: AtomicU64,
    unreachable: AtomicU64,
    unanswered: AtomicU64,
}

struct State {
    /// Breaker and failure policies: each question is a batch of its own.
    front: Front,
    waiting: HashMap<Ticket, oneshot::Sender<Outcome>>,
    next: u64,
}

/// A question of a call.
struct Item {
    batch: u64,
    cost: u64,
}

impl Service {
    /// Nothing is sent before the first question.
    ///
    /// # Panics
    /// Outside of a Tokio runtime. That should outlive those of the callers.
    #[must_use]
    pub fn start(config: Config) -> Self {
        let front = Front::new(config.front(), (config.clock)());
        let shared = Shared {
            state: Mutex::new(State { front, waiting: HashMap::new(), next: 0 }),
            link: Arc::new(Link::new(config)),
            times: Mutex::default(),
            calls: AtomicU64::new(0),
            unreachable: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), runtime: Handle::current() }
    }
}

impl LimitService for Service {
    fn ask(&self, questions: &[Question<'_>]) -> Vec<(usize, Asked)> {
        let never = |(place, question): (usize, &Question<'_>)| Some((place, question.terms.never(question.ask)?));
        if let Some((place, refusal)) = questions.iter().enumerate().find_map(never) {
            return vec![(place, Asked::Answered(refusal))];
        }
        let config = self.shared.link.config();
        let (answers, batches) = self.shared.state.lock().ask((config.clock)(), questions);
        if !batches.is_empty() {
            let asked = batches.iter().filter_map(|(_, place)| questions.get(*place));
            let frame = messages::call(&config.domain, asked);
            let item = |(batch, place): (u64, usize)| Item { batch, cost: questions[place].ask.cost };
            let items: Vec<Item> = batches.into_iter().map(item).collect();
            self.runtime.spawn(call(Arc::clone(&self.shared), frame, items));
        }
        answers
    }

    fn standing(&self) -> HowItStands {
        let shared = &self.shared;
        let (down, waiting, keys, mut front) = {
            let front = &shared.state.lock().front;
            (front.is_down(), front.waiting(), front.keys(), front.stats())
        };
        front.batches = shared.calls.load(Relaxed);
        let (latency, latency_sum) = {
            let times = shared.times.lock();
            (times.counts, times.sum)
        };
        let link = &shared.link;
        let domain = || format!("domain {}", link.config().domain);
        let servers = Servers {
            address: link.config().address.to_string(),
            connected: link.stands().then(|| (link.authority(), domain())).into_iter().collect(),
            failure: link.failure().map(|failure| failure.to_string()),
            unreachable: shared.unreachable.load(Relaxed),
            unanswered: shared.unanswered.load(Relaxed),
            connections: link.made(),
            ..Servers::default()
        };
        HowItStands { down, waiting, keys, front, latency, latency_sum, servers }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("config", self.shared.link.config()).finish_non_exhaustive()
    }
}

impl State {
    /// The answers, and the batches to be sent, each with the place of its question.
    fn ask(&mut self, now: Duration, questions: &[Question<'_>]) -> (Vec<(usize, Asked)>, Vec<(u64, usize)>) {
        let mut answers = Vec::with_capacity(questions.len());
        for (place, question) in questions.iter().enumerate() {
            let ticket = Ticket(self.next);
            self.next += 1;
            let asked = match self.front.ask(now, question.key, question.terms, question.ask, ticket) {
                Some(outcome) => Asked::Answered(outcome),
                None => {
                    let (answer, waits) = oneshot::channel();
                    self.waiting.insert(ticket, answer);
                    Asked::Waits(Box::pin(async move { waits.await.ok() }))
                }
            };
            answers.push((place, asked));
        }
        // What waits now are these, or one of them for which nobody waits: it tries whether the service is back.
        let mut batches = Vec::with_capacity(questions.len());
        while let Some(batch) = self.front.poll(now) {
            let key = batch.items.first().map(|item| item.key);
            match questions.iter().position(|question| Some(question.key) == key) {
                Some(place) => batches.push((batch.id, place)),
                None => {
                    let outcomes = self.front.failed(now, batch.id, StoreError::Declined);
                    self.tell(outcomes);
                }
            }
        }
        (answers, batches)
    }

    fn tell(&mut self, outcomes: Vec<(Ticket, Outcome)>) {
        for (ticket, outcome) in outcomes {
            // Whoever asked may have left.
            if let Some(answer) = self.waiting.remove(&ticket) {
                let _ = answer.send(outcome);
            }
        }
    }
}

impl Shared {
    fn answered(&self, items: &[Item], reply: &RateLimitResponse) {
        let now = (self.link.config().clock)();
        let mut state = self.state.lock();
        for (place, item) in items.iter().enumerate() {
            let outcome = verdict::of(reply, place, item.cost);
            let answer = Answer { decision: outcome.decision, extra: 0 };
            let heard = state.front.answered(now, item.batch, &[answer]);
            // What the front makes of it is right for counters alone.
            state.tell(heard.into_iter().map(|(ticket, _)| (ticket, outcome)).collect());
        }
    }

    fn failed(&self, items: &[Item], failure: Failure) {
        let error = StoreError::from(&failure);
        let count = if error == StoreError::Unanswered { &self.unanswered } else { &self.unreachable };
        count.fetch_add(1, Relaxed);
        self.link.note(Some(failure));
        let now = (self.link.config().clock)();
        let mut state = self.state.lock();
        for item in items {
            let outcomes = state.front.failed(now, item.batch, error);
            state.tell(outcomes);
        }
    }

    fn no_answer(&self, within: Duration) -> Failure {
        Failure::NoAnswer { address: self.link.authority(), within }
    }

    /// What a call is sent with.
    fn request(&self) -> Result<Request<()>, Failure> {
        let config = self.link.config();
        let authority = self.link.authority();
        let scheme = if config.address.tls { "https" } else { "http" };
        let request = Request::post(format!("{scheme}://{authority}{SHOULD_RATE_LIMIT}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", format!("{}m", config.budget.as_millis()))
            .body(());
        request.map_err(|error| Failure::Unreachable { address: authority, reason: error.to_string() })
    }
}

/// Makes a call, and tells those who wait within the budget.
async fn call(shared: Arc<Shared>, frame: Bytes, items: Vec<Item>) {
    shared.calls.fetch_add(1, Relaxed);
    let config = shared.link.config();
    let began = (config.clock)();
    let took = || shared.times.lock().took((config.clock)().saturating_sub(began));
    let mut over = pin!(sleep(config.budget));
    let ready = tokio::select! {
        biased;
        ready = shared.link.ready() => ready,
        () = &mut over => {
            let reason = shared.link.failure().map_or_else(|| "it takes its time".to_owned(), |last| last.to_string());
            Err(Failure::Unreachable { address: shared.link.authority(), reason })
        }
    };
    let sends = ready.and_then(|standing| Ok((standing, shared.request()?)));
    let (standing, request) = match sends {
        Ok(sends) => sends,
        Err(failure) => {
            took();
            return shared.failed(&items, failure);
        }
    };
    let authority = shared.link.authority();
    let mut reply = pin!(exchange(standing.send.clone(), request, frame, &authority));
    tokio::select! {
        biased;
        reply = &mut reply => {
            took();
            match reply {
                Ok(reply) => {
                    shared.link.note(None);
                    shared.answered(&items, &reply);
                }
                Err(failure) => shared.failed(&items, failure),
            }
        }
        () = &mut over => {
            took();
            shared.failed(&items, shared.no_answer(config.budget));
            watch(&shared, &standing, reply).await;
        }
    }
}

/// Sees whether an answer that nobody waits for comes at all: a connection without one is of no use.
async fn watch(shared: &Shared, standing: &Standing, reply: impl Future<Output = Result<RateLimitResponse, Failure>>) {
    let patience = shared.link.config().patience;
    if timeout(patience, reply).await.is_err() {
        shared.link.leave(standing);
    }
}
