//! Scalars as JSON.

use super::number;
use super::writer::Writer;
use crate::scalar::{
    Bool, Double, Fixed32, Fixed64, Float, Int32, Int64, Scalar, Sfixed32, Sfixed64, Sint32, Sint64, Uint32, Uint64,
};

/// How a scalar is written as JSON.
pub(super) trait PrintScalar: Scalar {
    /// Writes the value; 64-bit integers without quotes if `bare`.
    fn print(out: &mut Writer, value: Self::Value, bare: bool);

    /// Writes the value within quotes, as the key of a map.
    fn print_key(out: &mut Writer, value: Self::Value);
}

macro_rules! integers {
    ($($name:ident: $print:expr;)*) => {$(
        impl PrintScalar for $name {
            #[inline]
            fn print(out: &mut Writer, value: Self::Value, bare: bool) {
                $print(out, value, bare);
            }

            #[inline]
            fn print_key(out: &mut Writer, value: Self::Value) {
                let value = i128::from(value);
                number::quoted(out, value.unsigned_abs() as u64, value < 0);
            }
        }
    )*};
}

integers! {
    Int32: narrow;
    Sint32: narrow;
    Sfixed32: narrow;
    Uint32: narrow_unsigned;
    Fixed32: narrow_unsigned;
    Int64: wide;
    Sint64: wide;
    Sfixed64: wide;
    Uint64: wide_unsigned;
    Fixed64: wide_unsigned;
}

#[inline]
fn narrow(out: &mut Writer, value: i32, _bare: bool) {
    number::signed(out, i64::from(value));
}

#[inline]
fn narrow_unsigned(out: &mut Writer, value: u32, _bare: bool) {
    number::unsigned(out, u64::from(value));
}

#[inline]
fn wide(out: &mut Writer, value: i64, bare: bool) {
    if bare {
        number::signed(out, value);
    } else {
        number::quoted(out, value.unsigned_abs(), value < 0);
    }
}

#[inline]
fn wide_unsigned(out: &mut Writer, value: u64, bare: bool) {
    if bare {
        number::unsigned(out, value);
    } else {
        number::quoted(out, value, false);
    }
}

impl PrintScalar for Bool {
    #[inline]
    fn print(out: &mut Writer, value: bool, _bare: bool) {
        if value {
            out.block(b"true", 4);
        } else {
            out.block(b"false", 5);
        }
    }

    fn print_key(out: &mut Writer, value: bool) {
        if value {
            out.block(b"\"true\"", 6);
        } else {
            out.block(b"\"false\"", 7);
        }
    }
}

impl PrintScalar for Double {
    #[inline]
    fn print(out: &mut Writer, value: f64, _bare: bool) {
        number::double(out, value);
    }

    // Protobuf has no maps keyed by floats; a schema that says otherwise must still not panic.
    fn print_key(out: &mut Writer, value: f64) {
        number::quoted(out, value.to_bits(), false);
    }
}

impl PrintScalar for Float {
    #[inline]
    fn print(out: &mut Writer, value: f32, _bare: bool) {
        number::float(out, value);
    }

    fn print_key(out: &mut Writer, value: f32) {
        number::quoted(out, u64::from(value.to_bits()), false);
    }
}
