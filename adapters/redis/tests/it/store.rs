//! One server: its script cache, its data, its memory, its role, its users.

use std::time::Duration;

use tidegate_limit::ports::{CounterStore as _, StoreError};
use tidegate_redis::{Address, Config, Redis, Stats};
use tidegate_source_rig::PATIENCE;
use tidegate_source_rig::redis::{Program, Redis as Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{batch, bucket, clock, config, granted, store, until};

#[tokio::test]
async fn a_batch_is_one_call_and_its_keys_expire() {
    for program in Program::ALL {
        let Some(server) = Server::start(program) else { return };
        let store = store(&server);
        assert_eq!(granted(&store, 1, &[1, 2, 1, 1], bucket(2)).await, Ok(vec![1, 1, 1, 0]));
        let expected = Stats { calls: 2, texts: 1, connections: 1, eras: 1, ..Stats::default() };
        assert_eq!(store.status().stats, expected, "the first call finds no script");
        assert_eq!(granted(&store, 2, &[1, 2], bucket(2)).await, Ok(vec![0, 1]));
        assert_eq!(store.status().stats, Stats { calls: 3, ..expected });
        assert_eq!(server.cli(&["dbsize"]), "3");
        let left = server.cli(&["pttl", "tidegate:00000000000000000000000000000001"]);
        let left: u64 = left.parse().expect("a key that expires");
        assert!((1..=2 * 86_400_000).contains(&left), "{left} ms");
    }
}

#[tokio::test]
async fn refusals_write_nothing() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let store = store(&server);
    assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Ok(vec![1]));
    let writes = || {
        let stats = server.cli(&["info", "commandstats"]);
        let of = |name: &str| stats.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        (of("cmdstat_set:"), of("cmdstat_del:"))
    };
    let before = writes();
    for id in 2..50 {
        assert_eq!(granted(&store, id, &[1], bucket(1)).await, Ok(vec![0]));
    }
    assert_eq!(writes(), before);
}

#[tokio::test]
async fn a_server_that_forgot_the_script_is_told_it_and_charges_once() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let store = store(&server);
    assert_eq!(granted(&store, 1, &[1], bucket(3)).await, Ok(vec![1]));
    assert_eq!(server.cli(&["script", "flush"]), "OK");
    assert_eq!(granted(&store, 2, &[1], bucket(3)).await, Ok(vec![1]));
    assert_eq!(granted(&store, 3, &[1, 1], bucket(3)).await, Ok(vec![1, 0]));
}

#[tokio::test]
async fn what_somebody_else_wrote_there_counts_as_used_up() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let store = store(&server);
    assert_eq!(granted(&store, 1, &[1], bucket(2)).await, Ok(vec![1]));
    for (id, foreign) in [(2, ""), (3, "7"), (4, "a text that is longer than a state")] {
        server.cli(&["set", "tidegate:00000000000000000000000000000001", foreign]);
        let expected = if foreign.len() < 17 { 0 } else { 1 };
        assert_eq!(granted(&store, id, &[1], bucket(2)).await, Ok(vec![expected]), "{foreign}");
    }
}

/// A store whose limits begin used up after a loss, as they do unless one says otherwise.
fn strict(server: &Server) -> Redis {
    let address = Address::parse(&format!("redis://{}", server.address())).expect("an address");
    Redis::start(Config { connect: PATIENCE, patience: PATIENCE, ..Config::new(address, clock()) })
}

#[tokio::test]
async fn lost_data_counts_as_used_after_a_restart_and_after_a_flush() {
    let Some(mut server) = Server::start(Program::Redis7) else { return };
    let (strict, forgiving) = (strict(&server), store(&server));
    assert_eq!(granted(&forgiving, 1, &[1], bucket(2)).await, Ok(vec![1]));
    server.stop();
    server.run();
    let refused = until("answer of the new server", async || granted(&strict, 1, &[1, 2], bucket(2)).await.ok()).await;
    assert_eq!((refused, strict.status().stats.eras), (vec![0, 0], 1));
    assert_eq!(server.cli(&["flushall"]), "OK");
    assert_eq!(granted(&strict, 3, &[1, 3], bucket(2)).await, Ok(vec![0, 0]));
    assert_eq!(strict.status().stats.eras, 2);
    // Every node sees the same era, whoever noticed.
    let other = store(&server);
    assert_eq!(granted(&other, 1, &[1, 3], bucket(2)).await, Ok(vec![0, 0]));
    assert_eq!(other.status().stats.eras, 0);
}

#[tokio::test]
async fn a_server_that_is_away_takes_nothing_and_is_found_again() {
    let Some(mut server) = Server::start(Program::Redis7) else { return };
    let store = store(&server);
    assert_eq!(granted(&store, 1, &[1], bucket(2)).await, Ok(vec![1]));
    server.stop();
    until("end of the connection", async || store.status().connected.is_empty().then_some(())).await;
    assert_eq!(granted(&store, 2, &[1], bucket(2)).await, Err(StoreError::Unreachable));
    let said = store.status().failure.expect("a reason");
    assert_eq!(said, format!("no connection to {}: connection refused", server.address()));
    server.run();
    assert_eq!(granted(&store, 3, &[1], bucket(2)).await, Ok(vec![1]));
    let status = store.status();
    assert_eq!((status.failure, status.stats.unreachable, status.stats.unanswered), (None, 1, 0));
    assert_eq!(status.connected, [(server.address(), "Redis 7.0.15".to_owned())]);
}

#[tokio::test]
async fn a_full_server_takes_nothing_and_still_refuses() {
    for program in Program::ALL {
        let Some(server) = Server::start(program) else { return };
        let store = store(&server);
        assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Ok(vec![1]));
        server.cli(&["config", "set", "maxmemory", "1"]);
        assert_eq!(granted(&store, 2, &[2], bucket(1)).await, Err(StoreError::Unreachable));
        let full = format!("{} is out of memory (maxmemory): it takes no writes", server.address());
        assert_eq!(store.status().failure, Some(full));
        assert_eq!(granted(&store, 3, &[1], bucket(1)).await, Ok(vec![0]), "a refusal is no write");
        server.cli(&["config", "set", "maxmemory", "0"]);
        assert_eq!(granted(&store, 4, &[2], bucket(1)).await, Ok(vec![1]), "nothing had been taken");
    }
}

#[tokio::test]
async fn a_server_that_became_a_replica_takes_nothing() {
    for program in Program::ALL {
        let (Some(server), Some(master)) = (Server::start(program), Server::start(program)) else { return };
        let store = store(&server);
        assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Ok(vec![1]));
        let port = master.port().to_string();
        assert_eq!(server.cli(&["replicaof", "127.0.0.1", &port]), "OK");
        let refused = until("refusal", async || granted(&store, 2, &[2], bucket(1)).await.err()).await;
        assert_eq!(refused, StoreError::Unreachable);
        let synced = async || server.cli(&["info", "replication"]).contains("link_status:up").then_some(());
        until("a replica", synced).await;
        let replica = format!("{} is a replica: it takes no writes", server.address());
        assert_eq!(store.status().failure, Some(replica));
        server.cli(&["replicaof", "no", "one"]);
        assert_eq!(granted(&store, 3, &[2], bucket(1)).await, Ok(vec![1]));
        assert_eq!(store.status().stats.eras, 2, "its data may have been another's");
    }
}

async fn refusal(server: &Server, url: &str) -> String {
    let store = Redis::start(config(url));
    assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Err(StoreError::Unreachable));
    let said = store.status().failure.expect("a reason");
    said.replace(&server.address(), "SERVER")
}

#[tokio::test]
async fn servers_that_cannot_be_used_are_named_with_the_reason() {
    let Some(server) = Server::start_with(Program::Redis7, &["--requirepass", "secret"]) else { return };
    let address = server.address();
    assert_eq!(
        refusal(&server, &format!("redis://{address}")).await,
        "SERVER refuses the login: NOAUTH Authentication required."
    );
    assert_eq!(
        refusal(&server, &format!("redis://:wrong@{address}")).await,
        "SERVER refuses the login: WRONGPASS invalid username-password pair or user is disabled."
    );
    let auth = ["-a", "secret", "--no-auth-warning"];
    let cli = |arguments: &[&str]| server.cli(&[&auth, arguments].concat());
    cli(&["acl", "setuser", "limits", "on", ">pass", "~tidegate:*", "+info", "+mget", "+set", "+del", "+time"]);
    assert_eq!(
        refusal(&server, &format!("redis://limits:pass@{address}")).await,
        "SERVER does not allow it: NOPERM this user has no permissions to run the 'evalsha' command (needed: +info \
         +evalsha +eval +mget +set +del +time, and the keys)"
    );
    cli(&["acl", "setuser", "limits", "+eval", "+evalsha"]);
    let store = Redis::start(config(&format!("redis://limits:pass@{address}")));
    assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Ok(vec![1]), "no more is needed");
    cli(&["config", "set", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]);
    let url = format!("redis://:secret@{address}");
    assert_eq!(
        refusal(&server, &url).await,
        "SERVER drops keys when its memory is full (maxmemory-policy allkeys-lru): limits would be forgotten; set it \
         to noeviction, or allow it for this store"
    );
    let store = Redis::start(Config { evicting: true, ..config(&url) });
    assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Ok(vec![0]));
}

#[tokio::test]
async fn a_peer_that_is_no_redis_is_said_to_be_strange() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            drop(client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let store = Redis::start(config(&format!("redis://{address}")));
    assert_eq!(granted(&store, 1, &[1], bucket(1)).await, Err(StoreError::Unreachable));
    let said = store.status().failure;
    assert_eq!(said, Some(format!("the answer of {address} is not understood: not the Redis protocol")));
}

/// Leads one connection to the server, and loses what the server says once it was asked `asks` times to run a script.
async fn lossy(listener: TcpListener, server: String, asks: usize) {
    let mut left = asks;
    while let Ok((mut client, _)) = listener.accept().await {
        let mut upstream = TcpStream::connect(&server).await.expect("the server");
        let (mut question, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
        while let Ok(length @ 1..) = client.read(&mut question).await {
            upstream.write_all(&question[..length]).await.expect("the server reads");
            let length = upstream.read(&mut answer).await.expect("the server answers");
            let is_script = question[..32].windows(4).any(|word| word == b"EVAL");
            if is_script && left > 0 {
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            client.write_all(&answer[..length]).await.expect("the client reads");
        }
    }
}

#[tokio::test]
async fn a_batch_whose_reply_is_lost_is_charged_once_and_never_sent_again() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    // The first is answered that there is no such script.
    tokio::spawn(lossy(listener, server.address(), 3));
    let store = Redis::start(config(&format!("redis://{address}")));
    assert_eq!(granted(&store, 1, &[1], bucket(3)).await, Ok(vec![1]));
    assert_eq!(granted(&store, 2, &[1], bucket(3)).await, Err(StoreError::Unanswered));
    assert_eq!(granted(&store, 3, &[1, 1], bucket(3)).await, Ok(vec![1, 0]), "the lost one was charged once");
    let stats = store.status().stats;
    assert_eq!((stats.calls, stats.connections, stats.unanswered), (4, 2, 1));
}

#[tokio::test]
async fn a_batch_that_was_given_up_before_it_was_sent_is_not_charged() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let store = store(&server);
    assert_eq!(granted(&store, 1, &[1], bucket(5)).await, Ok(vec![1]));
    server.pause();
    let give_up = async |id| {
        let asked = tokio::time::timeout(Duration::from_millis(20), store.decide(batch(id, &[1], bucket(5))));
        assert!(asked.await.is_err(), "it is paused");
    };
    let mut id = 1;
    until("as many batches under way as there may be", async || {
        id += 1;
        give_up(id).await;
        (store.status().stats.unanswered == 2).then_some(())
    })
    .await;
    let before = store.status().stats;
    for later in 1..8 {
        give_up(id + later).await;
    }
    server.resume();
    assert_eq!(granted(&store, id + 8, &[1, 1, 1], bucket(5)).await, Ok(vec![1, 1, 0]), "two were under way");
    let stats = store.status().stats;
    assert_eq!((stats.unanswered, stats.unreachable), (2, before.unreachable + 7));
}

/// Two batches under way at one time, each about a key of its own: what was granted, once `then` has happened.
async fn two_under_way(server: &Server, store: &Redis, then: impl FnOnce()) -> [Result<Vec<u64>, StoreError>; 2] {
    server.pause();
    let sent = store.status().stats.calls + 2;
    let both = async { tokio::join!(granted(store, 8, &[1, 2], bucket(3)), granted(store, 9, &[2], bucket(3))) };
    let on = async {
        until("two calls", async || (store.status().stats.calls == sent).then_some(())).await;
        then();
    };
    let ((first, second), ()) = tokio::join!(both, on);
    [first, second]
}

#[tokio::test]
async fn two_batches_under_way_are_answered_in_their_order_and_charged_once() {
    for program in Program::ALL {
        let Some(server) = Server::start(program) else { return };
        let store = store(&server);
        assert_eq!(granted(&store, 1, &[1, 1], bucket(3)).await, Ok(vec![1, 1]));
        let both = two_under_way(&server, &store, || server.resume()).await;
        assert_eq!(both, [Ok(vec![1, 1]), Ok(vec![1])]);
        // Neither finds the script: both go again, each behind the other.
        assert_eq!(server.cli(&["script", "flush"]), "OK");
        let before = store.status().stats;
        let both = two_under_way(&server, &store, || server.resume()).await;
        assert_eq!(both, [Ok(vec![0, 1]), Ok(vec![0])]);
        let stats = store.status().stats;
        assert_eq!((stats.calls, stats.texts), (before.calls + 4, before.texts + 2));
    }
}

#[tokio::test]
async fn of_two_batches_under_way_on_a_connection_that_breaks_neither_is_known() {
    let Some(mut server) = Server::start(Program::Redis7) else { return };
    let store = store(&server);
    assert_eq!(granted(&store, 1, &[1], bucket(3)).await, Ok(vec![1]));
    server.pause();
    let (first, second) = (batch(8, &[1], bucket(3)), batch(9, &[2], bucket(3)));
    let both = async { tokio::join!(store.decide(first), store.decide(second)) };
    let killed = async {
        until("two calls", async || (store.status().stats.calls == 4).then_some(())).await;
        server.stop();
    };
    let ((first, second), ()) = tokio::join!(both, killed);
    assert_eq!((first, second), (Err(StoreError::Unanswered), Err(StoreError::Unanswered)));
    server.run();
    assert_eq!(granted(&store, 10, &[1, 2], bucket(3)).await, Ok(vec![1, 1]));
    let stats = store.status().stats;
    assert_eq!((stats.connections, stats.unanswered, stats.unreachable), (2, 2, 0));
}
