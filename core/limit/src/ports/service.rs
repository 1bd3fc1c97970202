//! A service that keeps limits by rules of its own, which a node asks in words.

use std::fmt::Debug;

use crate::ask::Ask;
use crate::front::Terms;
use crate::key::Key;
use crate::ports::{Asked, Standing};
use crate::quota::Rate;

/// What a service is asked about one limit of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// The budget, as this node knows it: what happens to it while the service does not answer.
    pub key: Key,
    /// What happens then; and a cost that is more than their quota holds is refused without a call.
    pub terms: &'a Terms,
    /// What to take.
    pub ask: Ask,
    /// What the service knows the budget by: names and values, in the order of the limit's key.
    pub entries: Vec<(&'a str, String)>,
    /// The quota; `None`: that of the service's own rules.
    pub quota: Option<Rate>,
}

/// Limits that others keep, as a node's requests ask for them. Nothing can be given back, looked at or made whole.
pub trait LimitService: Send + Sync + Debug {
    /// Asks about limits of one request, all in one call. Whether all of them are charged or none is the service's
    /// matter. Gives the answers, each with the place of its question; a question without one is not asked, for
    /// another limit refuses.
    fn ask(&self, questions: &[Question<'_>]) -> Vec<(usize, Asked)>;

    /// How things stand, for operators.
    fn standing(&self) -> Standing;
}
