//! Where things of a plan are.
//!
//! ```text
//! PREFIX state/PLAN               what was decided last
//! PREFIX leader/PLAN              the gateway that decides        with its lease
//! PREFIX gateway/PLAN/LEASE       a gateway that has the plan     with its lease
//! PREFIX told/PLAN/LEASE/NUMBER   what a gateway saw              with its lease
//! ```

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What does not stand in a plan's name as it is: a name is one part of a path.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'/').add(b'%').add(b' ').add(b'"').add(b'\'').add(b'\\');

/// The keys of one plan.
#[derive(Clone, Debug)]
pub(super) struct Keys<'b> {
    prefix: &'b str,
    plan: String,
}

impl<'b> Keys<'b> {
    pub(super) fn new(prefix: &'b str, plan: &str) -> Self {
        Self { prefix, plan: utf8_percent_encode(plan, ESCAPED).to_string() }
    }

    /// Those of the plan whose state is at this key.
    pub(super) fn of_state(prefix: &'b str, state: &[u8]) -> Option<Self> {
        let plan = std::str::from_utf8(state).ok()?.strip_prefix(prefix)?.strip_prefix("state/")?;
        Some(Self { prefix, plan: plan.to_owned() })
    }

    /// Before those of all states.
    pub(super) fn states(prefix: &str) -> Vec<u8> {
        format!("{prefix}state/").into_bytes()
    }

    pub(super) fn state(&self) -> Vec<u8> {
        self.of("state", "")
    }

    pub(super) fn leader(&self) -> Vec<u8> {
        self.of("leader", "")
    }

    /// Before those of all gateways.
    pub(super) fn gateways(&self) -> Vec<u8> {
        self.of("gateway", "/")
    }

    pub(super) fn gateway(&self, lease: i64) -> Vec<u8> {
        self.of("gateway", &format!("/{lease:x}"))
    }

    /// Before those of all that was told.
    pub(super) fn told(&self) -> Vec<u8> {
        self.of("told", "/")
    }

    pub(super) fn piece(&self, lease: i64, number: u64) -> Vec<u8> {
        self.of("told", &format!("/{lease:x}/{number}"))
    }

    fn of(&self, what: &str, rest: &str) -> Vec<u8> {
        format!("{}{what}/{}{rest}", self.prefix, self.plan).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn no_name_of_a_plan_reaches_into_another_ones_keys() {
        let keys = Keys::new("/t-plans/", "shop.v1.Orders/hash:x%@0f");
        let text = |key: Vec<u8>| String::from_utf8(key).expect("text");
        assert_eq!(text(keys.state()), "/t-plans/state/shop.v1.Orders%2Fhash:x%25@0f");
        assert_eq!(text(keys.piece(255, 3)), "/t-plans/told/shop.v1.Orders%2Fhash:x%25@0f/ff/3");
        assert_eq!(text(Keys::new("/t-plans/", "Bücher").leader()), "/t-plans/leader/B%C3%BCcher");
    }
}
