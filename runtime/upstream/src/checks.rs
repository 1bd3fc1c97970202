//! Asking endpoints whether they are well, over connections of their own.

mod grpc;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::USER_AGENT};
use http_body::Body;
use tidegate_telemetry::{clock, random};
use tidegate_traffic::health::Machine;
use tokio::{
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use crate::{
    Call, CallError, Config, Fleet, Kind, Protocol, Question, RequestBody, ResponseBody, Upstream, config::Check,
    error, fleet::Member,
};

/// The first checks come within this time of the start, not all at once.
const FIRST_WITHIN: Duration = Duration::from_millis(200);

/// What is read of an answer.
const ANSWER_MAX_BYTES: usize = 16 * 1024;

/// Checks the endpoints of a fleet, those that come later too, until the fleet is gone. To be run once for the process; at
/// once over if its config has no check.
pub async fn run(fleet: Weak<Fleet>) {
    let Some(mut changes) =
        fleet.upgrade().filter(|fleet| fleet.config().health.is_some()).map(|fleet| fleet.changes())
    else {
        return;
    };
    // Dropped, they end.
    let mut tasks = JoinSet::new();
    let mut known: Vec<(Arc<Member>, AbortHandle)> = Vec::new();
    loop {
        {
            let Some(alive) = fleet.upgrade() else { return };
            let roster = alive.roster();
            let members = roster.members();
            known.retain(|(member, task)| {
                let stays = members.iter().any(|other| Arc::ptr_eq(other, member));
                if !stays {
                    task.abort();
                }
                stays
            });
            for member in members {
                if !known.iter().any(|(known, _)| Arc::ptr_eq(known, member)) {
                    let task = tasks.spawn(check(fleet.clone(), Arc::clone(member)));
                    known.push((Arc::clone(member), task));
                }
            }
        }
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Checks one endpoint.
async fn check(fleet: Weak<Fleet>, member: Arc<Member>) {
    let Some((config, first)) = fleet.upgrade().map(|fleet| (Arc::clone(fleet.config()), spread(FIRST_WITHIN))) else {
        return;
    };
    let Some(Check { question, settings }) = &config.health else { return };
    // For the pauses alone: what is known is decided by the fleet.
    let mut machine = Machine::default();
    let mut upstream = None;
    sleep(first).await;
    loop {
        let asked = upstream.get_or_insert_with(|| Upstream::new(private(&config, &member)));
        let answer = ask(asked, question, settings.timeout, &config, &member).await;
        if answer.is_err() {
            // The next one finds out about new connections too.
            upstream = None;
        }
        machine.step(settings, answer.is_ok());
        let Some(fleet) = fleet.upgrade() else { return };
        fleet.checked(&member, answer);
        drop(fleet);
        sleep(machine.pause(settings, random::u64())).await;
    }
}

fn spread(within: Duration) -> Duration {
    let millis = random::below(u64::try_from(within.as_millis()).unwrap_or(0));
    Duration::from_millis(millis)
}

/// A connection to one endpoint, for nothing else.
fn private(config: &Config, member: &Member) -> Config {
    let endpoints = vec![member.address.clone()];
    let base = match config.protocol {
        Protocol::H1 => Config::h1(config.name.clone(), endpoints),
        Protocol::H2 => Config::new(config.name.clone(), endpoints),
    };
    Config { connect_timeout: config.connect_timeout, connections_max: 1, keepalive: None, outlier: None, ..base }
}

/// Asks once. The error is for people.
async fn ask(
    upstream: &Upstream,
    question: &Question,
    timeout: Duration,
    config: &Config,
    member: &Member,
) -> Result<(), String> {
    let (authority, deadline) = (config.authority(&member.address), clock::now().checked_add(timeout));
    let request = match question {
        Question::Http(path) => Request::get(format!("http://{authority}{path}"))
            .header(USER_AGENT, "tidegate-health")
            .body(RequestBody::empty()),
        Question::Grpc(service) => grpc::request(&authority, service),
    };
    let request = request.map_err(|error| format!("it cannot be asked: {error}"))?;
    let what = match question {
        Question::Http(path) => format!("GET {path}"),
        Question::Grpc(_) => "its health".to_owned(),
    };
    let answer = async {
        let response = upstream.call(request, deadline).await?;
        read(response).await
    };
    let (status, body, trailers) = answer.await.map_err(|error: CallError| match error.kind() {
        Kind::Deadline => format!("{what}: no answer within {timeout:?}"),
        _ => format!("{what}: {}", error::chain(&error)),
    })?;
    match question {
        Question::Http(_) if status.is_success() => Ok(()),
        Question::Http(_) => Err(format!("{what} answered {}", status.as_u16())),
        Question::Grpc(_) => grpc::judge(status, &body, &trailers),
    }
}

/// A whole answer: its status, its body as far as it is of interest, and its headers with its trailers.
async fn read(response: Response<ResponseBody>) -> Result<(StatusCode, Vec<u8>, HeaderMap), CallError> {
    let (head, mut body) = response.into_parts();
    let (mut data, mut headers): (Vec<u8>, _) = (Vec::new(), head.headers);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame?.into_data() {
            Ok(bytes) if data.len() < ANSWER_MAX_BYTES => data.extend_from_slice(&bytes),
            // A page that does not end: what it said at first is enough.
            Ok(Bytes { .. }) => break,
            Err(frame) => headers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok((head.status, data, headers))
}
