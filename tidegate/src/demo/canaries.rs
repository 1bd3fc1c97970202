//! The canaries of the demo: a good version that is rolled out, and a broken one that is rolled back, both by
//! themselves, while users go on.

use super::client;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_gateway::canary::Report;
use tidegate_shop::tour::Answer;
use tidegate_shop::{VERSION_HEADER, Version};
use tidegate_traffic::plan::{Decision, Phase};

/// Users that come again and again. Enough that either side has some at every step.
const USERS: u32 = 100;

/// What both plans may take: some seconds, and more on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for both plans to end, and tells what they decided.
pub(super) async fn make(address: SocketAddr, reports: impl Fn() -> Vec<Report>) -> Result<String, String> {
    let done = tokio::time::timeout(PATIENCE, async {
        let out = roll_out(address, || report(reports(), "next")).await?;
        let back = roll_back(address, || report(reports(), "broken")).await?;
        Ok(format!("{}{}", told(&out), told(&back)))
    });
    done.await.unwrap_or_else(|_| Err(format!("the canaries did not end within {PATIENCE:?}: {:?}", reports())))
}

fn report(reports: Vec<Report>, name: &str) -> Result<Report, String> {
    reports.into_iter().find(|report| report.name == name).ok_or_else(|| format!("there is no plan `{name}`"))
}

/// Users ask for a link until the new version answers all of them; none ever goes back to the old one.
async fn roll_out(address: SocketAddr, report: impl Fn() -> Result<Report, String>) -> Result<Report, String> {
    let next = Some(Version::Next.name());
    let mut moved = BTreeSet::new();
    loop {
        for user in 0..USERS {
            let answer = ask(address, user, "/v1/links/docs").await?;
            match version(&answer) {
                version if version == next => {
                    moved.insert(user);
                }
                None if !moved.contains(&user) => {}
                version => return Err(format!("user {user} was moved and is answered by {version:?}")),
            }
            if answer.status != 200 {
                return Err(format!("user {user}: status {} during the roll-out", answer.status));
            }
        }
        let report = report()?;
        match report.phase {
            Phase::Walking => {}
            Phase::Done if moved.len() == USERS as usize => return Ok(report),
            Phase::Done => {}
            phase => return Err(format!("the plan `next` is {phase}: {}", report.standing)),
        }
    }
}

/// Users ask for a customer until the broken version has been found out; then nobody meets it any more.
async fn roll_back(address: SocketAddr, report: impl Fn() -> Result<Report, String>) -> Result<Report, String> {
    let found_out = loop {
        for user in 0..USERS {
            ask(address, user, "/v1/customers/ada").await?;
        }
        let report = report()?;
        match report.phase {
            Phase::Walking => {}
            Phase::RolledBack => break report,
            phase => return Err(format!("the plan `broken` is {phase}")),
        }
    };
    for user in 0..USERS {
        let answer = ask(address, user, "/v1/customers/ada").await?;
        if (answer.status, version(&answer)) != (200, None) {
            return Err(format!("user {user} still meets the broken version: {answer:?}"));
        }
    }
    Ok(found_out)
}

async fn ask(address: SocketAddr, user: u32, path: &str) -> Result<Answer, String> {
    let cookie = format!("shop-user=user-{user}");
    client::get(address, path, &cookie).await.map_err(|error| format!("GET {path}: {error}"))
}

fn version(answer: &Answer) -> Option<&str> {
    answer.headers.iter().find(|(name, _)| name == VERSION_HEADER).map(|(_, value)| value.as_str())
}

fn told(report: &Report) -> String {
    let decisions: Vec<String> = report.decisions.iter().map(|decided| decided.decision.to_string()).collect();
    let mut line = format!("ok  canary {}: {}", report.name, decisions.join(", "));
    if report.decisions.iter().any(|decided| matches!(decided.decision, Decision::RolledBack { .. })) {
        let _ = write!(line, "; nobody meets it any more");
    }
    line.push('\n');
    line
}
