//! One client connection: h1 or h2 (prior knowledge), told apart by its first bytes.

use super::admission::Permit;
use super::worker::Shared;
use super::{h1, h2};
use crate::peer::Peer;
use crate::phase::Phase;
use std::rc::Rc;
use std::time::Duration;
use tidegate_telemetry::metrics::limits::Limit;
use tidegate_telemetry::random;
use tokio::net::TcpStream;

/// What every h2 client sends first (RFC 9113, section 3.4); no h1 method begins like it.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Between two looks at a preface that is not complete.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(128);

/// Runs the connection to its end.
pub(super) async fn serve(stream: TcpStream, peer: Peer, permit: Permit, shared: Rc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let _permit = permit;
    let mut phase = shared.phase.clone();
    let begun = tokio::select! {
        biased;
        begun = tokio::time::timeout(peer.limits().headers.timeout, speaks_h2(&stream)) => begun,
        _ = phase.wait_for(|&phase| phase == Phase::Over) => return,
    };
    match begun {
        // Boxed, so that an idle connection of one kind does not take the room of the other.
        Ok(Ok(true)) => Box::pin(h2::serve(stream, peer, &shared)).await,
        Ok(Ok(false)) => Box::pin(h1::serve(stream, peer, &shared)).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client connection ended before its first request"),
        Err(_) => shared.gateway.telemetry().metrics.limits().reached(Limit::HeaderTimeout),
    }
}

/// Looks at the first bytes without taking them.
async fn speaks_h2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; H2_PREFACE.len()];
    let mut seen = 0;
    let mut pause = PAUSE_MIN;
    loop {
        let count = stream.peek(&mut first).await?;
        if count == 0 || first[..count] != H2_PREFACE[..count] {
            return Ok(false);
        }
        if count == first.len() {
            return Ok(true);
        }
        // The preface arrives in pieces. `peek` returns at once while any byte is there, so look less and
        // less often; the header timeout bounds this.
        if count == seen {
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(PAUSE_MAX);
        }
        seen = count;
    }
}

/// Less up to a tenth, so that clients that came together do not leave together.
pub(super) fn jittered(age: Duration) -> Duration {
    let tenth = u64::try_from(age.as_millis() / 10).unwrap_or(u64::MAX);
    age.saturating_sub(Duration::from_millis(random::below(tenth)))
}
