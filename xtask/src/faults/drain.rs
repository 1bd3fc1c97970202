//! SIGTERM under load: no request that was received goes unanswered.

use std::time::Duration;

use anyhow::Result;

use super::report::{Report, Tally};
use super::rig::{Rig, Traffic};

/// The gateway's `drain`, in seconds.
const DRAIN: u64 = 3;

/// Stops of the gateway, each under load, for each protocol.
pub(super) fn run(rig: &Rig, stops: u64, report: &mut Report) -> Result<()> {
    for (name, protocol, connections) in [("drain, h1", "h1", "64"), ("drain, h2", "h2", "4")] {
        println!("\n{name}: {stops} stops under 2 000 requests a second");
        let upstream = rig.upstream()?;
        let mut sum = Sum::default();
        for stop in 0..stops {
            let mut gateway = rig.gateway(&upstream.address, &format!("drain: {DRAIN}s"))?;
            let clients = ["--protocol", protocol, "--connections", connections];
            let plan = ["--rate", "2000", "--streams", "8", "--seconds", "60", "--until-refused"];
            let traffic = rig.traffic(gateway.address(), &[&clients[..], &plan[..]].concat())?;
            // Somewhere in the middle of it, each time elsewhere.
            std::thread::sleep(Duration::from_millis(1500 + stop * 37 % 500));
            gateway.terminate()?;
            let took = gateway.ended(Duration::from_secs(DRAIN + 5))?;
            sum.add(&Traffic::of(traffic)?, took);
        }
        sum.tell(name, report);
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Sum {
    answered: usize,
    ok: usize,
    turned_away: u64,
    complete: u64,
    with_status: u64,
    unanswered: Tally,
    wrong: Tally,
    cut: Tally,
    longest: Duration,
}

impl Sum {
    fn add(&mut self, traffic: &Traffic, took: Duration) {
        self.answered += traffic.samples.len();
        self.ok += traffic.samples.iter().filter(|sample| sample.status == 200).count();
        self.turned_away += traffic.turned_away;
        self.complete += traffic.streams_complete;
        self.with_status += traffic.streams_with_status;
        self.unanswered.add(&traffic.unanswered);
        self.wrong.add(&traffic.wrong);
        self.cut.add(&traffic.streams_cut);
        self.longest = self.longest.max(took);
    }

    fn tell(&self, run: &'static str, report: &mut Report) {
        report.note(run, "requests answered", self.answered);
        report.goal(run, "of them 200", "all", self.ok, self.ok == self.answered && self.ok > 0);
        report.none(run, "requests received and not answered", &self.unanswered);
        report.none(run, "answers that are wrong", &self.wrong);
        report.note(run, "requests that GOAWAY gave back", self.turned_away);
        report.note(run, "streams that ended by themselves", self.complete);
        let met = self.with_status > 0;
        report.goal(run, "streams that the drain ended with a status", "all others", self.with_status, met);
        report.none(run, "streams that were cut", &self.cut);
        let limit = Duration::from_secs(DRAIN + 2);
        report.goal(run, "longest stop", "drain and 2 s", format!("{:.1?}", self.longest), self.longest <= limit);
    }
}
