//! The circuit breaker of the demo: calls that fail open it for their like, others go on, and good ones close it.

use super::client;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_gateway::breakers::Guard;
use tidegate_shop::tour::Answer;
use tidegate_traffic::breaker::State;

/// So many calls are judged: ten that fail open it.
pub(super) const CALLS: usize = 10;
/// What is called `message=flaky` has a breaker of its own; one good probe is not enough.
pub(super) const SETTINGS: &str = "key: 'field:message', window: 10, open: 500ms, half_open: 2";

const FAILS: &str = "/v1/faults/14?message=flaky";
const WORKS: &str = "/v1/faults/0?message=flaky";
const OTHER: &str = "/v1/faults/0?message=steady";
/// What nobody hears but those who are kept away.
const KEPT_AWAY: &str = "the service fails too often";

/// How long an open interval and two calls may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether it lets calls pass again.
const PAUSE: Duration = Duration::from_millis(50);

/// The curl line that opens it.
pub(super) fn curl(base: &str) -> String {
    format!("for i in $(seq {}); do curl -s '{base}{FAILS}'; echo; done | tail -1", CALLS + 1)
}

/// Opens it and closes it again, and tells how.
pub(super) async fn make(address: SocketAddr, key: impl Fn() -> Option<State>) -> Result<String, String> {
    let mut failed = 0;
    while ask(address, FAILS, 503).await? {
        failed += 1;
        if failed > CALLS {
            return Err(format!("{failed} calls failed, and the breaker is {:?}", key()));
        }
    }
    if (failed, key()) != (CALLS, Some(State::Open)) {
        return Err(format!("after {failed} calls the breaker is {:?}, and should open after {CALLS}", key()));
    }
    if !ask(address, OTHER, 200).await? {
        return Err("calls with another message are kept away as well".into());
    }
    let closed = tokio::time::timeout(PATIENCE, async {
        let mut probes = 0;
        while key() != Some(State::Closed) {
            if ask(address, WORKS, 200).await? {
                probes += 1;
            } else {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok::<_, String>(probes)
    });
    let probes = closed.await.unwrap_or_else(|_| Err(format!("the breaker is {:?} after {PATIENCE:?}", key())))?;
    let mut line = format!("ok  breaker flaky: opened after {failed} calls that failed; others were served; ");
    let _ = writeln!(line, "closed after {probes} good ones");
    Ok(line)
}

/// The breaker of the calls that it is about.
pub(super) fn state(guards: &[std::sync::Arc<Guard>]) -> Option<State> {
    let keys = guards.iter().filter_map(|guard| guard.keys()).flatten();
    keys.into_iter().find(|key| &*key.key == "flaky").map(|key| key.state)
}

/// Whether the service answered, which must be with this status.
async fn ask(address: SocketAddr, path: &str, status: u16) -> Result<bool, String> {
    let Answer { status: found, headers, body } =
        client::get(address, path, "shop-user=demo").await.map_err(|error| format!("GET {path}: {error}"))?;
    let body = String::from_utf8_lossy(&body);
    if body.contains(KEPT_AWAY) {
        let told = headers.iter().any(|(name, value)| name == "retry-after" && value == "1");
        return if found == 503 && told { Ok(false) } else { Err(format!("GET {path}: {found} {headers:?}")) };
    }
    if found == status { Ok(true) } else { Err(format!("GET {path}: status {found} instead of {status}: {body}")) }
}
