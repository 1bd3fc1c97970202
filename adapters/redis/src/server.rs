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
use crate::script::{self, Call, Said};
use crate::stats::{Counts, count};
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

/// The answer to each call of a job.
pub(crate) type Replies = Vec<Result<Said, Failure>>;

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

impl Task {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut greeted: Option<Greeted> = None;
        loop {
            let job = match &mut greeted {
                None => queue.recv().await,
                Some(server) => tokio::select! {
                    biased;
                    job = queue.recv() => job,
                    () = server.connection.ended() => {
                        self.leave(&mut greeted);
                        continue;
                    }
                },
            };
            let Some(job) = job else { return };
            self.serve(&mut greeted, job).await;
        }
    }

    fn leave(&self, greeted: &mut Option<Greeted>) {
        *greeted = None;
        self.seen.lock().connected = None;
    }

    async fn serve(&mut self, greeted: &mut Option<Greeted>, job: Job) {
        // Nobody waits any more: it is not charged either.
        if job.reply.is_closed() {
            return;
        }
        if greeted.is_none() {
            match self.connect().await {
                Ok(server) => *greeted = Some(server),
                Err(failure) => {
                    // Whatever went wrong, no call had been sent.
                    let nothing = Failure::Unreachable { address: self.address.clone(), reason: failure.to_string() };
                    self.seen.lock().failure = Some(failure);
                    drop(job.reply.send(vec![Err(nothing); job.calls.len()]));
                    return;
                }
            }
        }
        let Some(server) = greeted.as_mut() else { return };
        if job.reply.is_closed() {
            return;
        }
        job.sent.store(true, Relaxed);
        let asked = (self.means.config.clock)();
        let patience = self.means.config.patience;
        let replies = match timeout(patience, ask(server, &job.calls, &self.means.counts)).await {
            Ok(replies) => replies,
            Err(_) => {
                let address = server.connection.address().to_owned();
                vec![Err(Failure::NoAnswer { address, within: patience }); job.calls.len()]
            }
        };
        self.look(asked, &replies);
        if replies.iter().any(|reply| reply.as_ref().is_err_and(Failure::ends_connection)) {
            self.leave(greeted);
        }
        // Whoever asked may have given up.
        drop(job.reply.send(replies));
    }

    /// What answers say about the server.
    fn look(&mut self, asked: Duration, replies: &Replies) {
        let answered = (self.means.config.clock)();
        for reply in replies {
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

/// Sends all calls at once; those that the server does not know the script for go again with its text.
async fn ask(server: &mut Greeted, calls: &[Call], counts: &Counts) -> Replies {
    let mut replies: Vec<Option<Result<Said, Failure>>> = calls.iter().map(|_| None).collect();
    for with_text in [false, true] {
        let open: Vec<usize> = (0..calls.len()).filter(|place| replies[*place].is_none()).collect();
        if open.is_empty() {
            break;
        }
        let Greeted { connection, run, .. } = server;
        // One text is enough: the others follow it on the same connection.
        let values = connection.ask(open.len(), |out| {
            for (index, place) in open.iter().enumerate() {
                count(&counts.calls);
                let text = (with_text && index == 0).then_some(script::TEXT);
                if text.is_some() {
                    count(&counts.texts);
                }
                calls[*place].write(out, run, text);
            }
        });
        let values = match values.await {
            Ok(values) => values,
            Err(failure) => {
                open.iter().for_each(|place| replies[*place] = Some(Err(failure.clone())));
                break;
            }
        };
        for (place, value) in open.into_iter().zip(values) {
            let address = connection.address();
            replies[place] = match &value {
                Value::Error(said) if said.starts_with("NOSCRIPT") && !with_text => None,
                Value::Error(said) => Some(Err(Failure::of_reply(address, said))),
                value => Some(
                    calls[place]
                        .read(value)
                        .map_err(|reason| Failure::Strange { address: address.to_owned(), reason: reason.to_owned() }),
                ),
            };
        }
    }
    replies.into_iter().map(|reply| reply.unwrap_or(Err(Failure::Busy))).collect()
}
