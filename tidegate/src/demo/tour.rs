//! `tidegate demo --once`: the tour, every answer checked.

use super::client;
use crate::exit::{Exit, print};
use std::fmt::Write as _;
use std::net::SocketAddr;
use tidegate_shop::tour::{STEPS, Walk};

/// Takes every step in order; stops at the first wrong answer, because later ones build on it.
pub(super) async fn make(address: SocketAddr) -> Exit {
    let mut walk = Walk::default();
    let mut report = String::new();
    for (index, step) in STEPS.iter().enumerate() {
        let request = walk.request(step);
        let problem = match client::send(address, &request).await {
            Ok(answer) => walk.check(step, &answer).err().map(|mismatch| mismatch.to_string()),
            Err(error) => Some(format!("{} {}: {error}", request.method, request.path)),
        };
        if let Some(problem) = problem {
            print(&report);
            eprintln!("error: step {} of {}, \"{}\": {problem}", index + 1, STEPS.len(), step.title);
            return Exit::Failure;
        }
        let _ = writeln!(report, "ok  {:<6} {:<60} {}", step.method, request.path, step.title);
    }
    let _ = writeln!(report, "\nThe tour's {} answers were all as they should be.", STEPS.len());
    print(&report)
}
