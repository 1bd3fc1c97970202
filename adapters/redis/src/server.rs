//! A server, as a task that owns the connection: what a caller gives up is still read off the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::address::Kind;
use crate::config::Config;
use crate::failure::Failure;
use crate::handshake::{self, Greeted};
use crate::resp::Value;
use crate::script::{Call, Said};
use crate::stats::{Counts, count};
use crate::talk::{Flight, Replies, Talk};
use crate::watch::{Step, Watch};

/// Questions that wait for the connection. More than one caller's are seldom.
const WAITING: usize = 64;
/// What all servers of a store share.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) config: Config,
    pub(crate) tls: Option<Connector>,
    pub(crate) counts: Counts,
    /// Why it is not known where servers are, until it is.
    pub(crate) lost: Mutex<Option<Failure>>,
}

/// A TLS connector, or why there is none.
pub(crate) struct Connector(pub(crate) Result<TlsConnector, Failure>);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.0.is_ok()).finish()
    }
}

impl Means {
    pub(crate) fn tls(&self) -> Result<Option<&TlsConnector>, Failure> {
        match &self.tls {
            None => Ok(None),
            Some(Connector(Ok(connector))) => Ok(Some(connector)),
            Some(Connector(Err(failure))) => Err(failure.clone()),
        }
    }
}

struct Job {
    calls: Arc<Vec<Call>>,
    /// Set right before it is sent.
    sent: Arc<AtomicBool>,
    reply: oneshot::Sender<Replies>,
}

/// The way to a server's task, which ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    jobs: mpsc::Sender<Job>,
    seen: Arc<Mutex<Seen>>,
}

/// What is seen of a server from outside of its task.
#[derive(Debug, Default)]
struct Seen {
    /// `host:port` and the version, while there is a connection.
    connected: Option<(String, String)>,
    /// The last failure, until an answer comes.
    failure: Option<Failure>,
}

/// Says, if it is dropped before there is an answer, whether the question had been sent.
struct Given<'a> {
    means: &'a Means,
    sent: Arc<AtomicBool>,
    answered: bool,
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let counts = &self.means.counts;
            count(if self.sent.load(Relaxed) { &counts.unanswered } else { &counts.unreachable });
        }
    }
}

impl Server {
    /// Starts the task of the server at `address`; of the master, if sentinels tell it (then `address` is not used).
    pub(crate) fn start(address: String, means: Arc<Means>) -> Self {
        let (jobs, queue) = mpsc::channel(WAITING);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = Task { address, means, seen: Arc::clone(&seen), watch: Watch::default() };
        tokio::spawn(task.run(queue));
        Self { jobs, seen }
    }

    /// `host:port` and the version, while there is a connection.
    pub(crate) fn connected(&self) -> Option<(String, String)> {
        self.seen.lock().connected.clone()
    }

    /// The last failure, if no answer came since.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.seen.lock().failure.clone()
    }

    /// Asks. May be given up at any time: what was not sent by then is not sent.
    pub(crate) async fn ask(&self, means: &Means, calls: Arc<Vec<Call>>) -> Replies {
        let (reply, answer) = oneshot::channel();
        let sent = Arc::new(AtomicBool::new(false));
        let mut given = Given { means, sent: Arc::clone(&sent), answered: false };
        let all = calls.len();
        let queued = self.jobs.try_send(Job { calls, sent, reply }).is_ok();
        let replies = if queued { answer.await.ok() } else { None };
        given.answered = true;
        replies.unwrap_or_else(|| vec![Err(Failure::Busy); all])
    }
}

struct Task {
    address: String,
    means: Arc<Means>,
    seen: Arc<Mutex<Seen>>,
    watch: Watch,
}

/// What comes next to a server's task.
enum Event {
    Asked(Option<Job>),
    Replied(Value),
    /// The connection is of no use any more; of what is under way there is no answer.
    Lost(Failure),
    /// It ended while nothing was under way.
    Ended,
}

impl Task {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut talk: Option<Talk> = None;
        loop {
            let room = talk.as_ref().is_none_or(Talk::has_room);
            let event = tokio::select! {
                biased;
                event = next(&mut talk) => event,
                job = queue.recv(), if room => Event::Asked(job),
            };
            match event {
                Event::Asked(None) => return,
                Event::Asked(Some(job)) => self.begin(&mut talk, job).await,
                Event::Replied(value) => self.replied(&mut talk, &value).await,
                Event::Lost(failure) => self.lose(&mut talk, &failure),
                Event::Ended => self.leave(&mut talk),
            }
        }
    }

    fn leave(&self, talk: &mut Option<Talk>) {
        *talk = None;
        self.seen.lock().connected = None;
    }

    /// Sends what a job asks, over a connection that is made if there is none.
    async fn begin(&mut self, talk: &mut Option<Talk>, job: Job) {
        // Nobody waits any more: it is not charged either.
        if job.reply.is_closed() {
            return;
        }
        if talk.is_none() {
            match self.connect().await {
                Ok(server) => *talk = Some(Talk::new(server, &self.means.config)),
                Err(failure) => {
                    // Whatever went wrong, no call had been sent.
                    let nothing = Failure::Unreachable { address: self.address.clone(), reason: failure.to_string() };
                    self.seen.lock().failure = Some(failure);
                    drop(job.reply.send(vec![Err(nothing); job.calls.len()]));
                    return;
                }
            }
        }
        let Some(server) = talk.as_mut() else { return };
        if job.reply.is_closed() {
            return;
        }
        job.sent.store(true, Relaxed);
        let flight = Flight::new(job.calls, job.reply, (self.means.config.clock)());
        if let Err(failure) = server.send(flight, &self.means.counts).await {
            self.lose(talk, &failure);
        }
    }

    /// A reply to the oldest of what is under way.
    async fn replied(&mut self, talk: &mut Option<Talk>, value: &Value) {
        let Some(server) = talk.as_mut() else { return };
        match server.replied(value, &self.means.counts).await {
            Ok(Some(flight)) => {
                self.look(flight.asked, &flight.replies);
                let mut replies = flight.replies.iter().flatten();
                server.spoilt |= replies.any(|reply| reply.as_ref().is_err_and(Failure::ends_connection));
                flight.end(&Failure::Busy);
            }
            Ok(None) => {}
            Err(failure) => return self.lose(talk, &failure),
        }
        if server.is_over() {
            self.leave(talk);
        }
    }

    /// Of what is under way nothing is known.
    fn lose(&self, talk: &mut Option<Talk>, failure: &Failure) {
        self.seen.lock().failure = Some(failure.clone());
        for flight in talk.take().into_iter().flat_map(|talk| talk.flights) {
            flight.end(failure);
        }
        self.leave(talk);
    }

    /// What answers say about the server.
    fn look(&mut self, asked: Duration, replies: &[Option<Result<Said, Failure>>]) {
        let answered = (self.means.config.clock)();
        for reply in replies.iter().flatten() {
            match reply {
                Err(failure) => self.seen.lock().failure = Some(failure.clone()),
                Ok(said) => {
                    self.seen.lock().failure = None;
                    if said.born {
                        count(&self.means.counts.eras);
                    }
                    match self.watch.look(said.now, asked, answered) {
                        Step::None => {}
                        Step::Forward => count(&self.means.counts.clock_forward),
                        Step::Back => count(&self.means.counts.clock_back),
                    }
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<Greeted, Failure> {
        let within = self.means.config.connect;
        let outcome = timeout(within, self.find_and_greet()).await;
        let greeted = outcome.unwrap_or_else(|_| {
            let reason = format!("no answer within {}ms", within.as_millis());
            Err(Failure::Unreachable { address: self.address.clone(), reason })
        });
        let greeted = greeted?;
        count(&self.means.counts.connections);
        self.watch = Watch::default();
        let address = greeted.connection.address().to_owned();
        self.seen.lock().connected = Some((address, greeted.version.clone()));
        Ok(greeted)
    }

    async fn find_and_greet(&self) -> Result<Greeted, Failure> {
        let config = &self.means.config;
        let tls = self.means.tls()?;
        let address = match &config.address.kind {
            Kind::Sentinel(name) => handshake::master(config, name, tls).await?,
            Kind::Single | Kind::Cluster => self.address.clone(),
        };
        handshake::greet(&address, config, tls).await
    }
}

/// What happens on the connection; never anything, if there is none. May be dropped.
async fn next(talk: &mut Option<Talk>) -> Event {
    let Some(talk) = talk else { return std::future::pending().await };
    match talk.next().await {
        Some(Ok(value)) => Event::Replied(value),
        Some(Err(failure)) => Event::Lost(failure),
        None => Event::Ended,
    }
}
