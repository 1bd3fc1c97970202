//! One of three endpoints dies, hangs, becomes slow or fails, and comes back; then all three are down.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::endpoint::{self, Endpoint, What};
use super::report::Report;
use super::rig::{Gateway, Rig, Sample, Traffic, ms, now_us, quantile};

const SECOND: Duration = Duration::from_secs(1);
/// After this long without a hint of the fault it counts as detected.
const CALM_US: u64 = 1_000_000;

/// What is looked at before the trouble.
const WARM_US: u64 = 5_000_000;

/// What becomes of the third endpoint, and when that must be detected.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    name: &'static str,
    what: What,
    detected_us: u64,
    /// How long it is left alone the first time.
    ejection: &'static str,
}

/// With ejections of 5 s it comes back into its trouble several times.
const TROUBLES: [Trouble; 5] = [
    Trouble { name: "endpoint killed", what: What::Killed, detected_us: 1_000_000, ejection: "30s" },
    Trouble { name: "endpoint paused", what: What::Paused, detected_us: 5_000_000, ejection: "30s" },
    Trouble { name: "endpoint 10x slower", what: What::Slow, detected_us: 5_000_000, ejection: "30s" },
    Trouble { name: "endpoint fails half", what: What::Failing, detected_us: 5_000_000, ejection: "30s" },
    Trouble { name: "fails half, 5 s ejections", what: What::Failing, detected_us: 5_000_000, ejection: "5s" },
];

/// When the endpoint was in trouble, in microseconds of the samples' clock.
#[derive(Debug, Clone, Copy)]
struct Times {
    begin: u64,
    end: u64,
    /// From here on the calls are counted that show how evenly they are spread.
    even: u64,
}

/// Each trouble for as long; a sixth of it before, a third in trouble, half after. With 60 s an ejection of 30 s is over
/// before it is looked at how evenly the calls are spread.
pub(super) fn run(rig: &Rig, seconds: u64, report: &mut Report) -> Result<()> {
    for trouble in TROUBLES {
        println!("\n{}: one of three endpoints under 1 000 requests a second", trouble.name);
        one(rig, trouble, seconds, report)?;
    }
    all_down(rig, report)
}

fn one(rig: &Rig, trouble: Trouble, seconds: u64, report: &mut Report) -> Result<()> {
    let mut endpoints = endpoint::three(rig)?;
    let gateway = gateway(rig, &endpoints, trouble.ejection)?;
    let all = Duration::from_secs(seconds);
    let reading = endpoint::traffic(rig, gateway.address(), 1000, all, "r", false)?;
    let writing = endpoint::traffic(rig, gateway.address(), 100, all, "w", true)?;
    sleep(all / 6);
    let begin = now_us();
    endpoints[2].falls_ill(trouble.what)?;
    let gone = now_us();
    sleep(all / 3);
    let ejections = gateway.metric("tidegate_endpoint_ejections_total")?;
    endpoints[2].recovers(rig, trouble.what)?;
    let end = now_us();
    sleep(all / 3);
    let times = Times { begin, end, even: now_us() };
    let (reading, writing) = (Traffic::of(reading)?, Traffic::of(writing)?);
    report.note(trouble.name, "ejections while it was in trouble", ejections);
    tell(trouble, &reading, times, report);
    if trouble.what == What::Killed {
        let name = trouble.name;
        let failed = writing.samples.iter().filter(|sample| sample.status != 200);
        let (in_flight, later): (Vec<&Sample>, Vec<&Sample>) = failed.partition(|sample| sample.at <= gone);
        report.note(name, "POSTs in flight that failed", in_flight.len());
        report.goal(name, "other POSTs that failed", "0", later.len(), later.is_empty());
    }
    Ok(())
}

fn tell(trouble: Trouble, traffic: &Traffic, times: Times, report: &mut Report) {
    let name = trouble.name;
    let samples = &traffic.samples;
    let ok = samples.iter().filter(|sample| sample.status == 200).count() as f64;
    let all = samples.len() as f64 + traffic.unanswered.count as f64;
    report.note(name, "requests", all);
    let success = 100.0 * ok / all.max(1.0);
    report.goal(name, "success", "≥ 99.9 %", format!("{success:.3} %"), success >= 99.9);
    report.none(name, "requests without an answer", &traffic.unanswered);
    // Without the first seconds, in which connections are opened.
    let before = p99(samples, times.begin - times.begin.min(WARM_US), times.begin);
    report.note(name, "p99 before", ms(before));
    let goal = format!("≤ {} s", trouble.detected_us / 1_000_000);
    match detected(samples, times, before) {
        Some(after) => report.goal(name, "detected after", &goal, ms(after), after <= trouble.detected_us),
        None => report.goal(name, "detected after", &goal, "never", false),
    }
    let after = p99(samples, times.begin + trouble.detected_us, times.end);
    report.goal(name, "p99 after that", "≤ 2 times", ms(after), after <= 2 * before);
    let counts: [usize; 3] =
        std::array::from_fn(|at| samples.iter().filter(|one| one.at >= times.even && one.end == Some(at)).count());
    let mean = counts.iter().sum::<usize>() as f64 / 3.0;
    let off = counts.iter().map(|count| (*count as f64 - mean).abs() / mean.max(1.0)).fold(0.0, f64::max);
    let shown = format!("{counts:?}, {:.1} % off", 100.0 * off);
    report.goal(name, "calls of each after it recovered", "within 10 %", shown, off <= 0.1 && mean > 0.0);
}

/// How long after the begin of the trouble it stopped to be felt: all answers are right, and their p99 within twice
/// what it was, for a second.
fn detected(samples: &[Sample], times: Times, before: u64) -> Option<u64> {
    const STEP_US: u64 = 50_000;
    let mut starts = (times.begin..times.end.saturating_sub(CALM_US)).step_by(STEP_US as usize);
    let calm = |from: u64| {
        let now = || samples.iter().filter(move |sample| sample.at >= from && sample.at < from + CALM_US);
        now().all(|sample| sample.status == 200) && p99(samples, from, from + CALM_US) <= 2 * before
    };
    starts.find(|from| calm(*from)).map(|from| from - times.begin)
}

/// Of the requests that were sent in this time.
fn p99(samples: &[Sample], from: u64, to: u64) -> u64 {
    let sent = samples.iter().filter(|sample| (from..to).contains(&sample.at));
    quantile(sent.map(|sample| sample.took).collect(), 0.99)
}

fn all_down(rig: &Rig, report: &mut Report) -> Result<()> {
    const NAME: &str = "all endpoints down";
    println!("\n{NAME}: under 1 000 requests a second");
    let mut endpoints = endpoint::three(rig)?;
    let gateway = gateway(rig, &endpoints, "30s")?;
    let reading = endpoint::traffic(rig, gateway.address(), 1000, 10 * SECOND, "r", false)?;
    sleep(3 * SECOND);
    for endpoint in &mut endpoints {
        endpoint.falls_ill(What::Killed)?;
    }
    let down = now_us();
    let tries = gateway.metric("tidegate_retries_total")?;
    let traffic = Traffic::of(reading)?;
    let tries = gateway.metric("tidegate_retries_total")? - tries;
    let after: Vec<_> = traffic.samples.iter().filter(|sample| sample.at > down).collect();
    report.none(NAME, "requests without an answer", &traffic.unanswered);
    let refused = after.iter().filter(|sample| sample.status == 503).count();
    report.goal(NAME, "503", "all", format!("{refused} of {}", after.len()), refused == after.len() && refused > 0);
    let p99 = quantile(after.iter().map(|sample| sample.took).collect(), 0.99);
    report.goal(NAME, "p99 of them", "≤ 50 ms", ms(p99), p99 <= 50_000);
    let attempts = 1.0 + tries / (after.len() as f64).max(1.0);
    report.goal(NAME, "attempts for each", "≤ 1.2", format!("{attempts:.2}"), attempts <= 1.2);
    Ok(())
}

fn gateway(rig: &Rig, endpoints: &[Endpoint; 3], ejection: &str) -> Result<Gateway> {
    let proto = rig.proto().display();
    let addresses = endpoints.each_ref().map(|endpoint| endpoint.address.as_str()).join(", ");
    rig.gateway_with(&format!(
        "upstreams:\n\
         \x20 items:\n\
         \x20   endpoints: [{addresses}]\n\
         \x20   schema: {{ proto: [{proto}] }}\n\
         \x20   outlier: {{ slow: 3, ejection: {ejection} }}\n\
         routes:\n\
         \x20 - service: tidegate.bench.v1.Items\n\
         \x20   upstream: items\n\
         \x20   retry: {{ attempts: 3, per_try_timeout: 250ms }}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::{Sample, Times, detected};

    #[test]
    fn trouble_is_detected_when_it_is_felt_no_more() {
        let times = Times { begin: 1_000_000, end: 9_000_000, even: 9_000_000 };
        // A hundred a second; those that are sent between 1 s and 1.5 s take longer.
        let sample = |at: u64, slow: bool, status: u16| Sample {
            at,
            took: if slow { 30 } else { 10 },
            status,
            end: None,
            number: 0,
        };
        let mut samples: Vec<_> = (0..900)
            .map(|number| number * 10_000)
            .map(|at| sample(at, (1_000_000..1_500_000).contains(&at), 200))
            .collect();
        assert_eq!(detected(&samples, times, 10), Some(500_000));
        samples[200].status = 503;
        assert_eq!(detected(&samples, times, 10), Some(1_050_000), "one that fails is felt");
        samples.iter_mut().for_each(|sample| sample.took = 30);
        assert_eq!(detected(&samples, times, 10), None);
    }
}
