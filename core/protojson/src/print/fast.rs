//! The one pass for wire bytes as serializers write them: every field's values stand together.
//!
//! It decides nothing that is out of the ordinary. Bytes in another order, and bytes that may be
//! wrong, are [`Unusual`]: the caller then throws the text away and has [`super::ordered`] print the
//! whole document, errors and their paths included.
//!
//! What is still to be read is passed from function to function as a slice, so that it stays in
//! registers.

mod map;
mod message;
mod only;
mod seen;
mod value;
mod well_known;

use super::DEPTH_MAX;
use super::mask::NoRoundTrip;
use super::text::NotUtf8;
use super::time::OutOfRange;
use super::writer::Writer;
use crate::PrintOptions;
use crate::schema::{Field, Schema};
use crate::wire::WireError;

/// Why this pass cannot go on, and what the other pass will say if it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusual {
    /// No error: the values of a field are scattered, or something else that needs the other pass.
    Order,
    Wire(WireError),
    NotUtf8,
    OutOfRange,
    NoRoundTrip,
    NotFinite,
    TooDeep,
    TooLarge,
}

pub(super) type Pass<T = ()> = Result<T, Unusual>;

/// The bytes that were not read.
pub(super) type Rest<'a> = Pass<&'a [u8]>;

/// The printer of one document, and the tools that the ordered pass shares.
pub(super) struct Fast<'p> {
    pub(super) schema: &'p Schema,
    pub(super) options: &'p PrintOptions,
    pub(super) out: Writer,
    /// The deepest nesting of messages.
    pub(super) max_depth: u32,
    /// Copies of the options that are asked for with every field.
    proto_names: bool,
    emit_defaults: bool,
    bare: bool,
    /// Fingerprints of the keys of the maps that are being written, innermost last.
    keys: Vec<u64>,
    /// Scratch of the search for equal keys.
    table: Vec<u64>,
}

// === impl Fast ===

impl<'p> Fast<'p> {
    pub(super) fn new(schema: &'p Schema, options: &'p PrintOptions, out: Writer) -> Self {
        Self {
            schema,
            options,
            out,
            max_depth: options.max_depth.min(DEPTH_MAX),
            proto_names: options.proto_names,
            emit_defaults: options.emit_defaults,
            bare: options.int64_numbers,
            keys: Vec::new(),
            table: Vec::new(),
        }
    }

    /// Forgets what a pass that did not end has left behind.
    pub(super) fn restart(&mut self) {
        self.out.restart();
        self.keys.clear();
    }

    /// Writes the member's name behind a comma.
    #[inline(always)]
    pub(super) fn key(&mut self, field: &Field) {
        self.out.key(if self.proto_names { &field.proto_key } else { &field.json_key });
    }
}

// === impl Unusual ===

impl From<WireError> for Unusual {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<NotUtf8> for Unusual {
    fn from(_: NotUtf8) -> Self {
        Self::NotUtf8
    }
}

impl From<OutOfRange> for Unusual {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<NoRoundTrip> for Unusual {
    fn from(_: NoRoundTrip) -> Self {
        Self::NoRoundTrip
    }
}
