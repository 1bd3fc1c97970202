//! Those who wait for an answer, and how it gets to them.

use std::sync::Arc;

use tidegate_limit::front::Outcome;
use tidegate_limit::ports::Inbox;
use tokio::sync::oneshot;

/// Somebody who waits.
pub(super) enum Waiting {
    /// A future of his own.
    Caller(oneshot::Sender<Outcome>),
    /// Somebody who asks for many.
    Letter(Letter),
}

/// An answer to come, which is told too if it never comes.
pub(super) struct Letter {
    inbox: Option<Arc<dyn Inbox>>,
    number: u64,
}

impl Letter {
    pub(super) fn new(inbox: &Arc<dyn Inbox>, number: u64) -> Self {
        Self { inbox: Some(Arc::clone(inbox)), number }
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        if let Some(inbox) = self.inbox.take() {
            inbox.take(vec![(self.number, None)]);
        }
    }
}

/// Tells everybody: each caller for himself, each inbox once. To wake somebody on another thread is a system call.
pub(super) fn tell(outcomes: Vec<(Waiting, Outcome)>) {
    type Answers = Vec<(u64, Option<Outcome>)>;
    let mut letters: Vec<(Arc<dyn Inbox>, Answers)> = Vec::new();
    for (waiting, outcome) in outcomes {
        match waiting {
            // He may have left.
            Waiting::Caller(answer) => drop(answer.send(outcome)),
            Waiting::Letter(mut letter) => {
                let Some(inbox) = letter.inbox.take() else { continue };
                let answer = (letter.number, Some(outcome));
                // As many inboxes as threads that ask.
                match letters.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &inbox)) {
                    Some((_, answers)) => answers.push(answer),
                    None => letters.push((inbox, vec![answer])),
                }
            }
        }
    }
    for (inbox, answers) in letters {
        inbox.take(answers);
    }
}
