//! `tidegate-siege`: the service behind the gateway, and the attackers before it, as processes for
//! `cargo xtask siege`.
//!
//! **Does not** judge: it prints what happened.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tidegate_siege::attack::{self, Attack, Target};
use tidegate_siege::measure::{self, Plan};
use tidegate_siege::process;
use tidegate_siege::raid;
use tidegate_siege::smuggling;
use tidegate_siege::upstream::Upstream;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["upstream"] => upstream(),
        ["list"] => list(),
        ["shapes", address] => shapes(address),
        ["attack", address, pid, ref names @ ..] => attack(address, pid, names),
        ["measure", address, pid, seconds, rounds, attackers, ref names @ ..] => {
            measure(address, pid, (seconds, rounds, attackers), names)
        }
        ["raid", address, ms, attackers, name] => raid(address, (ms, attackers), name),
        _ => {
            eprintln!(
                "usage: tidegate-siege upstream | list | shapes ADDRESS | attack ADDRESS PID [NAME...]
       | measure ADDRESS PID SECONDS ROUNDS ATTACKERS [NAME...] | raid ADDRESS MS ATTACKERS NAME"
            );
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is ended.
fn upstream() -> io::Result<()> {
    let upstream = Upstream::start()?;
    println!("{}", upstream.address);
    io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}

fn list() -> io::Result<()> {
    for attack in attack::all() {
        println!("{}\t{}", attack.name, attack.source);
    }
    Ok(())
}

fn target(address: &str) -> io::Result<Target> {
    let address = address.parse().map_err(|_| io::Error::other(format!("`{address}` is no address")))?;
    Ok(Target::at(address))
}

fn shapes(address: &str) -> io::Result<()> {
    let target = target(address)?;
    for shape in smuggling::h1::SHAPES {
        let found = shape.send(&target)?;
        let right = found.statuses == shape.statuses && found.closed == shape.closed;
        let verdict = if right { "ok  " } else { "FAIL" };
        let want = (shape.statuses, shape.closed);
        println!("{verdict} h1 {:50} {:?} {}, right: {want:?}", shape.name, found.statuses, found.closed);
    }
    for shape in smuggling::h2::SHAPES {
        let found = shape.send(&target)?;
        let verdict = if found == shape.verdict { "ok  " } else { "FAIL" };
        println!("{verdict} h2 {:50} {found:?}, right: {:?}", shape.name, shape.verdict);
    }
    Ok(())
}

/// The attacks whose names contain one of these words; all if there are none.
fn chosen(names: &[&str]) -> impl Iterator<Item = Attack> {
    let wanted = move |attack: &Attack| names.is_empty() || names.iter().any(|name| attack.name.contains(name));
    attack::all().into_iter().filter(wanted)
}

fn number<T: FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::other(format!("`{text}` is no number")))
}

/// Each attack once: how it ends, how long it takes, what it costs.
fn attack(address: &str, pid: &str, names: &[&str]) -> io::Result<()> {
    let (target, pid) = (target(address)?, number(pid)?);
    for attack in chosen(names) {
        process::forget_peak(pid)?;
        let before = process::resident(pid)?;
        let begin = Instant::now();
        let outcome = (attack.run)(&target)?;
        let (took, held) = (begin.elapsed().as_secs_f64(), process::peak(pid)?.saturating_sub(before) / 1024);
        println!("{:55} {took:6.2} s {held:7} KiB  {outcome:?}", attack.name);
    }
    Ok(())
}

/// One attack again and again, for [`measure`]'s process.
fn raid(address: &str, (ms, attackers): (&str, &str), name: &str) -> io::Result<()> {
    let attack = attack::named(name).ok_or_else(|| io::Error::other(format!("there is no attack `{name}`")))?;
    let report = raid::run(&target(address)?, &attack, Duration::from_millis(number(ms)?), number(attackers)?)?;
    println!("{}", report.line());
    Ok(())
}

/// Each attack again and again, and what others notice. An error if something is beyond its goal.
fn measure(
    address: &str,
    pid: &str,
    (seconds, rounds, attackers): (&str, &str, &str),
    names: &[&str],
) -> io::Result<()> {
    let window = Duration::from_secs(number(seconds)?);
    let (rounds, attackers) = (number(rounds)?, number(attackers)?);
    let plan = Plan { target: target(address)?, pid: number(pid)?, window, rounds, attackers };
    println!("{}", measure::HEAD);
    let mut beyond = Vec::new();
    for attack in chosen(names) {
        let row = measure::measure(&plan, &attack)?;
        println!("{row}");
        if !row.beyond().is_empty() {
            beyond.push(row.name);
        }
    }
    if beyond.is_empty() { Ok(()) } else { Err(io::Error::other(format!("beyond their goals: {}", beyond.join("; ")))) }
}
