//! The board of plans.

use crate::support::soon_board;
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tidegate_etcd::{Config, Credentials, EtcdBoard};
use tidegate_source_rig::board::{Boards, does_what_boards_do};
use tidegate_source_rig::contract::soon;
use tidegate_source_rig::etcd::Etcd;
use tidegate_source_rig::relay::Relay;
use tidegate_traffic::plan::{Sample, State};
use tidegate_traffic::ports::{Board, BoardError, Over, Posted, Seen, Told};

const PLAN: &str = "orders@0123456789abcdef";

/// etcd with a board.
struct Server(Etcd);

impl Server {
    /// `None` where etcd is not installed.
    fn start() -> Option<Self> {
        Etcd::start().map(Self)
    }
}

impl Deref for Server {
    type Target = Etcd;

    fn deref(&self) -> &Etcd {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Etcd {
        &mut self.0
    }
}

impl Boards for Server {
    async fn join(&self, name: &str) -> Box<dyn Board> {
        let board = board(&[self.address()], name);
        alive(&board).await;
        Box::new(board)
    }

    async fn wait(&self) {
        // The caller asks again.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn config(endpoints: &[&str], credentials: Option<Credentials>) -> Config {
    let endpoints = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
    Config { endpoints, key: "/tidegate/".into(), credentials, tls: None }
}

fn board(endpoints: &[&str], name: &str) -> EtcdBoard {
    EtcdBoard::new(&config(endpoints, None), name)
}

/// Until it is.
async fn alive(board: &dyn Board) {
    soon("that it is alive", async {
        while board.alive().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn look(board: &dyn Board) -> Seen {
    soon_board("a look", board.look(PLAN)).await
}

fn told(calls: u64) -> Told {
    Told { revision: 1, canary: Sample { calls, ..Sample::default() }, stable: Sample::default() }
}

fn state(revision: u64) -> State {
    State { revision, ..State::begin(Duration::from_secs(7)) }
}

fn over(seen: &Seen) -> Over {
    let version = seen.posted.as_ref().map_or(0, |posted| posted.version);
    let counted = seen.told.iter().map(|piece| piece.id.clone()).collect();
    Over { version, tenure: seen.tenure, counted }
}

#[tokio::test]
async fn etcd_does_what_boards_do() {
    let Some(etcd) = Server::start() else { return };
    does_what_boards_do(&etcd).await;
}

#[tokio::test]
async fn what_is_decided_can_be_read_by_people_and_is_no_part_of_the_config() {
    let Some(etcd) = Server::start() else { return };
    let first = etcd.join("gw-1:77").await;
    let seen = look(&*first).await;
    first.tell(PLAN, &told(3)).await.expect("etcd is there");
    assert_eq!(first.write(PLAN, &state(2), &over(&seen)).await, Ok(true));
    let keys = etcd.ctl(&["get", "--prefix", "--keys-only", "/"], "");
    let keys: Vec<&str> = keys.lines().filter(|line| !line.is_empty()).collect();
    let [gateway, leader, posted, piece] = keys[..] else { panic!("{keys:?}") };
    let lease = gateway.strip_prefix(&format!("/tidegate-plans/gateway/{PLAN}/")).expect("the gateway's key");
    assert_eq!(leader, format!("/tidegate-plans/leader/{PLAN}"));
    assert_eq!(posted, format!("/tidegate-plans/state/{PLAN}"));
    assert_eq!(piece, format!("/tidegate-plans/told/{PLAN}/{lease}/1"));
    let value = |key: &str| etcd.ctl(&["get", "--print-value-only", key], "");
    let text = "tidegate-plan 1\nphase walking\nstep 0 7000000000 2\ncanary 0 0\nstable 0 0\nby gw-1:77\n\n";
    assert_eq!(value(posted), text);
    assert_eq!((&*value(leader), &*value(gateway)), ("gw-1:77\n", "gw-1:77\n"));
    assert_eq!(value(piece), "tidegate-told 1\nrevision 1\ncanary 3 0\nstable 0 0\n\n");
}

#[tokio::test]
async fn an_etcd_that_is_killed_and_comes_back_has_lost_nothing_that_was_written() {
    let Some(mut etcd) = Server::start() else { return };
    let (first, second) = (etcd.join("first").await, etcd.join("second").await);
    let seen = look(&*first).await;
    assert_eq!(first.write(PLAN, &state(2), &over(&seen)).await, Ok(true));
    etcd.kill();
    let address = etcd.address().to_owned();
    let away = soon("that it is away", first.look(PLAN)).await.expect_err("it was killed");
    assert!(away.reason.starts_with(&format!("etcd at {address}: ")), "{away}");
    let away = soon("that it is away", first.alive()).await;
    let refused = format!("etcd at {address}: no connection: Connection refused (os error 111)");
    assert_eq!(away, Err(BoardError { reason: refused }));
    let lost = BoardError { reason: format!("etcd at {address}: the connection was lost") };
    assert_eq!(first.look(PLAN).await, Err(lost), "nothing is asked before it is alive");
    etcd.run();
    alive(&*first).await;
    alive(&*second).await;
    // Leases last longer than the restart took, or are over: either way one leads, with what was written.
    let (mine, theirs) = (look(&*first).await, look(&*second).await);
    let posted =
        Posted { state: state(2), version: mine.posted.as_ref().map_or(0, |one| one.version), by: "first".into() };
    assert_eq!((&mine.posted, &theirs.posted), (&Some(posted.clone()), &Some(posted)));
    let leads = [mine, theirs].into_iter().filter(|seen| seen.tenure.is_some()).count();
    assert_eq!(leads, 1);
}

#[tokio::test]
async fn a_gateway_that_was_cut_off_for_too_long_comes_back_as_another_one() {
    let Some(etcd) = Server::start() else { return };
    let relay = Relay::start(etcd.address()).await;
    let (first, second) = (board(&[relay.address()], "first"), etcd.join("second").await);
    alive(&first).await;
    let before = look(&first).await;
    first.tell(PLAN, &told(3)).await.expect("etcd is there");
    relay.lead(None);
    let away = soon("that it is cut off", first.write(PLAN, &state(9), &over(&before))).await;
    assert!(away.is_err(), "{away:?}");
    let seen = soon("another tenure", async {
        loop {
            etcd.wait().await;
            second.alive().await.expect("etcd is there");
            let seen = look(&*second).await;
            if seen.tenure.is_some() {
                return seen;
            }
        }
    });
    let seen = seen.await;
    assert_eq!((&seen.posted, &seen.told), (&None, &vec![]), "what it told is gone with it");
    assert_eq!(second.write(PLAN, &state(1), &over(&seen)).await, Ok(true));
    relay.lead(Some(etcd.address()));
    alive(&first).await;
    assert_eq!(first.write(PLAN, &state(9), &over(&before)).await, Ok(false), "its tenure is over");
    let after = look(&first).await;
    assert_eq!((after.tenure, &*after.leader, after.posted.map(|posted| posted.state)), {
        (None, "second", Some(state(1)))
    });
}

#[tokio::test]
async fn an_etcd_that_hangs_does_not_hold_up_its_gateways() {
    let Some(etcd) = Server::start() else { return };
    let first = etcd.join("first").await;
    etcd.server().pause();
    let late = soon("an error", first.look(PLAN)).await;
    let away = soon("an error", first.alive()).await;
    etcd.server().resume();
    let address = etcd.address();
    let reason = |asked: &str| format!("etcd at {address}: no answer to {asked} within 2s");
    assert_eq!(late, Err(BoardError { reason: reason("looking") }));
    // The system still takes connections for it.
    assert_eq!(away, Err(BoardError { reason: reason("keeping the lease") }));
    alive(&*first).await;
    assert_eq!(look(&*first).await.leader, "first");
}

#[tokio::test]
async fn another_member_is_used_when_one_fails() {
    let Some(etcd) = Server::start() else { return };
    let (one, other) = (Relay::start(etcd.address()).await, Relay::start(etcd.address()).await);
    let board = board(&[one.address(), other.address()], "first");
    one.lead(None);
    soon("the other one", board.alive()).await.expect("one of them can be used");
    let before = look(&board).await;
    one.lead(Some(etcd.address()));
    other.lead(None);
    soon("the first one", board.alive()).await.expect("one of them can be used");
    assert_eq!(look(&board).await.tenure, before.tenure, "the lease is the same");
}

#[tokio::test]
async fn a_user_that_may_only_read_the_config_is_told_what_it_may_not() {
    let Some(mut etcd) = Server::start() else { return };
    etcd.lock();
    let credentials = Credentials { user: "gateway".into(), password: "hush".into() };
    let board = EtcdBoard::new(&config(&[etcd.address()], Some(credentials)), "first");
    alive(&board).await;
    let address = etcd.address();
    let may_not = "user `gateway` may not read and write /tidegate-plans/: permission denied";
    let refused = BoardError { reason: format!("etcd at {address}: {may_not}") };
    assert_eq!(soon("a refusal", board.look(PLAN)).await, Err(refused));
    etcd.ctl(&["role", "grant-permission", "--prefix=true", "reader", "readwrite", "/tidegate-plans/"], "");
    assert_eq!(look(&board).await.leader, "first");
}

#[tokio::test]
async fn what_is_no_state_is_named_and_what_nobody_can_read_counts_nothing() {
    let Some(etcd) = Server::start() else { return };
    let first = etcd.join("first").await;
    etcd.put(&format!("/tidegate-plans/told/{PLAN}/1/1"), "something");
    let seen = look(&*first).await;
    let seen = Seen { told: look(&*first).await.told, ..seen };
    assert_eq!(seen.told.iter().map(|piece| &piece.told).collect::<Vec<_>>(), [&Told::default()]);
    assert_eq!(first.write(PLAN, &state(1), &over(&seen)).await, Ok(true));
    assert_eq!(look(&*first).await.told, []);
    etcd.put(&format!("/tidegate-plans/state/{PLAN}"), "tidegate-plan 2\n");
    let refused = format!(
        "the value of /tidegate-plans/state/{PLAN} in etcd: line 1 is not what this version of the program writes"
    );
    assert_eq!(first.look(PLAN).await, Err(BoardError { reason: refused }));
}
