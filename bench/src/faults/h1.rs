//! Requests over keep-alive HTTP/1.1 connections, as a client sends them that minds what it is told.

use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;

use super::ledger::Ledger;
use super::traffic::{Ask, Plan, within};
use crate::load::connection::Connection;

fn request(host: &str, Ask { method, target, body, .. }: &Ask) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\naccept: application/x-ndjson\r\n");
    [format!("{head}x-probe: 1\r\n{length}\r\n").as_bytes(), body].concat()
}

/// One connection, opened again whenever it ends, until there is nothing more to send or nobody listens.
pub(super) async fn requests(plan: Rc<Plan>, ledger: Rc<Ledger>) {
    while let Some(mut connection) = plan.connect().await.map(Connection::on) {
        loop {
            let number = tokio::select! {
                biased;
                () = connection.closed() => break,
                number = ledger.next() => number,
            };
            let Some(number) = number else { return };
            let sent = Instant::now();
            let mut body = Vec::new();
            let ask = request(plan.host(number), &plan.ask(number));
            let asked = within(connection.ask(&ask, |piece| body.extend_from_slice(piece))).await;
            match asked {
                Ok(head) => {
                    ledger.answered(number, sent, head.status, &body);
                    if head.close {
                        break;
                    }
                }
                Err(error) => {
                    ledger.unanswered(number, &error);
                    break;
                }
            }
        }
    }
}

/// One stream after the other, each on a connection of its own.
pub(super) async fn streams(plan: Rc<Plan>, ledger: Rc<Ledger>, target: String) {
    while let Some(connection) = plan.connect().await {
        let mut connection = Connection::on(connection);
        let mut last = Vec::new();
        let ended: Result<_> =
            connection.ask(&request(plan.host(0), &Ask::get(&target)), |piece| keep_last(&mut last, piece)).await;
        ledger.stream_ended(ended.map(drop).map_err(|error| format!("{error:#}")), &last);
        if ledger.is_closed() {
            return;
        }
    }
}

/// As much of the end of a body as its last line can have.
pub(super) fn keep_last(last: &mut Vec<u8>, piece: &[u8]) {
    const LINE: usize = 32 * 1024;
    last.extend_from_slice(piece);
    let excess = last.len().saturating_sub(LINE);
    last.drain(..excess);
}
