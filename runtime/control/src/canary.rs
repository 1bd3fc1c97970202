//! Lets the plans of canaries go on: of one gateway by itself, or of several that share a board.
//!
//! Of several, each tells the board what it saw, and one decides: the one that holds the tenure. All others do as
//! was decided. While the board cannot be reached every plan stays where it is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::Gateway;
use tidegate_gateway::canary::Walk;
use tidegate_traffic::plan::{Command, Decision, Event};
use tidegate_traffic::ports::{Board, BoardError};
use tokio::time::{MissedTickBehavior, interval};

/// How often plans look at their canaries: what fails is rolled back within this time.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The same over a board: what fails is rolled back within twice this time, everywhere.
const SHARE_EVERY: Duration = Duration::from_secs(1);

/// How often a command is tried when others write between its reading and its writing.
const TRIES: usize = 5;

/// Lets the plans look and decide, for ever.
pub async fn walk(gateway: Arc<Gateway>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        gateway.walk_canaries();
    }
}

/// Lets the plans go on together with those of other gateways, for ever.
pub async fn walk_together(gateway: Arc<Gateway>, board: Arc<dyn Board>) {
    let mut ticks = interval(SHARE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Told once, not every second.
    let mut cut_off: HashSet<String> = HashSet::new();
    loop {
        ticks.tick().await;
        for walk in gateway.canaries() {
            match share(&walk, &*board).await {
                Ok(()) if cut_off.remove(walk.name()) => {
                    tracing::info!(plan = walk.name(), "canary goes on: the board of plans answers again");
                }
                Ok(()) => {}
                Err(error) if cut_off.insert(walk.name().to_owned()) => {
                    tracing::warn!(plan = walk.name(), share = %walk.share(), "canary stays where it is: {error}");
                }
                Err(_) => {}
            }
        }
    }
}

/// One round of a plan: tells what was seen here, and decides or follows.
///
/// # Errors
/// The board cannot be reached. What was seen since the last round may be lost to the plan, which then takes longer.
pub async fn share(walk: &Walk, board: &dyn Board) -> Result<(), BoardError> {
    let (canary, stable) = walk.take();
    board.tell(walk.name(), &canary, &stable).await?;
    let leads = board.lead(walk.name()).await?;
    let posted = board.read(walk.name()).await?;
    if !leads {
        if let Some(posted) = posted {
            walk.adopt(posted.state, None);
        }
        return Ok(());
    }
    let (canary, stable) = board.take(walk.name()).await?;
    let (state, version) = posted.map_or_else(|| (walk.beginning(), 0), |posted| (posted.state, posted.version));
    let (state, decision) = walk.next(state, Event::Observed { canary, stable });
    if board.write(walk.name(), &state, version).await? {
        walk.adopt(state, decision);
    }
    Ok(())
}

/// Does what somebody wants with a plan that several gateways share. Any of them can: what it decides is written over the
/// state that it was made from.
///
/// # Errors
/// The board cannot be reached, or others wrote faster five times.
pub async fn command(walk: &Walk, board: &dyn Board, command: Command) -> Result<Option<Decision>, BoardError> {
    for _ in 0..TRIES {
        let posted = board.read(walk.name()).await?;
        let (state, version) = posted.map_or_else(|| (walk.beginning(), 0), |posted| (posted.state, posted.version));
        let (state, decision) = walk.next(state, Event::Command(command));
        if board.write(walk.name(), &state, version).await? {
            walk.adopt(state, decision);
            return Ok(decision);
        }
    }
    Err(BoardError { reason: "others write to it all the time".into() })
}
