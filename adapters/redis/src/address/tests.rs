//! URLs, right and wrong.

use super::{Address, Kind};

fn address(kind: Kind, hosts: &[&str]) -> Address {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    Address { kind, hosts, user: String::new(), password: String::new(), database: 0, tls: false }
}

#[test]
fn a_url_says_where_and_as_whom() {
    let master = || Kind::Sentinel("main".to_owned());
    for (url, expected) in [
        ("redis://cache", address(Kind::Single, &["cache:6379"])),
        ("valkey://cache:7000/", address(Kind::Single, &["cache:7000"])),
        ("redis://[::1]", address(Kind::Single, &["[::1]:6379"])),
        ("redis://[::1]:7000/3", Address { database: 3, ..address(Kind::Single, &["[::1]:7000"]) }),
        ("rediss://cache", Address { tls: true, ..address(Kind::Single, &["cache:6379"]) }),
        ("redis-sentinel://a,b:1/main", address(master(), &["a:26379", "b:1"])),
        ("rediss-sentinel://a/main/2", Address { tls: true, database: 2, ..address(master(), &["a:26379"]) }),
        ("redis-cluster://a,b:1/0", address(Kind::Cluster, &["a:6379", "b:1"])),
        (
            "redis://us%3Aer:p%40ss:w@cache",
            Address { user: "us:er".into(), password: "p@ss:w".into(), ..address(Kind::Single, &["cache:6379"]) },
        ),
        ("redis://:secret@cache", Address { password: "secret".into(), ..address(Kind::Single, &["cache:6379"]) }),
    ] {
        assert_eq!(Address::parse(url), Ok(expected), "{url}");
    }
}

#[test]
fn what_is_wrong_with_a_url_is_said() {
    for (url, error) in [
        ("cache:6379", "it has no scheme: write redis://host:port"),
        ("http://cache", "unknown scheme `http`: it is redis://, "),
        ("redis-ring://cache", "unknown scheme `redis-ring`: it is redis://, "),
        ("redis://", "it names no host"),
        ("redis://user:pass@", "it names no host"),
        ("redis://a,b", "2 hosts: several are redis-sentinel:// or redis-cluster://"),
        ("redis://a:b", "`a:b` is not host or host:port"),
        ("redis://a:0", "`a:0` is not host or host:port"),
        ("redis://a:", "`a:` is not host or host:port"),
        ("redis://::1", "`::1` is not host or host:port"),
        ("redis://a/x", "the database `x` is not a number"),
        ("redis://a/1/2", "the database `1/2` is not a number"),
        ("redis-sentinel://a", "the name of the master is missing: redis-sentinel://host:port/NAME"),
        ("redis-cluster://a/1", "a cluster has no database but 0"),
        ("redis://a?x=1", "it has a query or a fragment: a password with ? or # is written %3F or %23"),
        ("redis://:%ff@a", "the password is not UTF-8 after percent-decoding"),
    ] {
        let said = Address::parse(url).expect_err(url).to_string();
        assert!(said.starts_with(error), "{url}: {said}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let address = Address::parse("rediss-sentinel://user:secret@a,b/main/1").expect("an address");
    assert_eq!(address.to_string(), "rediss-sentinel://a:26379,b:26379/main/1");
    assert_eq!(format!("{address:?}"), "Address(rediss-sentinel://a:26379,b:26379/main/1)");
}
