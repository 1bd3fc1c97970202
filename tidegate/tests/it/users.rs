//! Users of a sticky split, over the wire.

use crate::named_upstream::{self, Client};
use crate::running::Running;
use crate::{folder, program};
use std::net::SocketAddr;

const USERS: usize = 10_000;

fn config(stable: SocketAddr, next: SocketAddr, share: u32) -> String {
    format!(
        "\
listeners: [{{ bind: 127.0.0.1:0 }}]
upstreams:
  stable: {{ endpoints: ['{stable}'] }}
  next: {{ endpoints: ['{next}'] }}
routes:
  - {{ path: /page, upstream: stable, canary: [{{ to: next, hash: {{ header: x-user-id, below: {share}% }} }}] }}
"
    )
}

/// Which of the users are served by the canary.
fn sides(running: &Running) -> Vec<bool> {
    let mut client = Client::new(&running.addresses[0]);
    let side = |user| match client.get(&format!("x-user-id: user-{user}")).2.as_str() {
        "next was told nothing" => true,
        "stable was told nothing" => false,
        other => panic!("user {user}: {other}"),
    };
    (0..USERS).map(side).collect()
}

/// In percent of all of them.
fn share(sides: &[bool]) -> f64 {
    sides.iter().filter(|canary| **canary).count() as f64 * 100.0 / USERS as f64
}

#[test]
fn ten_thousand_users_split_as_asked_and_a_larger_share_moves_only_those_it_adds() {
    let (stable, next) = (named_upstream::start("stable"), named_upstream::start("next"));
    let folder = folder(&[("tidegate.yaml", &config(stable, next, 10))]);
    let mut running = Running::start(program(folder.path(), &["run"]));
    let ten = sides(&running);
    assert!((9.0..=11.0).contains(&share(&ten)), "{} %", share(&ten));
    assert!(sides(&running) == ten, "users changed their side");
    crate::replace(folder.path().join("tidegate.yaml"), config(stable, next, 20));
    running.wait_for_log("the config is in force");
    let twenty = sides(&running);
    assert!((19.0..=21.0).contains(&share(&twenty)), "{} %", share(&twenty));
    let left = ten.iter().zip(&twenty).filter(|(before, after)| **before && !**after).count();
    assert_eq!(left, 0, "users left the canary");
    println!("{USERS} users: {:.2} % at 10 %, {:.2} % at 20 %", share(&ten), share(&twenty));
}
