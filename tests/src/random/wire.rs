//! Random messages on the wire, in forms that are valid though no encoder writes them.

use super::model::{Field, Kind, Label, Model, Scalar, WellKnown};
use super::rng::Rng;
use super::values;

/// What an oracle is known not to do as the specification says, and so is not asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spare {
    /// Numbers that a closed enum does not have.
    pub unknown_closed: bool,
    /// Negative zeros.
    pub negative_zero: bool,
    /// `NaN` and the infinities in wrappers.
    pub non_finite_wrappers: bool,
    /// The shortest decimal of the largest float, in JSON.
    pub largest_float: bool,
    /// `null` in the place of a list or map whose elements may be null themselves, in JSON.
    pub null_lists: bool,
    /// `null` for a `NullValue`, in JSON.
    pub null_enums: bool,
    /// Map entries without a value whose default is the first of a closed enum.
    pub missing_enums: bool,
}

/// One message of the model, nested at most `depth` deep.
#[must_use]
pub fn message(rng: &mut Rng, model: &Model, index: usize, depth: usize, spare: Spare) -> Vec<u8> {
    Writer { rng, model, spare }.message(index, depth)
}

struct Writer<'a> {
    rng: &'a mut Rng,
    model: &'a Model,
    spare: Spare,
}

impl Writer<'_> {
    fn message(&mut self, index: usize, depth: usize) -> Vec<u8> {
        let model = self.model;
        let message = &model.messages[index];
        let mut records = Vec::new();
        for field in &message.fields {
            let present = field.label == Label::Required || self.rng.percent(60);
            if present {
                self.field(field, depth, &mut records);
            }
        }
        if self.rng.percent(20) {
            records.push(self.unknown());
        }
        if self.rng.percent(40) {
            self.rng.shuffle(&mut records);
        }
        records.concat()
    }

    /// One or more records of a field, none if its type needs more depth than is left.
    fn field(&mut self, field: &Field, depth: usize, records: &mut Vec<Vec<u8>>) {
        let nested = matches!(field.kind, Kind::Message(_) | Kind::WellKnown(_));
        if nested && depth == 0 {
            return;
        }
        match field.label {
            Label::Singular | Label::Required => {
                let times = if self.rng.percent(15) { 2 } else { 1 };
                for _ in 0..times {
                    records.push(self.record(field, depth));
                }
            }
            Label::Repeated => self.list(field, depth, records),
            Label::Map(key) => {
                for _ in 0..self.rng.below(4) {
                    let entry = self.entry(field, key, depth);
                    records.push(delimited(field.number, &entry));
                }
            }
        }
    }

    fn record(&mut self, field: &Field, depth: usize) -> Vec<u8> {
        let value = self.value(field.kind, depth);
        if field.delimited {
            let mut record = tag(field.number, 3);
            record.extend(value);
            record.extend(tag(field.number, 4));
            return record;
        }
        one(field.number, field.kind, &value)
    }

    /// A list's values, packed and not as it comes, whatever the schema says.
    fn list(&mut self, field: &Field, depth: usize, records: &mut Vec<Vec<u8>>) {
        let count = if self.rng.percent(5) { 40 } else { self.rng.below(5) };
        let packable = wire_type(field.kind) != 2;
        let mut left = count;
        while left > 0 {
            if packable && self.rng.percent(50) {
                let run = 1 + self.rng.below(left);
                let values: Vec<u8> = (0..run).flat_map(|_| self.value(field.kind, depth)).collect();
                records.push(delimited(field.number, &values));
                left -= run;
            } else {
                records.push(self.record(field, depth));
                left -= 1;
            }
        }
    }

    /// A map's entry: either part may be missing, and the value may come first.
    fn entry(&mut self, field: &Field, key: Scalar, depth: usize) -> Vec<u8> {
        let mut parts = Vec::new();
        if self.rng.percent(90) {
            let value = self.scalar(key);
            parts.push(one(1, Kind::Scalar(key), &value));
        }
        // An entry whose value is missing has an empty message, which may lack what is required.
        let spared = match field.kind {
            Kind::Message(_) | Kind::WellKnown(WellKnown::Value | WellKnown::Any) => true,
            Kind::Enum(index) => self.spare.missing_enums && self.model.enums[index].closed,
            _ => false,
        };
        if spared || self.rng.percent(90) {
            let value = self.value(field.kind, depth);
            parts.push(one(2, field.kind, &value));
        }
        if self.rng.percent(20) {
            parts.reverse();
        }
        parts.concat()
    }

    /// The bytes of a value, without tag or length.
    fn value(&mut self, kind: Kind, depth: usize) -> Vec<u8> {
        match kind {
            Kind::Scalar(scalar) => self.scalar(scalar),
            Kind::Enum(index) => {
                let known = &self.model.enums[index];
                let may_be_unknown = !(known.closed && self.spare.unknown_closed);
                let number = match self.rng.below(10) {
                    0 if may_be_unknown => 12_345,
                    _ => self.rng.choose(&known.values).1,
                };
                varint(i64::from(number) as u64)
            }
            Kind::Message(index) => self.message(index, depth.saturating_sub(1)),
            Kind::WellKnown(known) => self.well_known(known, depth),
        }
    }

    fn scalar(&mut self, scalar: Scalar) -> Vec<u8> {
        let bits = values::bits(self.rng);
        let zigzag = |value: i64| ((value << 1) ^ (value >> 63)) as u64;
        match scalar {
            Scalar::Double => self.double().to_le_bytes().into(),
            Scalar::Float => self.float().to_le_bytes().into(),
            Scalar::Int64 | Scalar::Uint64 => varint(bits),
            Scalar::Int32 => varint(i64::from(bits as i32) as u64),
            Scalar::Uint32 => varint(u64::from(bits as u32)),
            Scalar::Sint32 => varint(u64::from(zigzag(i64::from(bits as i32)) as u32)),
            Scalar::Sint64 => varint(zigzag(bits as i64)),
            Scalar::Fixed64 | Scalar::Sfixed64 => bits.to_le_bytes().into(),
            Scalar::Fixed32 | Scalar::Sfixed32 => (bits as u32).to_le_bytes().into(),
            Scalar::Bool => varint(bits & 1),
            Scalar::String => values::string(self.rng).into_bytes(),
            Scalar::Bytes => values::bytes(self.rng),
        }
    }

    fn double(&mut self) -> f64 {
        match self.rng.percent(3) && !self.spare.negative_zero {
            true => -0.0,
            false => values::double(self.rng),
        }
    }

    fn float(&mut self) -> f32 {
        match self.rng.percent(3) && !self.spare.negative_zero {
            true => -0.0,
            false => values::float(self.rng),
        }
    }

    fn well_known(&mut self, known: WellKnown, depth: usize) -> Vec<u8> {
        match known {
            WellKnown::Timestamp => seconds_and_nanos(values::timestamp(self.rng)),
            WellKnown::Duration => seconds_and_nanos(values::duration(self.rng)),
            WellKnown::FieldMask => {
                let paths = values::paths(self.rng);
                paths.iter().flat_map(|path| delimited(1, path.as_bytes())).collect()
            }
            WellKnown::Struct => self.structure(depth),
            WellKnown::Value => self.dynamic(depth),
            WellKnown::ListValue => self.dynamic_list(depth),
            WellKnown::Any => self.any(depth),
            WellKnown::Empty => Vec::new(),
            WellKnown::NullValue => varint(0),
            WellKnown::Wrapper(scalar) => {
                if self.rng.percent(20) {
                    return Vec::new();
                }
                let value = match scalar {
                    Scalar::Double if self.spare.non_finite_wrappers => 2.5_f64.to_le_bytes().into(),
                    Scalar::Float if self.spare.non_finite_wrappers => 2.5_f32.to_le_bytes().into(),
                    scalar => self.scalar(scalar),
                };
                one(1, Kind::Scalar(scalar), &value)
            }
        }
    }

    fn structure(&mut self, depth: usize) -> Vec<u8> {
        let mut fields = Vec::new();
        for index in 0..self.rng.below(3) {
            // Keys differ, so that what the last of equal ones means is not asked here.
            let key = format!("{index}{}", values::string(self.rng));
            let mut entry = delimited(1, key.as_bytes());
            entry.extend(delimited(2, &self.dynamic(depth)));
            fields.extend(delimited(1, &entry));
        }
        fields
    }

    fn dynamic_list(&mut self, depth: usize) -> Vec<u8> {
        (0..self.rng.below(4)).flat_map(|_| delimited(1, &self.dynamic(depth))).collect()
    }

    /// A `google.protobuf.Value`, whose numbers are finite.
    fn dynamic(&mut self, depth: usize) -> Vec<u8> {
        let choices = if depth == 0 { 4 } else { 6 };
        match self.rng.below(choices) {
            0 => one(1, Kind::Enum(0), &varint(0)),
            1 => {
                let number = Some(values::double(self.rng)).filter(|number| number.is_finite());
                one(2, Kind::Scalar(Scalar::Double), &number.unwrap_or(1.5).to_le_bytes())
            }
            2 => delimited(3, values::string(self.rng).as_bytes()),
            3 => one(4, Kind::Scalar(Scalar::Bool), &varint(self.rng.any() & 1)),
            4 => delimited(5, &self.structure(depth - 1)),
            _ => delimited(6, &self.dynamic_list(depth - 1)),
        }
    }

    fn any(&mut self, depth: usize) -> Vec<u8> {
        let (name, value) = if depth > 0 && self.rng.percent(60) {
            let index = self.rng.below(self.model.messages.len());
            (self.model.messages[index].full_name.clone(), self.message(index, depth - 1))
        } else {
            let known = *self.rng.choose(&[
                WellKnown::Timestamp,
                WellKnown::Duration,
                WellKnown::Struct,
                WellKnown::Wrapper(Scalar::Int64),
                WellKnown::Wrapper(Scalar::String),
            ]);
            (format!("google.protobuf.{}", known.name()), self.well_known(known, 0))
        };
        let mut any = delimited(1, format!("type.googleapis.com/{name}").as_bytes());
        any.extend(delimited(2, &value));
        any
    }

    /// A record of a field that no message has.
    fn unknown(&mut self) -> Vec<u8> {
        let number = 5000 + self.rng.below(3) as u32;
        match self.rng.below(4) {
            0 => one(number, Kind::Scalar(Scalar::Uint64), &varint(self.rng.any())),
            1 => one(number, Kind::Scalar(Scalar::Fixed32), &[1, 2, 3, 4]),
            2 => delimited(number, b"unknown"),
            _ => [tag(number, 3), one(1, Kind::Scalar(Scalar::Bool), &[1]), tag(number, 4)].concat(),
        }
    }
}

fn wire_type(kind: Kind) -> u32 {
    match kind {
        Kind::Scalar(scalar) => scalar.wire_type(),
        Kind::Enum(_) | Kind::WellKnown(WellKnown::NullValue) => 0,
        Kind::Message(_) | Kind::WellKnown(_) => 2,
    }
}

/// A value with its tag and, if it needs one, its length.
fn one(number: u32, kind: Kind, value: &[u8]) -> Vec<u8> {
    match wire_type(kind) {
        2 => delimited(number, value),
        wire_type => [&tag(number, wire_type)[..], value].concat(),
    }
}

fn delimited(number: u32, value: &[u8]) -> Vec<u8> {
    [&tag(number, 2)[..], &varint(value.len() as u64), value].concat()
}

fn seconds_and_nanos((seconds, nanos): (i64, i32)) -> Vec<u8> {
    let seconds = one(1, Kind::Scalar(Scalar::Int64), &varint(seconds as u64));
    let nanos = one(2, Kind::Scalar(Scalar::Int32), &varint(i64::from(nanos) as u64));
    [seconds, nanos].concat()
}

fn tag(number: u32, wire_type: u32) -> Vec<u8> {
    varint(u64::from(number << 3 | wire_type))
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
