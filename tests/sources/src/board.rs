//! What every board of plans has to do, and a board in memory.

use crate::contract::soon;
use parking_lot::Mutex;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;
use tidegate_traffic::plan::{Phase, Sample, State};
use tidegate_traffic::ports::{Answer, Board, BoardError, Model, Over, PIECES, Piece, Posted, Seen, Told};

/// A board that several gateways use.
pub trait Boards {
    /// The handle of another gateway, which has said that it is alive.
    fn join(&self, name: &str) -> impl Future<Output = Box<dyn Board>>;

    /// Lets some time pass: less than a gateway may be silent.
    fn wait(&self) -> impl Future<Output = ()>;
}

const PLAN: &str = "shop.v1.Orders/hash:x-user-id@0123456789abcdef";

fn told(revision: u64, calls: u64) -> Told {
    let mut canary = Sample::default();
    (0..calls).for_each(|call| canary.observe(call == 0, Duration::from_millis(call)));
    Told { revision, canary, stable: Sample { calls: 1, ..Sample::default() } }
}

fn all_told(seen: &Seen) -> Vec<Told> {
    let mut all: Vec<Told> = seen.told.iter().map(|piece| piece.told.clone()).collect();
    all.sort_by_key(|told| (told.revision, told.canary.calls));
    all
}

fn ids(pieces: &[Piece]) -> Vec<String> {
    pieces.iter().map(|piece| piece.id.clone()).collect()
}

fn state(revision: u64) -> State {
    State { revision, phase: Phase::Paused, ..State::begin(Duration::from_secs(7)) }
}

/// Plays what every board has to do.
///
/// # Panics
/// The board does not do it.
pub async fn does_what_boards_do(boards: &impl Boards) {
    let (first, second) = (boards.join("first").await, boards.join("second").await);
    let decided = one_leads_and_writes_over_what_it_saw(&*first, &*second).await;
    what_is_told_is_counted_once(&*first, &*second, decided).await;
    a_command_is_written_by_any_gateway(&*first, &*second).await;
    who_leaves_is_followed_at_once(&*first, &*second).await;
    who_is_silent_is_followed_and_writes_nothing(boards, &*first, &*second).await;
    plans_that_nobody_has_are_forgotten(&*first, &*second).await;
}

async fn look(board: &dyn Board) -> Seen {
    soon("a look", board.look(PLAN)).await.expect("the board is there")
}

async fn write(board: &dyn Board, state: &State, over: &Over) -> bool {
    soon("a writing", board.write(PLAN, state, over)).await.expect("the board is there")
}

async fn tell(board: &dyn Board, told: &Told) {
    soon("a telling", board.tell(PLAN, told)).await.expect("the board is there");
}

async fn one_leads_and_writes_over_what_it_saw(first: &dyn Board, second: &dyn Board) -> u64 {
    let seen = look(first).await;
    let tenure = seen.tenure;
    assert!(tenure.is_some(), "nobody led before");
    assert_eq!(seen, Seen { tenure, leader: "first".into(), posted: None, told: vec![] });
    assert_eq!(look(first).await.tenure, tenure, "it is one tenure");
    assert_eq!(look(second).await, Seen { leader: "first".into(), ..Seen::default() });
    let over = Over { version: 0, tenure, counted: vec![] };
    assert!(write(first, &state(1), &over).await);
    assert!(!write(first, &state(2), &over).await, "there is one already");
    let posted = look(second).await.posted.expect("it was written");
    assert_eq!((&posted.state, &*posted.by, posted.version > 0), (&state(1), "first", true));
    assert_eq!(look(first).await.posted, Some(posted.clone()));
    let stale = Over { version: posted.version, tenure: tenure.map(|tenure| tenure + 1), counted: vec![] };
    assert!(!write(second, &state(2), &stale).await, "it is another tenure");
    posted.version
}

async fn what_is_told_is_counted_once(first: &dyn Board, second: &dyn Board, version: u64) {
    tell(second, &told(1, 3)).await;
    tell(first, &told(1, 4)).await;
    assert_eq!(look(second).await.told, vec![], "only who decides needs it");
    let seen = look(first).await;
    assert_eq!(all_told(&seen), [told(1, 3), told(1, 4)]);
    tell(second, &told(1, 5)).await;
    let refused = Over { version: version + 1000, tenure: seen.tenure, counted: ids(&seen.told) };
    assert!(!write(first, &state(2), &refused).await);
    assert_eq!(all_told(&look(first).await), [told(1, 3), told(1, 4), told(1, 5)], "nothing was written");
    assert!(write(first, &state(2), &Over { version, ..refused }).await);
    assert_eq!(all_told(&look(first).await), [told(1, 5)], "what came later stays");
    for _ in 0..PIECES + 8 {
        tell(second, &told(2, 1)).await;
    }
    let mut count = 0;
    loop {
        let seen = look(first).await;
        assert!(seen.told.len() <= PIECES);
        if seen.told.is_empty() {
            break;
        }
        count += seen.told.len();
        let version = seen.posted.as_ref().map_or(0, |posted| posted.version);
        assert!(write(first, &state(3), &Over { version, tenure: seen.tenure, counted: ids(&seen.told) }).await);
    }
    assert_eq!(count, PIECES + 9);
}

async fn a_command_is_written_by_any_gateway(first: &dyn Board, second: &dyn Board) {
    let before = look(first).await;
    let version = before.posted.map_or(0, |posted| posted.version);
    assert!(write(second, &state(4), &Over { version, ..Over::default() }).await);
    let late = Over { version, tenure: before.tenure, counted: vec![] };
    assert!(!write(first, &state(5), &late).await, "the command came first");
    let seen = look(first).await;
    assert_eq!((seen.tenure, seen.posted.map(|posted| (posted.state, posted.by))), {
        (before.tenure, Some((state(4), "second".to_owned())))
    });
}

async fn who_leaves_is_followed_at_once(first: &dyn Board, second: &dyn Board) {
    let before = look(first).await;
    soon("leaving", first.leave(PLAN)).await.expect("the board is there");
    let after = look(second).await;
    assert_eq!((&*after.leader, after.tenure.is_some(), after.tenure == before.tenure), ("second", true, false));
    assert_eq!(after.posted, before.posted);
    assert_eq!((look(first).await.tenure, &*look(first).await.leader), (None, "second"));
}

async fn who_is_silent_is_followed_and_writes_nothing(boards: &impl Boards, first: &dyn Board, second: &dyn Board) {
    let silent = look(second).await;
    tell(second, &told(4, 9)).await;
    let seen = soon("another tenure", async {
        loop {
            boards.wait().await;
            first.alive().await.expect("the board is there");
            let seen = look(first).await;
            if seen.tenure.is_some() {
                return seen;
            }
        }
    });
    let seen = seen.await;
    assert_eq!((&*seen.leader, &seen.posted, all_told(&seen)), ("first", &silent.posted, vec![]));
    let version = silent.posted.as_ref().map_or(0, |posted| posted.version);
    let late = Over { version, tenure: silent.tenure, counted: vec![] };
    // It may notice that it is late, too.
    assert_ne!(second.write(PLAN, &state(9), &late).await, Ok(true));
    second.alive().await.expect("the board is there");
    let back = look(second).await;
    assert_eq!(back, Seen { leader: "first".into(), posted: silent.posted, ..Seen::default() });
}

async fn plans_that_nobody_has_are_forgotten(first: &dyn Board, second: &dyn Board) {
    let posted = look(first).await.posted;
    first.leave(PLAN).await.expect("the board is there");
    let sweep = async |known: &[String]| first.sweep(known).await.expect("the board is there");
    sweep(&[]).await;
    assert_eq!(look(second).await.posted, posted, "another one has it");
    second.leave(PLAN).await.expect("the board is there");
    sweep(&[PLAN.to_owned()]).await;
    assert_eq!(look(second).await.posted, posted, "it is known");
    second.leave(PLAN).await.expect("the board is there");
    sweep(&["another".to_owned()]).await;
    let Seen { posted, told, .. } = look(second).await;
    assert_eq!((posted, told), (None::<Posted>, vec![]));
}

/// The handle of one gateway on a [`Model`]. Time goes on when it is told.
#[derive(Clone, Debug)]
pub struct Memory {
    name: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    model: Model,
    now: Duration,
    is_gone: bool,
}

/// How long a gateway on a [`Memory`] may be silent.
const LIFE: Duration = Duration::from_secs(5);

impl Memory {
    /// Handles of one board.
    #[must_use]
    pub fn several<const N: usize>(names: [&str; N]) -> [Self; N] {
        let shared = Shared { model: Model::new(LIFE), now: Duration::ZERO, is_gone: false };
        let shared = Arc::new(Mutex::new(shared));
        names.map(|name| Self { name: name.to_owned(), shared: Arc::clone(&shared) })
    }

    /// Whether nobody reaches the board any more.
    pub fn set_gone(&self, is_gone: bool) {
        self.shared.lock().is_gone = is_gone;
    }

    /// So much time passes.
    pub fn pass(&self, time: Duration) {
        let mut shared = self.shared.lock();
        shared.now += time;
        let now = shared.now;
        shared.model.advance(now);
    }

    fn answer<T: Send + 'static>(&self, of: impl FnOnce(&mut Model) -> Result<T, BoardError>) -> Answer<'_, T> {
        let mut shared = self.shared.lock();
        let gone = shared.is_gone.then(|| BoardError { reason: "it is gone".into() });
        Box::pin(ready(gone.map_or_else(|| of(&mut shared.model), Err)))
    }
}

impl Board for Memory {
    fn name(&self) -> &str {
        &self.name
    }

    fn alive(&self) -> Answer<'_, ()> {
        self.answer(|model| {
            model.alive(&self.name);
            Ok(())
        })
    }

    fn look<'b>(&'b self, plan: &'b str) -> Answer<'b, Seen> {
        self.answer(|model| model.look(&self.name, plan))
    }

    fn tell<'b>(&'b self, plan: &'b str, told: &'b Told) -> Answer<'b, ()> {
        self.answer(|model| model.tell(&self.name, plan, told))
    }

    fn write<'b>(&'b self, plan: &'b str, state: &'b State, over: &'b Over) -> Answer<'b, bool> {
        // As a store would have it.
        let state: State = state.to_string().parse().expect("what was written can be read");
        self.answer(|model| Ok(model.write(&self.name, plan, &state, over)))
    }

    fn leave<'b>(&'b self, plan: &'b str) -> Answer<'b, ()> {
        self.answer(|model| {
            model.leave(&self.name, plan);
            Ok(())
        })
    }

    fn sweep<'b>(&'b self, known: &'b [String]) -> Answer<'b, ()> {
        self.answer(|model| {
            model.sweep(known);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, Boards, Memory, does_what_boards_do};
    use std::time::Duration;

    impl Boards for Memory {
        async fn join(&self, name: &str) -> Box<dyn Board> {
            let member = Self { name: name.to_owned(), ..self.clone() };
            member.alive().await.expect("it is there");
            Box::new(member)
        }

        async fn wait(&self) {
            self.pass(Duration::from_secs(1));
        }
    }

    #[tokio::test]
    async fn the_board_in_memory_does_what_boards_do() {
        let [memory] = Memory::several(["any"]);
        does_what_boards_do(&memory).await;
    }
}
