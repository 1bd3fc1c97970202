//! Features: what editions made of "proto2" and "proto3".
//!
//! Source: `google.protobuf.FeatureSet` in descriptor.proto and its edition defaults.

use super::descriptor::{Value, each};
use super::error::SchemaErrorKind;

/// The resolved features of one element. Those that concern only code generators are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) presence: FieldPresence,
    pub(super) closed_enums: bool,
    pub(super) packed: bool,
    pub(super) verify_utf8: bool,
    pub(super) delimited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldPresence {
    Explicit,
    Implicit,
    LegacyRequired,
}

const EDITION_PROTO2: u64 = 998;
const EDITION_PROTO3: u64 = 999;
const EDITION_2023: u64 = 1000;
const EDITION_2024: u64 = 1001;

/// Where an options message keeps its `features`.
pub(super) const IN_FILE: u32 = 50;
pub(super) const IN_MESSAGE: u32 = 12;
pub(super) const IN_FIELD: u32 = 21;
pub(super) const IN_ONEOF: u32 = 1;
pub(super) const IN_ENUM: u32 = 7;

impl Features {
    /// The defaults of a file's syntax and edition.
    pub(super) fn of_file(syntax: &str, edition: u64) -> Result<Self, SchemaErrorKind> {
        let edition = match (syntax, edition) {
            ("" | "proto2", 0 | EDITION_PROTO2) => EDITION_PROTO2,
            ("proto3", 0 | EDITION_PROTO3) => EDITION_PROTO3,
            ("editions", EDITION_2023 | EDITION_2024) => EDITION_2023,
            ("editions", other) => return Err(SchemaErrorKind::UnknownEdition(format!("edition {other}"))),
            (other, _) => return Err(SchemaErrorKind::UnknownEdition(format!("syntax {other}"))),
        };
        Ok(match edition {
            EDITION_PROTO2 => Self {
                presence: FieldPresence::Explicit,
                closed_enums: true,
                packed: false,
                verify_utf8: false,
                delimited: false,
            },
            // 2024 differs from 2023 only in naming style and symbol visibility.
            edition => Self {
                presence: if edition == EDITION_PROTO3 { FieldPresence::Implicit } else { FieldPresence::Explicit },
                closed_enums: false,
                packed: true,
                verify_utf8: true,
                delimited: false,
            },
        })
    }

    /// These features with what the `features` in an options message override.
    pub(super) fn with_options(mut self, options: &[u8], features_number: u32) -> Result<Self, SchemaErrorKind> {
        each(options, |number, value| {
            if number == features_number
                && let Value::Bytes(set) = value
            {
                each(set, |number, value| {
                    self.apply(number, value.number());
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        Ok(self)
    }

    fn apply(&mut self, number: u32, value: u64) {
        match (number, value) {
            (1, 1) => self.presence = FieldPresence::Explicit,
            (1, 2) => self.presence = FieldPresence::Implicit,
            (1, 3) => self.presence = FieldPresence::LegacyRequired,
            (2, 1 | 2) => self.closed_enums = value == 2,
            (3, 1 | 2) => self.packed = value == 1,
            (4, 2 | 3) => self.verify_utf8 = value == 2,
            (5, 1 | 2) => self.delimited = value == 2,
            _ => {}
        }
    }
}
