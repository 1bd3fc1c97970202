//! `tidegate-siege`: the service behind the gateway, and the attackers before it, as processes for
//! `cargo xtask siege`.
//!
//! **Does not** judge: it prints what happened.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use tidegate_siege::attack::{self, Target};
use tidegate_siege::process;
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
        _ => {
            eprintln!("usage: tidegate-siege upstream | list | shapes ADDRESS | attack ADDRESS PID [NAME...]");
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

/// Serves until its standard input ends.
fn upstream() -> io::Result<()> {
    let upstream = Upstream::start()?;
    println!("{}", upstream.address);
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
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

fn attack(address: &str, pid: &str, names: &[&str]) -> io::Result<()> {
    let target = target(address)?;
    let pid = pid.parse().map_err(|_| io::Error::other(format!("`{pid}` is no process id")))?;
    for attack in attack::all() {
        if !names.is_empty() && !names.iter().any(|name| attack.name.contains(name)) {
            continue;
        }
        process::forget_peak(pid)?;
        let before = process::resident(pid)?;
        let begin = std::time::Instant::now();
        let outcome = (attack.run)(&target)?;
        let (took, held) = (begin.elapsed().as_secs_f64(), process::peak(pid)?.saturating_sub(before) / 1024);
        println!("{:55} {took:6.2} s {held:7} KiB  {outcome:?}", attack.name);
    }
    Ok(())
}
