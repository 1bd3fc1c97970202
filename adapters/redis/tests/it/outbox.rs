//! Those who ask for many: when their questions leave, and how answers come back.

use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_limit::front::{self, By, Failure, Outcome};
use tidegate_limit::ports::{Asked, Batch, CounterStore, Deciding, Inbox, Outbox, SharedLimits as _};
use tidegate_limit::shared::Shared;
use tidegate_limit::{Ask, Key};
use tidegate_redis::{Driver, DriverConfig};
use tidegate_source_rig::PATIENCE;
use tokio::task::yield_now;

use crate::support::{bucket, clock, soon, terms, until};

/// A store in memory, full when it begins.
#[derive(Debug)]
struct Memory(Mutex<Shared>);

impl CounterStore for Memory {
    fn decide(&self, batch: Batch) -> Deciding<'_> {
        let answers = self.0.lock().decide(0, 0, &batch.items);
        Box::pin(async { Ok(answers) })
    }
}

fn driver() -> Driver {
    let config = DriverConfig { front: front::Config::default(), budget: PATIENCE };
    Driver::start(Arc::new(Memory(Mutex::new(Shared::new(0)))), config, clock())
}

/// What came, each call of its own.
#[derive(Default)]
struct Letters(Mutex<Vec<Vec<(u64, Option<Outcome>)>>>);

/// Numbers, and what was granted and by whom.
type Came = Vec<Vec<(u64, Option<(u64, By)>)>>;

impl Inbox for Letters {
    fn take(&self, answers: Vec<(u64, Option<Outcome>)>) {
        self.0.lock().push(answers);
    }
}

impl Letters {
    fn came(&self) -> Came {
        let outcome = |outcome: &Outcome| (outcome.decision.granted, outcome.by);
        let letter = |(number, said): &(u64, Option<Outcome>)| (*number, said.as_ref().map(outcome));
        self.0.lock().iter().map(|letters| letters.iter().map(letter).collect()).collect()
    }
}

fn outbox(driver: &Driver) -> &dyn Outbox {
    driver.outbox().expect("a driver has one")
}

/// Asks for one unit of a bucket of two.
fn post(driver: &Driver, letters: &Arc<Letters>, key: u128, number: u64) -> Option<(u64, By)> {
    let inbox: Arc<dyn Inbox> = Arc::clone(letters) as Arc<dyn Inbox>;
    let known = outbox(driver).post(Key(key), &terms(bucket(2), Failure::Closed), Ask::spend(1), &inbox, number);
    known.map(|outcome| (outcome.decision.granted, outcome.by))
}

/// Gives the driver all the turns that it could want.
async fn turns() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test]
async fn what_was_posted_leaves_together_and_its_answers_come_with_one_call_for_each_inbox() {
    let (driver, mine, yours) = (driver(), Arc::new(Letters::default()), Arc::new(Letters::default()));
    // The task looks for questions when it begins.
    turns().await;
    for (letters, key, number) in [(&mine, 1, 10), (&yours, 1, 20), (&mine, 2, 11), (&mine, 1, 12)] {
        assert_eq!(post(&driver, letters, key, number), None);
    }
    turns().await;
    assert_eq!(driver.stats().batches, 0, "nobody said that it shall leave");
    outbox(&driver).send();
    until("answers", async || (!yours.came().is_empty()).then_some(())).await;
    assert_eq!((driver.stats().batches, driver.stats().items), (1, 2));
    // In the order of keys, and of asking.
    let granted = |number| (number, Some((1, By::Store)));
    assert_eq!(mine.came(), [vec![granted(10), (12, Some((0, By::Store))), granted(11)]]);
    assert_eq!(yours.came(), [vec![granted(20)]]);
    assert_eq!(post(&driver, &mine, 1, 13), Some((0, By::Refusal)), "what is known does not come to the inbox");
    assert_eq!(driver.waiting(), 0);
}

#[tokio::test]
async fn who_asks_for_himself_takes_along_what_was_posted() {
    let (driver, letters) = (driver(), Arc::new(Letters::default()));
    assert_eq!(post(&driver, &letters, 1, 1), None);
    let Asked::Waits(answer) = driver.ask(Key(2), &terms(bucket(2), Failure::Closed), Ask::spend(1)) else {
        panic!("nothing is known of the key");
    };
    let answer = soon("an answer", answer).await.expect("the driver is there");
    assert_eq!((answer.decision.granted, answer.by), (1, By::Store));
    until("a letter", async || (!letters.came().is_empty()).then_some(())).await;
    assert_eq!((letters.came(), driver.stats().batches), (vec![vec![(1, Some((1, By::Store)))]], 1));
}

#[tokio::test]
async fn a_driver_that_ends_says_so() {
    let (driver, letters) = (driver(), Arc::new(Letters::default()));
    assert_eq!((post(&driver, &letters, 1, 1), post(&driver, &letters, 2, 2)), (None, None));
    drop(driver);
    until("letters", async || (letters.came().len() == 2).then_some(())).await;
    let mut came = letters.came().concat();
    came.sort_unstable_by_key(|(number, _)| *number);
    assert_eq!(came, [(1, None), (2, None)]);
}
