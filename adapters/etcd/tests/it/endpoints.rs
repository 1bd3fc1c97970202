//! Endpoints that come and go in a real etcd.

use std::time::Duration;
use tidegate_etcd::{Config, EtcdEndpoints};
use tidegate_source_rig::{contract::soon, etcd::Etcd};
use tidegate_traffic::discovery::{Finder, Found, Lost, Place};

fn place(host: &str, weight: u32) -> Place {
    Place { host: host.into(), port: 50051, weight }
}

/// The next state with so many endpoints: writes that follow each other may be told one by one.
async fn until(finder: &mut EtcdEndpoints, endpoints: usize) -> Found {
    loop {
        let found = soon("a change", finder.next()).await.expect("etcd is there");
        if found.places.len() == endpoints {
            return found;
        }
    }
}

#[tokio::test]
async fn keys_that_come_and_go_are_endpoints_that_do() {
    let Some(etcd) = Etcd::start() else { return };
    let config = Config {
        endpoints: vec![etcd.address().to_owned()],
        key: "/endpoints/shop/".into(),
        credentials: None,
        tls: None,
    };
    let mut finder = EtcdEndpoints::new(config);
    let none = soon("an empty prefix", finder.next()).await.expect_err("there is none");
    assert!(none.0.contains("no key begins with /endpoints/shop/"), "{none}");
    etcd.put("/endpoints/shop/1", "10.0.0.1:50051");
    etcd.put("/endpoints/other/1", "10.0.0.9:50051");
    etcd.put("/endpoints/shop/2", r#"{"address": "10.0.0.2:50051", "weight": 3}"#);
    let both = vec![place("10.0.0.1", 1), place("10.0.0.2", 3)];
    assert_eq!(until(&mut finder, 2).await, Found { places: both.clone(), again: None::<Duration>, wrong: vec![] });
    etcd.put("/endpoints/shop/3", "nonsense");
    let found = soon("a wrong value", finder.next()).await;
    let wrong = "the value of /endpoints/shop/3 in etcd is neither host:port nor JSON with an address".to_owned();
    assert_eq!(found, Ok(Found { places: both, again: None, wrong: vec![wrong.clone()] }));
    etcd.delete("/endpoints/shop/1");
    assert_eq!(until(&mut finder, 1).await.places, [place("10.0.0.2", 3)]);
    etcd.delete("/endpoints/shop/2");
    assert_eq!(soon("only a wrong value", finder.next()).await, Err(Lost(wrong)));
}
