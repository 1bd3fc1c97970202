//! The shop's state: one SQLite database behind threads of its own.
//!
//! A job is a closure that runs in one transaction on the database's thread; the async side only waits, with a
//! bounded queue in between. A file has a second thread for reads (WAL: readers do not wait for the writer); a
//! database in memory has one connection and so one thread.

pub(crate) mod answered;
pub(crate) mod charges;
pub(crate) mod clock;
pub(crate) mod customers;
pub(crate) mod inventory;
pub(crate) mod links;
pub(crate) mod listing;
pub(crate) mod orders;
pub(crate) mod seed;
pub(crate) mod shipments;

use std::{io, path::Path, thread, time::Duration};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use crate::fault::Fault;

/// Jobs that may wait for one thread; callers beyond it wait to get in line.
const QUEUE_MAX: usize = 256;

/// Prepared statements kept per connection; the shop has fewer than these.
const STATEMENTS_KEPT: usize = 64;

/// Tables, indexes and triggers; running it again changes nothing.
pub(crate) const SCHEMA: &str = include_str!("store/schema.sql");

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the database; clones share it. The threads end with the last handle.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writer: mpsc::Sender<Job>,
    reader: mpsc::Sender<Job>,
    written: watch::Sender<()>,
}

// === impl Store ===

impl Store {
    /// Opens (and if need be creates) the database in the file `path`, or one in memory; `fill` sees it first.
    pub(crate) fn open(
        path: Option<&Path>,
        fill: impl FnOnce(&Transaction<'_>) -> Result<(), Fault>,
    ) -> io::Result<Self> {
        let mut first = connect(path).map_err(io::Error::other)?;
        transact(&mut first, TransactionBehavior::Immediate, fill).map_err(io::Error::other)?;
        let writer = worker("shop-writer", first)?;
        let reader = match path {
            Some(_) => worker("shop-reader", connect(path).map_err(io::Error::other)?)?,
            None => writer.clone(),
        };
        Ok(Self { writer, reader, written: watch::Sender::new(()) })
    }

    /// Runs `job` on one consistent state of the database.
    ///
    /// # Cancel safety
    /// A dropped future leaves nothing behind: a job that has not begun is skipped, its result otherwise dropped.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        submit(&self.reader, move |connection| transact(connection, TransactionBehavior::Deferred, job)).await
    }

    /// Runs `job` and commits what it wrote if it returns `Ok`, else nothing of it.
    ///
    /// # Cancel safety
    /// A dropped future leaves the job either undone or wholly done.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let written = self.written.clone();
        submit(&self.writer, move |connection| {
            let value = transact(connection, TransactionBehavior::Immediate, job)?;
            // On the thread that wrote: whoever waits learns of it even if the caller has left.
            written.send_replace(());
            Ok(value)
        })
        .await
    }

    /// Tells of every write from now on (several at once are one change); what is read after it was told, is there.
    pub(crate) fn writes(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }
}

/// Opens a connection and brings the schema up.
pub(crate) fn connect(path: Option<&Path>) -> rusqlite::Result<Connection> {
    let connection = match path {
        Some(path) => Connection::open(path)?,
        None => Connection::open_in_memory()?,
    };
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // WAL with NORMAL: a power cut may lose the last moments of a demo, never its consistency.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

fn worker(name: &str, mut connection: Connection) -> io::Result<mpsc::Sender<Job>> {
    let (sender, mut jobs) = mpsc::channel::<Job>(QUEUE_MAX);
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        while let Some(job) = jobs.blocking_recv() {
            job(&mut connection);
        }
    })?;
    Ok(sender)
}

async fn submit<T: Send + 'static>(
    queue: &mpsc::Sender<Job>,
    job: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let (reply, answer) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        if reply.is_closed() {
            return;
        }
        let result = job(connection);
        // Nobody waits any more: the result is nobody's.
        drop(reply.send(result));
    });
    queue.send(job).await.map_err(|_closed| Fault::Gone)?;
    answer.await.map_err(|_closed| Fault::Gone)?
}

/// One transaction: committed if `job` returns `Ok`, rolled back otherwise.
pub(crate) fn transact<T>(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    job: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction_with_behavior(behavior)?;
    let value = job(&transaction)?;
    transaction.commit()?;
    Ok(value)
}
