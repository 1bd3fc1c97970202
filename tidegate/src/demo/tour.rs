//! `tidegate demo --once`: the tour, every answer checked.

use super::{breaker, canaries, client, limits};
use crate::exit::{Exit, print};
use crate::serve::Serving;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tidegate_shop::tour::{STEPS, Walk};

/// Takes every step in order; stops at the first wrong answer, because later ones build on it.
pub(super) async fn make(address: SocketAddr, serving: &Serving) -> Exit {
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
    let canaries = canaries::make(address, || serving.canaries()).await;
    let breaker = match canaries {
        Ok(told) => breaker::make(address, || breaker::state(&serving.breakers())).await.map(|breaker| told + &breaker),
        Err(problem) => Err(problem),
    };
    let limits = match breaker {
        Ok(told) => limits::make(address).await.map(|limits| told + &limits),
        Err(problem) => Err(problem),
    };
    match limits {
        Ok(told) => report.push_str(&told),
        Err(problem) => {
            print(&report);
            eprintln!("error: {problem}");
            return Exit::Failure;
        }
    }
    let _ = writeln!(report, "\nThe tour's {} answers were all as they should be.", STEPS.len());
    print(&report)
}
