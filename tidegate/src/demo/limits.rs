//! The rate limit of the demo: a tenant that asks too much is refused, and others are not.

use super::client;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tidegate_shop::tour::Answer;

/// So many calls of this tenant pass in three hours.
const CALLS: usize = 3;
/// Enough for everybody else.
pub(super) const SETTINGS: &str = "key: 'path:tenant_id', rate: 1000/s, overrides: { busy: { rate: 1/h, burst: 3 } }";

const BUSY: &str = "/v1/tenants/busy/orders";
const OTHER: &str = "/v1/tenants/calm/orders";

/// The curl line that reaches it.
pub(super) fn curl(base: &str) -> String {
    format!("for i in $(seq {}); do curl -s -o /dev/null -w '%{{http_code}} ' '{base}{BUSY}'; done", CALLS + 1)
}

/// Reaches it, and tells how.
pub(super) async fn make(address: SocketAddr) -> Result<String, String> {
    for call in 1..=CALLS {
        let answer = ask(address, BUSY).await?;
        if answer.status != 200 {
            return Err(format!("call {call} of {CALLS} is answered {answer:?}"));
        }
    }
    let refused = ask(address, BUSY).await?;
    let header = |name: &str| refused.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let retry = header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok()).unwrap_or_default();
    let told = (header("ratelimit-policy"), header("ratelimit").map(str::to_owned));
    let want = (Some(r#""per-tenant";q=3;w=10800"#), Some(format!(r#""per-tenant";r=0;t={retry}"#)));
    // The calls before took some of the hour.
    if refused.status != 429 || !(3000..=3600).contains(&retry) || told != want {
        return Err(format!("call {} is answered {refused:?}", CALLS + 1));
    }
    if ask(address, OTHER).await?.status != 200 {
        return Err("calls of another tenant are refused as well".into());
    }
    let mut line = format!("ok  limit per-tenant: {CALLS} calls of a tenant passed, the next one is told ");
    let _ = writeln!(line, "to come again within an hour; others were served");
    Ok(line)
}

async fn ask(address: SocketAddr, path: &str) -> Result<Answer, String> {
    client::get(address, path, "shop-user=demo").await.map_err(|error| format!("GET {path}: {error}"))
}
