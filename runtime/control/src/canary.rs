//! Lets the plans of canaries go on: of one gateway by itself, or of several that share a board; and keeps them for the
//! next start.

mod kept;
mod together;

pub use together::{command, share};

use crate::generations::StateFolder;
use kept::Kept;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::Gateway;
use tidegate_gateway::canary::{Role, Walk};
use tidegate_traffic::plan::{Command, Decision};
use tidegate_traffic::ports::{Board, BoardError};
use together::Together;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often plans look at their canaries: what fails is rolled back within this time.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The same over a board: what one gateway sees is told, decided on and done within three times this time.
const SHARE_EVERY: Duration = Duration::from_secs(1);

/// How long a start waits for what the other gateways have decided.
const START: Duration = Duration::from_secs(3);

/// How long a command waits for the board.
const COMMAND: Duration = Duration::from_secs(5);

/// How long a stop takes at most to tell the other gateways.
const STOP: Duration = Duration::from_secs(1);

/// The plans of a gateway, whichever config is in force. One per process.
pub struct Plans {
    gateway: Arc<Gateway>,
    together: Option<Together>,
    kept: Option<Kept>,
}

impl Plans {
    /// Plans that are walked together with all gateways on this board, or alone; and kept in this folder.
    #[must_use]
    pub fn new(gateway: &Arc<Gateway>, board: Option<Arc<dyn Board>>, state: Option<StateFolder>) -> Self {
        let (together, kept) = (board.map(Together::new), state.map(Kept::new));
        Self { gateway: Arc::clone(gateway), together, kept }
    }

    /// Brings plans to where they were, or to where the other gateways are. To be called before anything is served;
    /// takes a few seconds at most.
    pub async fn begin(&self) {
        let walks = self.gateway.canaries();
        if let Some(kept) = &self.kept {
            kept.restore(&walks);
        }
        let Some(together) = &self.together else {
            return walks.iter().for_each(|walk| walk.set_role(Role::Alone));
        };
        if timeout(START, together.round(&walks)).await.is_err() {
            walks.iter().for_each(|walk| walk.set_role(Role::CutOff));
            tracing::warn!("the board of plans does not answer: canaries begin without it");
        }
    }

    /// Lets the plans look and decide, for ever.
    pub async fn run(self: Arc<Self>) {
        let mut ticks = interval(if self.together.is_some() { SHARE_EVERY } else { LOOK_EVERY });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match &self.together {
                Some(together) => together.round(&self.gateway.canaries()).await,
                None => self.gateway.walk_canaries(),
            }
            self.keep(false).await;
        }
    }

    /// Does what somebody wants of a plan, or says why not ([`Decision::Refused`]).
    ///
    /// # Errors
    /// The board cannot be used. Nothing was done, unless its answer got lost.
    pub async fn command(&self, walk: &Walk, command: Command) -> Result<Option<Decision>, BoardError> {
        let decision = match &self.together {
            Some(together) => timeout(COMMAND, together.command(walk, command)).await.unwrap_or_else(|_| {
                let reason = format!("no answer within {COMMAND:?}; the command may have been done");
                Err(BoardError { reason })
            })?,
            None => walk.command(command),
        };
        self.keep(false).await;
        Ok(decision)
    }

    /// Leaves the other gateways alone with the plans, and keeps them a last time. Takes about a second at most.
    pub async fn stop(&self) {
        if let Some(together) = &self.together
            && timeout(STOP, together.stop()).await.is_err()
        {
            tracing::debug!("the board of plans does not answer: other gateways notice in some seconds");
        }
        self.keep(true).await;
    }

    async fn keep(&self, now: bool) {
        if let Some(kept) = &self.kept {
            kept.keep(&self.gateway.canaries(), now).await;
        }
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").field("together", &self.together.is_some()).finish_non_exhaustive()
    }
}
