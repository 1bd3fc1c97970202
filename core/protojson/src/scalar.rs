//! The scalar kinds, each as a type, so that loops over them are compiled for one kind.

use crate::take::{self, Taken};
use crate::wire::{put_varint, unzigzag, zigzag};

/// How one scalar kind stands on the wire. Enums are [`Int32`] here.
pub(crate) trait Scalar {
    /// The value.
    type Value: Copy + Default;

    /// Reads one value off the front.
    fn take(bytes: &[u8]) -> Taken<'_, Self::Value>;

    /// True for the value that implicit presence leaves out; `-0.0` is not it.
    fn is_default(value: Self::Value) -> bool;

    /// The same for equal values only: what map keys are compared by.
    fn fingerprint(value: Self::Value) -> u64;

    /// Appends the value as wire bytes, without a tag.
    fn put(out: &mut Vec<u8>, value: Self::Value);
}

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident: $value:ty, $read:ident => $decode:expr, $fingerprint:expr, $put:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Scalar for $name {
            type Value = $value;

            #[inline(always)]
            fn take(bytes: &[u8]) -> Taken<'_, $value> {
                let (raw, rest) = take::$read(bytes)?;
                Ok(($decode(raw), rest))
            }

            #[inline]
            fn is_default(value: $value) -> bool {
                $fingerprint(value) == 0
            }

            #[inline]
            fn fingerprint(value: $value) -> u64 {
                $fingerprint(value)
            }

            #[inline]
            fn put(out: &mut Vec<u8>, value: $value) {
                $put(out, value);
            }
        }
    )*};
}

scalars! {
    /// `double`.
    Double: f64, fixed64 => f64::from_bits, f64::to_bits, |out, value: f64| put64(out, value.to_bits());
    /// `float`.
    Float: f32, fixed32 => f32::from_bits, |value: f32| u64::from(value.to_bits()), |out, value: f32| put32(out, value.to_bits());
    /// `int64`.
    Int64: i64, varint => u64::cast_signed, |value| value as u64, |out, value: i64| put_varint(out, value.cast_unsigned());
    /// `uint64`.
    Uint64: u64, varint => std::convert::identity, std::convert::identity, put_varint;
    /// `int32`, and enums: the low 32 bits of the varint.
    Int32: i32, varint => |raw| raw as i32, |value| value as u64, |out, value| put_varint(out, i64::from(value).cast_unsigned());
    /// `fixed64`.
    Fixed64: u64, fixed64 => std::convert::identity, std::convert::identity, put64;
    /// `fixed32`.
    Fixed32: u32, fixed32 => std::convert::identity, |value| value as u64, put32;
    /// `bool`: any number but 0 is true.
    Bool: bool, varint => |raw| raw != 0, u64::from, |out: &mut Vec<u8>, value| out.push(u8::from(value));
    /// `uint32`: the low 32 bits of the varint.
    Uint32: u32, varint => |raw| raw as u32, |value| value as u64, |out, value| put_varint(out, u64::from(value));
    /// `sfixed32`.
    Sfixed32: i32, fixed32 => u32::cast_signed, |value| value as u64, |out, value: i32| put32(out, value.cast_unsigned());
    /// `sfixed64`.
    Sfixed64: i64, fixed64 => u64::cast_signed, |value| value as u64, |out, value: i64| put64(out, value.cast_unsigned());
    /// `sint32`: zigzag of the low 32 bits of the varint.
    Sint32: i32, varint => |raw| unzigzag(raw & 0xffff_ffff) as i32, |value| value as u64,
        |out, value| put_varint(out, zigzag(i64::from(value)) & 0xffff_ffff);
    /// `sint64`.
    Sint64: i64, varint => unzigzag, |value| value as u64, |out, value| put_varint(out, zigzag(value));
}

#[inline]
fn put32(out: &mut Vec<u8>, bits: u32) {
    out.extend_from_slice(&bits.to_le_bytes());
}

#[inline]
fn put64(out: &mut Vec<u8>, bits: u64) {
    out.extend_from_slice(&bits.to_le_bytes());
}

/// Evaluates an expression with a name bound to the type of a scalar kind; the last arms say what to
/// do for an enum and for anything else.
macro_rules! with_scalar {
    ($kind:expr, $S:ident => $body:expr, enum $id:pat => $enumeration:expr, $($other:pat => $else:expr),+ $(,)?) => {
        match $kind {
            $crate::schema::Kind::Double => { type $S = $crate::scalar::Double; $body }
            $crate::schema::Kind::Float => { type $S = $crate::scalar::Float; $body }
            $crate::schema::Kind::Int64 => { type $S = $crate::scalar::Int64; $body }
            $crate::schema::Kind::Uint64 => { type $S = $crate::scalar::Uint64; $body }
            $crate::schema::Kind::Int32 => { type $S = $crate::scalar::Int32; $body }
            $crate::schema::Kind::Fixed64 => { type $S = $crate::scalar::Fixed64; $body }
            $crate::schema::Kind::Fixed32 => { type $S = $crate::scalar::Fixed32; $body }
            $crate::schema::Kind::Bool => { type $S = $crate::scalar::Bool; $body }
            $crate::schema::Kind::Uint32 => { type $S = $crate::scalar::Uint32; $body }
            $crate::schema::Kind::Sfixed32 => { type $S = $crate::scalar::Sfixed32; $body }
            $crate::schema::Kind::Sfixed64 => { type $S = $crate::scalar::Sfixed64; $body }
            $crate::schema::Kind::Sint32 => { type $S = $crate::scalar::Sint32; $body }
            $crate::schema::Kind::Sint64 => { type $S = $crate::scalar::Sint64; $body }
            $crate::schema::Kind::Enum($id) => $enumeration,
            $($other => $else,)+
        }
    };
}
pub(crate) use with_scalar;
