//! The span of a config that was tried: of no request, and always kept.

use std::time::{Duration, SystemTime};

use tidegate_observe::span::{Attribute, Event, Kind, Outcome, Span};

use super::Tracer;
use crate::clock;
use crate::random;

impl Tracer {
    /// Tells that a config of this origin and revision was tried at `began`, which took so long: the
    /// generation that it is in force as, or why it was refused.
    pub fn config_tried(
        &self,
        began: SystemTime,
        took: Duration,
        (origin, revision): (&str, &str),
        result: Result<u64, String>,
    ) {
        let start = clock::unix(began);
        let mut attributes: Vec<Attribute> = vec![
            ("tidegate.config.origin", origin.to_owned().into()),
            ("tidegate.config.revision", revision.to_owned().into()),
        ];
        let (name, told, outcome) = match result {
            Ok(generation) => {
                attributes.push(("tidegate.config.generation", generation.into()));
                ("tidegate.config.in_force", vec![("tidegate.config.generation", generation.into())], Outcome::Unset)
            }
            Err(why) => (
                "tidegate.config.refused",
                vec![("tidegate.config.reason", why.into())],
                Outcome::Error("refused".into()),
            ),
        };
        self.offer([Span {
            trace_id: random::u128().max(1).to_be_bytes(),
            span_id: random::u64().max(1).to_be_bytes(),
            parent: None,
            kind: Kind::Internal,
            name: "config reload".into(),
            start,
            end: start + took,
            sampled: true,
            attributes,
            events: vec![Event { name: name.into(), at: start + took, attributes: told }],
            outcome,
        }]);
    }
}
