//! TLS, sentinels and clusters.

use tidegate_limit::ports::StoreError;
use tidegate_redis::{Config, Redis, Tls};
use tidegate_source_rig::redis::{Program, Redis as Server};

use crate::support::{bucket, config, granted, until};

#[tokio::test]
async fn over_tls_both_sides_show_their_certificates() {
    let Some(server) = Server::start_with_tls() else { return };
    let certificates = server.certificates().expect("it speaks TLS");
    let ca = Some(certificates.read("ca.pem"));
    let identity = Some((certificates.read("client.pem"), certificates.read("client.key")));
    let url = format!("rediss://{}", server.address());
    let with = |tls| Redis::start(Config { tls, ..config(&url) });
    let store = with(Tls { ca: ca.clone(), identity: identity.clone() });
    assert_eq!(granted(&store, 1, &[1, 1], bucket(1)).await, Ok(vec![1, 0]));
    for (tls, reason) in [
        (Tls { ca: None, identity: identity.clone() }, "TLS: invalid peer certificate"),
        (Tls { ca: Some(b"nothing".to_vec()), identity }, "TLS cannot be used: there is no certificate to believe"),
        (Tls { ca, identity: None }, "ended by the server"),
    ] {
        let store = with(tls);
        assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Err(StoreError::Unreachable));
        let said = store.status().failure.expect("a reason");
        assert!(said.contains(reason) || said.contains("CertificateRequired"), "{said}");
    }
}

#[tokio::test]
async fn behind_sentinels_the_master_is_followed_and_begins_used_up() {
    let Some(mut master) = Server::start(Program::Redis7) else { return };
    let port = master.port().to_string();
    let replica = Server::start_with(Program::Redis7, &["--replicaof", "127.0.0.1", &port]).expect("it is installed");
    until("a replica", async || replica.cli(&["info", "replication"]).contains("link_status:up").then_some(())).await;
    let sentinel = Server::start_sentinel(&master).expect("it is installed");
    let url = format!("redis-sentinel://{}/main", sentinel.address());
    let forgiving = Redis::start(config(&url));
    assert_eq!(granted(&forgiving, 1, &[1], bucket(2)).await, Ok(vec![1]));
    assert_eq!(forgiving.status().connected, [(master.address(), "Redis 7.0.15".to_owned())]);
    let strict = Redis::start(Config { forgiving: false, ..config(&url) });
    assert_eq!(granted(&strict, 1, &[1], bucket(2)).await, Ok(vec![1]));
    until("a sentinel that knows the replica", async || {
        sentinel.cli(&["sentinel", "replicas", "main"]).contains(&replica.port().to_string()).then_some(())
    })
    .await;
    master.stop();
    let mut id = 1;
    let after = until("the new master", async || {
        id += 1;
        granted(&strict, id, &[1, 2], bucket(2)).await.ok()
    });
    assert_eq!(after.await, [0, 0], "what the old one knew last may be lost");
    assert_eq!(strict.status().connected, [(replica.address(), "Redis 7.0.15".to_owned())]);
    let unknown = Redis::start(config(&format!("redis-sentinel://{}/other", sentinel.address())));
    assert_eq!(granted(&unknown, 1, &[1], bucket(1)).await, Err(StoreError::Unreachable));
    let said = format!("no sentinel tells where the master `other` is: {} does not know it", sentinel.address());
    assert_eq!(unknown.status().failure, Some(said));
}

/// Three masters that serve all slots.
async fn cluster(program: Program) -> Option<Vec<Server>> {
    let servers: Option<Vec<Server>> =
        (0..3).map(|_| Server::start_with(program, &["--cluster-enabled", "yes"])).collect();
    let servers = servers?;
    for (server, slots) in servers.iter().zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")]) {
        server.cli(&["cluster", "addslotsrange", slots.0, slots.1]);
        for other in &servers {
            server.cli(&["cluster", "meet", "127.0.0.1", &other.port().to_string()]);
        }
    }
    for server in &servers {
        until("a cluster", async || server.cli(&["cluster", "info"]).contains("cluster_state:ok").then_some(())).await;
    }
    Some(servers)
}

#[tokio::test]
async fn in_a_cluster_each_member_decides_its_keys() {
    for program in [Program::Redis7, Program::Valkey9] {
        let Some(servers) = cluster(program).await else { return };
        let url = format!("redis-cluster://{}", servers[0].address());
        let store = Redis::start(config(&url));
        let keys: Vec<u128> = (0..256).collect();
        let mut id = 0;
        let all = until("all slots", async || {
            id += 1;
            granted(&store, id, &keys, bucket(1)).await.ok()
        });
        assert_eq!(all.await, vec![1; 256]);
        assert_eq!(granted(&store, id + 1, &keys, bucket(1)).await, Ok(vec![0; 256]));
        assert_eq!((store.status().connected.len(), store.status().stats.eras), (3, 256), "an era for each tag");
        let nowhere = Redis::start(config("redis-cluster://127.0.0.1:1"));
        let said = until("a reason", async || {
            assert_eq!(granted(&nowhere, 1, &[1], bucket(1)).await, Err(StoreError::Unreachable));
            nowhere.status().failure.filter(|said| !said.starts_with("no member"))
        });
        assert_eq!(said.await, "no connection to 127.0.0.1:1: connection refused");
        let single = Redis::start(config(&format!("redis://{}", servers[0].address())));
        assert_eq!(granted(&single, 1, &[1], bucket(1)).await, Err(StoreError::Unreachable));
        let said = format!("{} is part of a cluster: write redis-cluster://", servers[0].address());
        assert_eq!(single.status().failure, Some(said));
    }
}

#[tokio::test]
async fn a_slot_that_moves_is_followed_and_begins_used_up() {
    let Some(servers) = cluster(Program::Redis7).await else { return };
    let url = format!("redis-cluster://{}", servers[0].address());
    let store = Redis::start(Config { forgiving: false, ..config(&url) });
    let slot = servers[0].cli(&["cluster", "keyslot", "{00}"]);
    let keys: Vec<u128> = (0..8).collect();
    let mut id = 0;
    let first = until("all slots", async || {
        id += 1;
        granted(&store, id, &keys, bucket(1)).await.ok()
    });
    assert_eq!(first.await, vec![0; 8], "a cluster that was never used begins used up");
    let ids: Vec<String> = servers.iter().map(|server| server.cli(&["cluster", "myid"])).collect();
    let from = servers.iter().position(|server| server.cli(&["cluster", "countkeysinslot", &slot]) == "1");
    let from = from.expect("the era of the tag");
    let to = (from + 1) % 3;
    assert_eq!(servers[to].cli(&["cluster", "setslot", &slot, "importing", &ids[from]]), "OK");
    assert_eq!(servers[from].cli(&["cluster", "setslot", &slot, "migrating", &ids[to]]), "OK");
    let port = servers[to].port().to_string();
    assert_eq!(servers[from].cli(&["migrate", "127.0.0.1", &port, "tidegate:{00}:era", "0", "60000"]), "OK");
    for server in [&servers[to], &servers[from]] {
        assert_eq!(server.cli(&["cluster", "setslot", &slot, "node", &ids[to]]), "OK");
    }
    let before = store.status().stats;
    let after = until("the moved slot", async || {
        id += 1;
        granted(&store, id, &keys, bucket(1)).await.ok()
    });
    assert_eq!(after.await, vec![0; 8]);
    let stats = store.status().stats;
    assert_eq!((stats.eras, stats.unreachable), (before.eras + 1, before.unreachable), "it was asked at once");
}
