//! Gateways that share limits, as real processes before a real Redis: their clocks are wrong, they hang and are killed,
//! and so is the store. Judged from outside, by when clients sent and were answered.

mod clocks;
mod found;
mod judge;
mod nodes;
mod rules;
mod trouble;

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};

use super::report::Report;
use super::rig::{Rig, Traffic, now_us};
use crate::cache;
use crate::proc::Workspace;
use crate::servers;
use clocks::{Clock, Clocks};
use found::{Found, Table};
use nodes::Node;
use rules::Way;
use trouble::{Store, Trouble};

/// Gateways.
const NODES: usize = 3;
/// Requests a second to each limit by all of them: half as many again as it allows.
const ASKED: u64 = rules::RATE * 3 / 2;
/// Until all budgets of a store that began used up are whole.
const WHOLE: Duration = Duration::from_millis(1300);
/// Until what they hold is used; then the calm part, short or long; after the trouble.
const SETTLE: Duration = Duration::from_secs(1);
const CALM: Duration = Duration::from_secs(2);
const LONG_CALM: Duration = Duration::from_secs(8);
const AFTER: Duration = Duration::from_millis(2500);

/// Makes each run `rounds` times.
pub(super) fn run(workspace: &Workspace, rig: &Rig, rounds: u32, report: &mut Report) -> Result<()> {
    let clocks = clocks(workspace, rig)?;
    let mut table = Table::default();
    for round in 1..=rounds {
        for (trouble, name) in trouble::ALL {
            if clocks.is_none() && trouble.needs_clocks() {
                continue;
            }
            println!("\n{name}, round {round} of {rounds}: {ASKED} requests a second for each limit");
            let found = one(rig, trouble, name, clocks.as_ref(), report)?;
            print!("{}", Table::of_limits(&found));
            tell(trouble, name, &found, report);
            table.add(name, found);
        }
    }
    println!("\n{table}");
    Ok(())
}

/// libfaketime; nothing, and a line that says why, where it cannot be had.
fn clocks(workspace: &Workspace, rig: &Rig) -> Result<Option<Clocks>> {
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    match servers::faketime(workspace) {
        Ok(library) => Ok(Some(Clocks { library, folder: cache::fresh(&rig.folder.join("clocks"))? })),
        Err(error) if in_ci => Err(error),
        Err(error) => {
            println!("LEFT OUT: clocks that are wrong, for there is no libfaketime: {error:#}");
            Ok(None)
        }
    }
}

fn one(
    rig: &Rig,
    trouble: Trouble,
    name: &'static str,
    clocks: Option<&Clocks>,
    report: &mut Report,
) -> Result<Vec<Found>> {
    let mut store = Store::start(trouble, clocks)?;
    let config = rules::config(trouble.policy(), &store.url(), NODES);
    let mut nodes = Vec::new();
    for number in 0..NODES {
        let clock = trouble.clock(number);
        let clock = match clocks {
            Some(clocks) => (clock, clocks.environment(clock)?),
            None => (Clock::True, Vec::new()),
        };
        nodes.push(Node::start(rig, number, &config, clock)?);
    }
    if trouble.shows_clocks() {
        show(&nodes, name, report)?;
    }
    // What a bucket holds is used at the beginning, so that a bucket that comes to be whole again is too much.
    for rule in &rules::ALL {
        nodes.iter().try_for_each(|node| node.ask(&format!("{}.local", rule.name)).map(drop))?;
    }
    sleep(WHOLE);
    let rate = ASKED * rules::ALL.len() as u64 / NODES as u64;
    let traffic = nodes.iter().map(|node| node.traffic(rate)).collect::<Result<Vec<_>>>()?;
    sleep(SETTLE);
    let from = now_us();
    sleep(if trouble.is_calm() { LONG_CALM } else { CALM });
    let to = now_us();
    let happened = trouble::happen(trouble, &mut nodes, &mut store, clocks);
    sleep(AFTER);
    let traffic = traffic.into_iter().map(Traffic::of).collect::<Result<Vec<_>>>();
    // Clients are waited for even if something could not be made to happen.
    happened?;
    Ok(found::all(&traffic?, (from, to), |rule| trouble.judged(rule, store.both)))
}

/// That clocks are as wrong as they are meant to be.
fn show(nodes: &[Node<'_>], name: &'static str, report: &mut Report) -> Result<()> {
    for node in nodes {
        let (ahead, fast) = (node.hours()?, node.speed()?);
        let Clock::Skewed { hours, .. } = node.clock else { continue };
        let speed = node.clock.speed();
        let met = ahead == i64::from(hours) && (fast - speed).abs() < 0.01;
        let wanted = format!("{hours:+} h, × {speed:.3}");
        report.goal(name, "a node's clock", &wanted, format!("{ahead:+} h, × {fast:.3}"), met);
    }
    if !nodes.iter().any(|node| matches!(node.clock, Clock::Skewed { .. })) {
        bail!("no node's clock is wrong");
    }
    Ok(())
}

fn tell(trouble: Trouble, name: &'static str, found: &[Found], report: &mut Report) {
    let asked: u64 = found.iter().map(|one| one.asked).sum();
    let refused: u64 = found.iter().map(|one| one.refused).sum();
    let unknown: u64 = found.iter().map(|one| one.unknown).sum();
    report.note(name, "requests; refused; of unknown fate", format!("{asked}; {refused}; {unknown}"));
    if trouble.is_broken() {
        // Of a limit with a reserve the part that is kept back is free for mistakes.
        let sharp = || found.iter().filter(|one| one.rule.way != Way::Reserve);
        let (caught, all) = (sharp().filter(|one| one.excess > one.allowed).count(), sharp().count());
        report.goal(name, "limits that admit too much", "all", format!("{caught} of {all}"), caught == all);
        return;
    }
    for one in found.iter().filter(|one| one.excess > one.allowed) {
        println!("    {}: {} beyond the limit, {} allowed", one.rule.name, one.excess, one.allowed);
    }
    let over: u64 = found.iter().map(|one| one.excess.saturating_sub(one.allowed)).max().unwrap_or(0);
    report.goal(name, "admitted beyond limits and what is stated", "0", over, over == 0);
    if let Some(most) = found.iter().map(|one| one.allowed).max().filter(|most| *most > 0) {
        let excess = found.iter().map(|one| one.excess).max().unwrap_or(0);
        report.note(name, "admitted beyond limits; stated", format!("{excess}; {most}"));
    }
    if trouble.is_calm() {
        let least = found.iter().map(|one| one.used).fold(f64::INFINITY, f64::min) * 100.0;
        report.goal(
            name,
            "of what a limit allows, admitted, the least",
            "≥ 95 %",
            format!("{least:.1} %"),
            least >= 95.0,
        );
        let share = refused as f64 / asked.max(1) as f64 * 100.0;
        report.goal(name, "refused", "10 to 50 %", format!("{share:.0} %"), (10.0..=50.0).contains(&share));
    }
}
