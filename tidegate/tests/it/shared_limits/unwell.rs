//! A store that is stopped, hangs, is full, read-only, or has lost everything: each limit does what its policy promises,
//! the log says so once, and it recovers by itself.

use super::{CONFIG, Gateway, header, status};
use serde_json::Value;
use tidegate_source_rig::redis::{Program, Redis};

/// What each policy does while the store is away: burst 40 of which a fourth is this gateway's, and 40 % of 1000, of
/// which a fourth, less one part in 32, is. A node's own bucket begins empty, so that a restart gains nothing.
fn policies_hold(gateway: &Gateway) {
    let refused = gateway.ask("/closed", "alice");
    assert_eq!((status(&refused), header(&refused, "retry-after").as_deref()), (503, Some("1")));
    let message = "the limit `closed` cannot be asked: its store `redis` does not answer";
    assert!(refused.contains(&format!(r#"{{"code":14,"message":"{message}"}}"#)), "{refused}");
    assert_eq!(header(&refused, "ratelimit"), None, "nobody knows");
    assert_eq!(gateway.statuses("/open", 5), [204; 5]);
    assert_eq!(gateway.status("/shadow"), 204);
    let share = gateway.ask("/share", "alice");
    assert_eq!(status(&share), 429);
    assert!(share.contains("the limit `share` is reached"), "{share}");
    assert_eq!(gateway.status("/reserve"), 429);
}

/// The lines of the log until one has `last`, that one included, which have a word of stores.
fn told(gateway: &mut Gateway, last: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let line = gateway.running.wait_for_log("\"store\":");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        let is_last = line["msg"].as_str().or(line["message"].as_str()).is_some_and(|message| message.contains(last));
        all.push(line);
        if is_last {
            return all;
        }
    }
}

fn down_and_back(gateway: &mut Gateway, reason: &str) {
    let lines = told(gateway, "answers again");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let why = lines[0]["reason"].as_str().expect("a reason");
    assert!(why.contains(reason), "{why}");
}

#[test]
fn a_store_that_is_stopped_leaves_each_limit_to_its_policy_until_it_is_back() {
    let Some(mut redis) = Redis::start(Program::Redis7) else { return };
    let mut gateway = Gateway::start(&redis);
    assert_eq!(gateway.status("/closed"), 204);
    redis.stop();
    gateway.until("/closed", 503);
    policies_hold(&gateway);
    while gateway.store()["state"] != "down" {
        gateway.status("/open");
    }
    policies_hold(&gateway);
    assert_eq!(gateway.metrics("tidegate_limit_store_down").get("{store=\"redis\"}").map(String::as_str), Some("1"));
    let shown = gateway.limits(&["closed"]);
    assert!(shown.iter().any(|line| line.starts_with("store redis, down: no connection to 127.0.0.1:")), "{shown:?}");
    let unknown = "remaining unknown: the store `redis` does not answer: no connection to 127.0.0.1:";
    assert!(shown[3].starts_with(unknown), "{shown:?}");
    redis.run();
    gateway.until("/closed", 204);
    assert_eq!(gateway.statuses("/reserve", 2), [204, 204]);
    down_and_back(&mut gateway, "no connection to 127.0.0.1:");
}

#[test]
fn a_store_that_hangs_is_left_alone_after_three_questions() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let mut gateway = Gateway::with(
        CONFIG.replace("PORT", &redis.port().to_string()).replace("budget: 1s", "budget: 50ms, connect_timeout: 60s"),
    );
    // However slow this machine is, it was once fast enough.
    gateway.until("/closed", 204);
    redis.pause();
    gateway.until("/closed", 503);
    while gateway.store()["state"] != "down" {
        gateway.status("/open");
    }
    let before = gateway.store();
    policies_hold(&gateway);
    redis.resume();
    gateway.until("/closed", 204);
    assert!(gateway.store()["failed"]["unsure"].as_u64() >= before["failed"]["unsure"].as_u64());
    assert_eq!(told(&mut gateway, "does not answer").len(), 1);
}

#[test]
fn a_store_that_takes_no_writes_still_refuses_whom_it_knows() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let mut gateway = Gateway::start(&redis);
    assert_eq!(gateway.statuses("/shared", 21)[20], 429);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    gateway.until("/closed", 503);
    policies_hold(&gateway);
    while gateway.store()["state"] != "down" {
        gateway.status("/open");
    }
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    gateway.until("/closed", 204);
    down_and_back(&mut gateway, "is out of memory (maxmemory): it takes no writes");
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    gateway.until("/closed", 503);
    policies_hold(&gateway);
    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    gateway.until("/closed", 204);
}

#[test]
fn a_store_that_lost_everything_begins_used_up() {
    let Some(mut redis) = Redis::start(Program::Redis7) else { return };
    let config = CONFIG.replace("PORT", &redis.port().to_string()).replace(", after_loss: whole", "");
    let gateway = Gateway::with(config);
    let first = gateway.ask("/shared", "alice");
    assert_eq!(status(&first), 429, "nobody knows what was used of a new store");
    assert!(first.contains("the limit `shared` is reached: try again in"), "{first}");
    assert_eq!(gateway.limits(&["shared", "alice", "--reset"])[3], "remaining 20", "an operator knows better");
    gateway.until("/shared", 204);
    redis.stop();
    redis.run();
    gateway.until("/shared", 429);
    assert_eq!(gateway.remaining("shared", &["alice"]), "remaining 0");
    assert_eq!(gateway.store()["losses"], 2);
}
