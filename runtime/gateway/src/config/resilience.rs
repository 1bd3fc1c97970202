//! Retries, limits of calls in flight, and classes of priority.

use http::HeaderName;
use tidegate_traffic::priority::Class;
use tidegate_traffic::{Share, budget, bulkhead, retry};

/// What a route says of calls that fail, and of too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resilience {
    /// When a failed call is made again; `None` is never.
    pub retry: Option<retry::Settings>,
    /// How many of its calls are in flight at once; `None` is any number. The classes' shares are not the config's
    /// matter.
    pub concurrency: Option<bulkhead::Settings>,
    /// Which of its calls are refused first; `None` is [`Class::Normal`] for all.
    pub priority: Option<Priority>,
}

/// Which of a route's calls are refused first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Priority {
    /// The class of those of which nothing else is said.
    pub class: Class,
    /// A header by which trusted peers say it.
    pub header: Option<PriorityHeader>,
}

/// A header that says a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorityHeader {
    /// Its name.
    pub name: HeaderName,
    /// What its values mean. Any other value says nothing.
    pub values: Vec<(String, Class)>,
}

/// What keeps calls from an upstream that it cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Retries are at most this part of first tries.
    pub retry_budget: Share,
    /// How many calls are in flight at once; `None` is any number.
    pub concurrency: Option<bulkhead::Settings>,
}

impl Default for Protection {
    fn default() -> Self {
        Self { retry_budget: budget::Budget::DEFAULT, concurrency: None }
    }
}
