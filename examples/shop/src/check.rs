//! Checks of request fields that collect every violation instead of stopping at the first.

use std::collections::HashMap;

use crate::fault::{Fault, Violation};

/// Labels of one resource.
const LABELS_MAX: usize = 16;

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Check {
    violations: Vec<Violation>,
}

// === impl Check ===

impl Check {
    /// Notes that `field` must be as `description` says, unless it `holds`.
    pub(crate) fn that(&mut self, holds: bool, field: impl Into<String>, description: impl Into<String>) -> &mut Self {
        if !holds {
            self.violations.push(Violation { field: field.into(), description: description.into() });
        }
        self
    }

    /// An id that callers choose: customers and tenants.
    pub(crate) fn id(&mut self, field: &str, id: &str) -> &mut Self {
        let fits =
            (1..=40).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        self.that(fits, field, "must be 1 to 40 of a-z, 0-9 and -")
    }

    /// An idempotency key, or none.
    pub(crate) fn key(&mut self, field: &str, key: &str) -> &mut Self {
        let fits = key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_graphic());
        self.that(fits, field, "must be at most 64 visible ASCII characters")
    }

    /// A SKU: segments joined by slashes.
    pub(crate) fn sku(&mut self, field: impl Into<String>, sku: &str) -> &mut Self {
        let segment = |segment: &str| {
            (1..=40).contains(&segment.len())
                && segment.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
        };
        let fits = sku.split('/').count() <= 8 && sku.split('/').all(segment);
        self.that(fits, field, "must be 1 to 8 segments of a-z, 0-9, '.', '_', '-', joined by /")
    }

    /// Text for people.
    pub(crate) fn text(&mut self, field: &str, text: &str, least: usize, most: usize) -> &mut Self {
        let length = text.chars().count();
        self.that(
            (least..=most).contains(&length),
            field,
            format!("must be {least} to {most} characters, not {length}"),
        )
    }

    /// Labels of any resource.
    pub(crate) fn labels(&mut self, field: &str, labels: &HashMap<String, String>) -> &mut Self {
        self.that(labels.len() <= LABELS_MAX, field, format!("must be at most {LABELS_MAX}"));
        // In order, so that the same request gets the same answer.
        let mut sorted: Vec<_> = labels.iter().collect();
        sorted.sort();
        for (key, value) in sorted {
            self.that(
                (1..=63).contains(&key.len()) && value.len() <= 255,
                format!("{field}[{key:?}]"),
                "must have a key of 1 to 63 bytes and a value of at most 255",
            );
        }
        self
    }

    /// # Errors
    /// `Invalid` with all that was noted, if anything was.
    pub(crate) fn done(&mut self) -> Result<(), Fault> {
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(Fault::Invalid(std::mem::take(&mut self.violations)))
    }
}
