//! `CL.THROTTLE` for any client of Redis, over RESP2 and RESP3.
//!
//! Answers `CL.THROTTLE`, `PING`, `HELLO`, `AUTH`, `SELECT 0`, `CLIENT`, `COMMAND`, `INFO`, `ECHO` and `QUIT`. Commands of
//! a pipeline are asked together and answered in order.

mod command;
mod parse;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::service::Service;
use command::{Session, Written};
use parse::Parsed;

/// Commands that are read before the first of them is answered.
const PIPELINE: usize = 1024;
/// How long a client may take to read an answer.
const WRITE: Duration = Duration::from_secs(10);

/// Serves a connection until it ends, or until `stopping` says so between two commands.
pub(crate) async fn serve(mut socket: TcpStream, service: Arc<Service>, mut stopping: watch::Receiver<bool>) {
    let mut session = Session::new(service);
    let mut unread = BytesMut::with_capacity(4096);
    let mut out = Vec::new();
    loop {
        let mut answers = Vec::new();
        let mut ends = false;
        let mut arguments = Vec::new();
        let mut read = 0;
        while answers.len() < PIPELINE && !ends {
            match parse::command(&unread[read..], &mut arguments) {
                Parsed::More => break,
                Parsed::Wrong(why) => {
                    answers.push(Written::Error(format!("ERR Protocol error: {why}")));
                    ends = true;
                }
                Parsed::Command(length) => {
                    if !arguments.is_empty() {
                        let (answer, quits) = session.answer(&arguments);
                        answers.push(answer);
                        ends = quits;
                    }
                    read += length;
                }
            }
            arguments.clear();
        }
        drop(arguments);
        let _ = unread.split_to(read);
        let full = answers.len() == PIPELINE;
        for answer in answers {
            answer.write(&mut out).await;
        }
        if !out.is_empty() {
            match timeout(WRITE, socket.write_all(&out)).await {
                Ok(Ok(())) => out.clear(),
                _ => return,
            }
        }
        if ends {
            let _ = socket.shutdown().await;
            return;
        }
        if full {
            // There may be more to answer before anything is to be read.
            tokio::task::yield_now().await;
            continue;
        }
        let more = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            more = socket.read_buf(&mut unread) => more,
        };
        if !matches!(more, Ok(1..)) {
            return;
        }
    }
}
