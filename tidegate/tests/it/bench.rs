//! `tidegate bench limits`: the table, and what is left of it in the store.

use crate::tidegate;
use std::path::Path;
use tidegate_source_rig::redis::{Program, Redis};

fn bench(url: &str, more: &[&str]) -> (i32, String, String) {
    let arguments = ["bench", "limits", "--store", url, "--callers", "20", "--seconds", "0.1"];
    tidegate(Path::new("."), &[&arguments, more].concat())
}

/// The words of each line of figures: keys, way, callers.
fn lines(table: &str) -> Vec<[&str; 3]> {
    table
        .lines()
        .skip(2)
        .map(|line| {
            let mut words = line.split_whitespace();
            std::array::from_fn(|_| words.next().expect("a line has words"))
        })
        .collect()
}

#[test]
fn each_way_is_told_twice_and_no_key_of_it_stays() {
    let Some(server) = Redis::start(Program::Redis7) else { return };
    let mine = "tidegate-bench:mine";
    server.cli(&["SET", mine, "1"]);
    let (code, out, error) = bench(&format!("redis://{}", server.address()), &["--keys", "hot,uniform"]);
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let mut expected = Vec::new();
    for keys in ["hot", "uniform"] {
        for _ in ["as fast as answered", "at a rate"] {
            expected.extend(["naive", "plain", "combining", "leases"].map(|way| [keys, way, "20"]));
        }
    }
    assert_eq!(lines(&out), expected, "{out}");
    assert!(out.starts_with("Redis 7."), "{out}");
    assert_eq!(server.cli(&["KEYS", "*"]).trim(), mine, "only what was there is there");
}

#[test]
fn a_user_that_may_not_look_for_keys_is_told_that_they_stay_until_they_expire() {
    let Some(server) = Redis::start(Program::Redis7) else { return };
    server.cli(&["ACL", "SETUSER", "app", "on", ">secret", "~tidegate-bench:*", "+@all", "-scan"]);
    let url = format!("redis://app:secret@{}", server.address());
    let (code, out, error) = bench(&url, &["--keys", "hot", "--ways", "combining"]);
    assert_eq!(lines(&out), [["hot", "combining", "20"]; 2], "{out}");
    assert_eq!(code, 1);
    assert!(error.contains("could not be removed") && error.contains("NOPERM"), "{error}");
    assert!(!error.contains("secret") && !out.contains("secret"));
}

#[test]
fn a_store_that_is_not_there_and_an_address_that_is_none_are_told() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    // A port that was free a moment ago.
    let (code, out, error) = bench(&format!("redis://127.0.0.1:{port}"), &[]);
    assert_eq!((code, out.as_str()), (69, ""));
    assert_eq!(error, format!("error: no connection to 127.0.0.1:{port}: connection refused\n"));
    let (code, _, error) = bench("http://127.0.0.1", &[]);
    assert_eq!(code, 2, "{error}");
    let arguments = ["bench", "limits", "--store", "redis://127.0.0.1", "--seconds", "0"];
    let (code, _, error) = tidegate(Path::new("."), &arguments);
    assert!(code == 2 && error.contains("from 0.1 to 600"), "{error}");
}
