//! Plans that several gateways walk over a board.
//!
//! Each tells the board what it saw, and one decides: the one that holds the tenure. All others do as was decided. While
//! the board cannot be used every plan stays where it is, but a canary that fails here gets nothing from here.

use std::collections::BTreeSet;
use std::sync::Arc;
use tidegate_gateway::canary::{Role, Walk};
use tidegate_traffic::plan::{Command, Decision};
use tidegate_traffic::ports::{Board, BoardError, PIECES, Seen};
use tidegate_traffic::together::{Round, Then};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// How often a command is tried when others write between its reading and its writing.
const TRIES: usize = 5;

/// How often in a round what was told is counted, [`PIECES`] at a time.
const COUNTS: usize = 16;

/// After so many rounds it is looked for plans that nobody has any more.
const SWEEP_EVERY: u32 = 60;

/// This gateway among those of a board.
pub(super) struct Together {
    board: Arc<dyn Board>,
    /// Whoever does something with the board holds it, so that nothing older is seen after something newer.
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    /// The keys of the plans in which this gateway takes part.
    parts: BTreeSet<String>,
    /// Why plans stay where they are, if they do.
    trouble: Option<String>,
    /// Until plans that nobody has are looked for.
    rounds: u32,
    stopped: bool,
}

impl Together {
    pub(super) fn new(board: Arc<dyn Board>) -> Self {
        Self { board, turn: Mutex::default() }
    }

    /// Lets each plan go on by a step.
    pub(super) async fn round(&self, walks: &[Arc<Walk>]) {
        let mut turn = self.turn.lock().await;
        if turn.stopped || (walks.is_empty() && turn.parts.is_empty()) {
            return;
        }
        let done = match self.board.alive().await {
            Ok(()) => self.share_all(&mut turn, walks).await,
            Err(error) => {
                walks.iter().for_each(|walk| walk.cut_off());
                Err(error)
            }
        };
        turn.tell(done.err());
    }

    /// One of the errors, if there is any. Plans are shared at once: one that has to wait holds up no other.
    async fn share_all(&self, turn: &mut Turn, walks: &[Arc<Walk>]) -> Result<(), BoardError> {
        let keys: BTreeSet<String> = walks.iter().map(|walk| walk.key().to_owned()).collect();
        let mut all = Ok(());
        for gone in turn.parts.difference(&keys).cloned().collect::<Vec<_>>() {
            let left = self.board.leave(&gone).await;
            if left.is_ok() {
                turn.parts.remove(&gone);
                turn.rounds = SWEEP_EVERY;
            }
            all = all.and(left);
        }
        turn.parts.extend(keys.iter().cloned());
        let mut sharing = JoinSet::new();
        for walk in walks {
            let (walk, board) = (Arc::clone(walk), Arc::clone(&self.board));
            sharing.spawn(async move {
                let shared = share(&walk, &*board).await;
                if shared.is_err() {
                    walk.cut_off();
                }
                shared
            });
        }
        // Always the same one of several, so that it is told once.
        let wrong = sharing.join_all().await.into_iter().filter_map(Result::err);
        if let Some(error) = wrong.min_by(|one, other| one.reason.cmp(&other.reason)) {
            all = Err(error);
        }
        turn.rounds += 1;
        if all.is_ok() && turn.rounds >= SWEEP_EVERY {
            turn.rounds = 0;
            return self.board.sweep(&keys.into_iter().collect::<Vec<_>>()).await;
        }
        all
    }

    pub(super) async fn command(&self, walk: &Walk, wanted: Command) -> Result<Option<Decision>, BoardError> {
        let mut turn = self.turn.lock().await;
        self.board.alive().await?;
        turn.parts.insert(walk.key().to_owned());
        command(walk, &*self.board, wanted).await
    }

    /// Takes no part any more.
    pub(super) async fn stop(&self) {
        let mut turn = self.turn.lock().await;
        turn.stopped = true;
        for plan in std::mem::take(&mut turn.parts) {
            if let Err(error) = self.board.leave(&plan).await {
                return tracing::debug!("other gateways notice in some seconds that this one stops: {error}");
            }
        }
    }
}

impl Turn {
    /// What is new is told, once.
    fn tell(&mut self, error: Option<BoardError>) {
        let trouble = error.map(|error| error.reason);
        match &trouble {
            Some(reason) if self.trouble.as_ref() != Some(reason) => {
                tracing::warn!(reason, "the board of plans cannot be used; canaries stay where they are");
            }
            None if self.trouble.is_some() => {
                tracing::info!("the board of plans can be used again; canaries go on");
            }
            _ => {}
        }
        self.trouble = trouble;
    }
}

/// One round of a plan: decides, or follows and tells what was seen here.
///
/// # Errors
/// The board cannot be used. What was seen since the last round may be lost to the plan, which then takes longer.
pub async fn share(walk: &Walk, board: &dyn Board) -> Result<(), BoardError> {
    for _ in 0..COUNTS {
        let seen = board.look(walk.key()).await?;
        let Round { state, then } = walk.round(&seen);
        if let Some(posted) = &seen.posted {
            walk.follow(state, &posted.by);
        }
        walk.set_role(role(&seen));
        match then {
            Then::Nothing => {}
            Then::Tell(told) => board.tell(walk.key(), &told).await?,
            Then::Write(writing) => {
                if board.write(walk.key(), &writing.state, &writing.over).await? {
                    walk.adopt(writing.state, writing.decision);
                }
            }
        }
        if seen.told.len() < PIECES {
            break;
        }
    }
    Ok(())
}

fn role(seen: &Seen) -> Role {
    match seen.tenure {
        Some(_) => Role::Leads,
        None => Role::Follows(seen.leader.clone()),
    }
}

/// Does what somebody wants with a plan that several gateways share. Any of them can: what it decides is written over
/// the state that it was made from, and the one that leads goes on from there.
///
/// # Errors
/// The board cannot be used, or others wrote faster five times.
pub async fn command(walk: &Walk, board: &dyn Board, command: Command) -> Result<Option<Decision>, BoardError> {
    for _ in 0..TRIES {
        let seen = board.look(walk.key()).await?;
        let writing = walk.ordered(&seen, command);
        if let Some(posted) = &seen.posted {
            walk.follow(posted.state.clone(), &posted.by);
        }
        if let Some(refused @ Decision::Refused { .. }) = writing.decision {
            return Ok(Some(refused));
        }
        if board.write(walk.key(), &writing.state, &writing.over).await? {
            walk.adopt(writing.state, writing.decision);
            return Ok(writing.decision);
        }
    }
    Err(BoardError { reason: "other gateways write to it all the time".into() })
}
