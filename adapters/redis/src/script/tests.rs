//! The script on real servers, beside the model.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tidegate_limit::ports::{Answer, Item};
use tidegate_limit::shared::Shared;
use tidegate_limit::{Algorithm, Ask, Key, Mode, Policy, Rate, Receipt, Scale};
use tidegate_source_rig::redis::{Program, Redis};

use super::{Call, Said, TEXT};
use crate::address::Address;
use crate::config::Config;
use crate::handshake::{Greeted, greet};
use crate::resp;

/// Items compared, of each kind of run. `TIDEGATE_OPERATIONS` says another number.
const OPERATIONS: usize = 100_000;

/// Numbers that look random, the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

fn rate(count: u64, per: Duration) -> Rate {
    Rate::new(count, per).expect("a rate")
}

/// Policies of every kind, and those of a lower class or of leases. `forgets`: those too whose state a look at it
/// changes, so that a clock that goes back shows whether it was stored.
fn policies(forgets: bool) -> Vec<Policy> {
    let (ms, second) = (Duration::from_millis, Duration::from_secs(1));
    let bucket = |count, per, burst| Algorithm::TokenBucket { rate: rate(count, per), burst };
    let mut all = vec![
        bucket(1000, second, 5),
        bucket(7, ms(333), 3),
        bucket(3, Duration::from_micros(1), 1_000_000),
        bucket(1, Duration::from_hours(24), 20),
        bucket(0, second, 9),
        Algorithm::LeakyBucket { rate: rate(200, second), queue: 4 },
        Algorithm::FixedWindow(rate(10, ms(7))),
        Algorithm::FixedWindow(rate(1000, Duration::from_hours(1))),
        Algorithm::Concurrency(3),
    ];
    if forgets {
        all.extend([
            Algorithm::SlidingWindow(rate(10, ms(120))),
            Algorithm::SlidingWindow(rate(5000, second)),
            Algorithm::SlidingWindow(rate(0, second)),
            Algorithm::SlidingLog(rate(5, ms(3))),
            Algorithm::SlidingLog(rate(40, second)),
        ]);
    }
    let all: Vec<Policy> = all.iter().map(|one| one.compile(Scale::Shared).expect("a policy")).collect();
    let leased = all.iter().filter_map(|policy| match policy {
        Policy::Bucket(bucket) => bucket.leased(ms(2)).map(Policy::Bucket),
        _ => None,
    });
    let leased: Vec<Policy> = leased.collect();
    let leaving: Vec<Policy> = all.iter().map(|policy| policy.leaving(2)).collect();
    [all, leaving, leased].concat()
}

fn cost(dice: &mut Dice) -> u64 {
    match dice.below(20) {
        0 => 0,
        1 => u64::MAX,
        2 => (1 << 53) + dice.below(3) - 1,
        3..6 => dice.below(2000),
        _ => dice.below(7),
    }
}

/// A batch of items about few keys; a key stands in it as often as it comes. With `changes` keys have another policy
/// now and then: what is left of the state of the first one depends on whether the server expired it already.
fn items(dice: &mut Dice, policies: &[Policy], receipts: &mut [Vec<Receipt>], changes: bool) -> Vec<Item> {
    let length = 1 + dice.below(12);
    (0..length)
        .map(|_| {
            let place = dice.below(policies.len() as u64 * 2) as usize;
            let own = place / 2;
            let policy = if changes && dice.one_in(200) { dice.below(policies.len() as u64) as usize } else { own };
            let modes = [Mode::Spend, Mode::Spend, Mode::Partial, Mode::Partial, Mode::Check];
            let mode = modes[dice.below(5) as usize];
            let refund = if dice.one_in(6) { receipts[place].pop() } else { None };
            let refund = if dice.one_in(100) { Some(Receipt::ALL) } else { refund };
            let extra = if dice.one_in(3) { cost(dice) } else { 0 };
            let ask = Ask { cost: cost(dice), mode };
            Item { key: Key(place as u128), policy: policies[policy], refund, ask, retry_for: cost(dice), extra }
        })
        .collect()
}

fn call(items: &[Item], forgiving: bool) -> Call {
    let mut call = Call::new("t:", forgiving);
    items.iter().enumerate().for_each(|(place, item)| call.push("t:", place, item.clone()));
    call
}

async fn connect(redis: &Redis) -> Greeted {
    let url = format!("redis://{}", redis.address());
    let clock = Arc::new(|| Duration::ZERO);
    let config = Config::new(Address::parse(&url).expect("an address"), clock);
    greet(&redis.address(), &config, None).await.expect("a connection")
}

fn operations() -> usize {
    let said = std::env::var_os("TIDEGATE_OPERATIONS");
    said.map_or(OPERATIONS, |number| number.to_str().and_then(|number| number.parse().ok()).expect("a number"))
}

/// What was compared, so that a run that compares nothing does not pass.
#[derive(Debug, Default)]
struct Seen {
    granted: usize,
    refused: usize,
    refunds: usize,
    lent: usize,
    waits: usize,
}

impl Seen {
    fn look(&mut self, item: &Item, answer: &Answer) {
        let decision = &answer.decision;
        let admitted = decision.granted > 0;
        self.granted += usize::from(admitted);
        self.refused += usize::from(!decision.is_admitted());
        self.refunds += usize::from(item.refund.is_some_and(|receipt| receipt.cost > 0));
        self.lent += usize::from(answer.extra > 0);
        self.waits += usize::from(!decision.wait.is_zero());
    }

    fn is_enough(&self, operations: usize) {
        let least = operations / 1000;
        for count in [self.granted, self.refused, self.refunds, self.lent, self.waits] {
            assert!(count > least, "{self:?} of {operations}");
        }
    }
}

fn compare(items: &[Item], said: &Said, expected: &[Answer]) {
    for ((item, answer), expected) in items.iter().zip(&said.answers).zip(expected) {
        assert_eq!(answer, expected, "at {} of {item:?}", said.now);
    }
}

fn keep(receipts: &mut [Vec<Receipt>], items: &[Item], said: &Said) {
    for (item, answer) in items.iter().zip(&said.answers) {
        let of_key = &mut receipts[item.key.0 as usize];
        if answer.decision.receipt.cost > 0 && of_key.len() < 8 {
            of_key.push(answer.decision.receipt);
        }
    }
}

/// Items whose receipts are of this era, if one is said.
fn of_era(items: &[Item], era: Option<u64>) -> Vec<Item> {
    let mut items = items.to_vec();
    for receipt in items.iter_mut().filter_map(|item| item.refund.as_mut()).filter(|receipt| **receipt != Receipt::ALL)
    {
        receipt.era = era.unwrap_or(receipt.era);
    }
    items
}

async fn as_it_is(program: Program, forgiving: bool) {
    let Some(redis) = Redis::start(program) else { return };
    let Greeted { mut connection, run, .. } = connect(&redis).await;
    let (mut dice, policies) = (Dice(1), policies(true));
    let mut receipts = vec![Vec::new(); policies.len() * 2];
    // A store of the model begins full; one that sees another run begins used up.
    let mut model = Shared::new(if forgiving { 1 } else { 0 });
    let (mut compared, mut seen, operations) = (0, Seen::default(), operations());
    while compared < operations {
        let items = items(&mut dice, &policies, &mut receipts, false);
        let call = call(&items, forgiving);
        let reply =
            connection.ask(1, |out| call.write(out, &run, (compared == 0).then_some(TEXT))).await.expect("a reply");
        let said = call.read(&reply[0]).unwrap_or_else(|error| panic!("{error}: {:?}", reply[0]));
        assert_eq!(said.born, compared == 0);
        let mut expected = model.decide(1, said.now, &of_era(&items, forgiving.then_some(0)));
        if forgiving {
            // The model's first era began long ago, and has the number 0.
            let era = said.answers.first().map_or(0, |answer| answer.decision.receipt.era);
            expected.iter_mut().for_each(|answer| answer.decision.receipt.era = era);
        }
        compare(&items, &said, &expected);
        keep(&mut receipts, &items, &said);
        items.iter().zip(&said.answers).for_each(|(item, answer)| seen.look(item, answer));
        compared += items.len();
    }
    seen.is_enough(operations);
}

#[tokio::test]
async fn the_script_answers_as_the_model_does() {
    as_it_is(Program::Redis7, false).await;
}

#[tokio::test]
async fn it_does_so_on_the_oldest_redis() {
    as_it_is(Program::Redis6, true).await;
}

#[tokio::test]
async fn it_does_so_on_valkey() {
    as_it_is(Program::Valkey9, false).await;
}

/// The script with a clock that the test sets, and without expiry, which the server does by its own.
fn with_clock() -> String {
    let text = TEXT.replace("call('TIME')", "{ call('GET', 'seconds'), call('GET', 'micros') }");
    let text = text.replace("'PXAT', text", "'PX', '3600000'");
    let text = text.replace("if keep <= 0 then", "if false then");
    assert_eq!(
        text.matches("'seconds'").count() + text.matches("'3600000'").count() + text.matches("if false").count(),
        3
    );
    text
}

#[tokio::test]
async fn eras_that_begin_at_one_tick_are_different() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let Greeted { mut connection, .. } = connect(&redis).await;
    let text = with_clock();
    let policy = Algorithm::TokenBucket { rate: rate(1, Duration::from_hours(1)), burst: 2 };
    let policy = policy.compile(Scale::Shared).expect("a policy");
    let item = Item { key: Key(1), policy, refund: None, ask: Ask::spend(1), retry_for: 1, extra: 0 };
    connection.command(&[b"SET", b"seconds", b"1790000000"]).await.expect("a clock");
    connection.command(&[b"SET", b"micros", b"0"]).await.expect("a clock");
    let call = call(&[item], true);
    for run in ["first", "second", "third", "fourth"] {
        let reply = connection.ask(1, |out| call.write(out, run, Some(&text))).await.expect("a reply");
        let said = call.read(&reply[0]).expect("an answer");
        let remaining = said.answers[0].decision.remaining;
        assert_eq!((said.born, remaining), (true, 1), "nothing is known of the {run} run");
    }
}

async fn through_time(back: bool) {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let Greeted { mut connection, .. } = connect(&redis).await;
    let (mut dice, policies, text) = (Dice(2), policies(!back), with_clock());
    let mut receipts = vec![Vec::new(); policies.len() * 2];
    let (mut model, mut run) = (Shared::new(0), 1_u64);
    let mut micros = 1_790_000_000_000_000_u64;
    let (mut compared, mut seen, operations) = (0, Seen::default(), operations());
    while compared < operations {
        micros += match dice.below(400) {
            0 => dice.below(86_400_000_000),
            1..40 => dice.below(1_000_000),
            40..200 => dice.below(3000),
            _ => 0,
        };
        if back && dice.one_in(100) {
            micros -= dice.below(2_000_000);
        }
        // A restart, or a server that was emptied: it begins anew, and what was taken before is not given back.
        let emptied = dice.one_in(2000);
        if dice.one_in(2000) || emptied {
            run += 1;
            // One that was emptied does not know that it ever had an era.
            model = if emptied { Shared::new(0) } else { model };
        }
        let (seconds, rest) = ((micros / 1_000_000).to_string(), (micros % 1_000_000).to_string());
        let items = items(&mut dice, &policies, &mut receipts, true);
        let call = call(&items, false);
        let replies = connection.ask(4, |out: &mut BytesMut| {
            resp::command(out, if emptied { &[b"FLUSHALL"] } else { &[b"PING"] });
            resp::command(out, &[b"SET", b"seconds", seconds.as_bytes()]);
            resp::command(out, &[b"SET", b"micros", rest.as_bytes()]);
            call.write(out, &format!("{run:040x}"), Some(&text));
        });
        let replies = replies.await.expect("replies");
        let said = call.read(&replies[3]).unwrap_or_else(|error| panic!("{error}: {:?}", replies[3]));
        compare(&items, &said, &model.decide(run, said.now, &items));
        keep(&mut receipts, &items, &said);
        items.iter().zip(&said.answers).for_each(|(item, answer)| seen.look(item, answer));
        compared += items.len();
    }
    seen.is_enough(operations);
}

#[tokio::test]
async fn it_does_so_through_days_restarts_and_the_loss_of_all_data() {
    through_time(false).await;
}

#[tokio::test]
async fn it_does_so_when_the_clock_goes_back() {
    through_time(true).await;
}
