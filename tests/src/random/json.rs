//! Random messages as JSON, in all the forms that ProtoJSON accepts.

use super::model::{Field, Kind, Label, Model, Scalar, WellKnown};
use super::rng::Rng;
use super::values;
use super::wire::Spare;

/// One message of the model, nested at most `depth` deep.
#[must_use]
pub fn message(rng: &mut Rng, model: &Model, index: usize, depth: usize, spare: Spare) -> String {
    Writer { rng, model, spare }.message(index, depth)
}

struct Writer<'a> {
    rng: &'a mut Rng,
    model: &'a Model,
    spare: Spare,
}

impl Writer<'_> {
    fn message(&mut self, index: usize, depth: usize) -> String {
        let mut members = self.members(index, depth);
        self.rng.shuffle(&mut members);
        self.object(&members)
    }

    fn members(&mut self, index: usize, depth: usize) -> Vec<(String, String)> {
        let model = self.model;
        let mut members = Vec::new();
        let mut taken = Vec::new();
        for field in &model.messages[index].fields {
            let nested = matches!(field.kind, Kind::Message(_) | Kind::WellKnown(_));
            let wanted = field.label == Label::Required || self.rng.percent(60);
            let in_taken_oneof = field.oneof.is_some_and(|oneof| taken.contains(&oneof));
            if !wanted || nested && depth == 0 || in_taken_oneof {
                continue;
            }
            taken.extend(field.oneof);
            let name = if self.rng.percent(70) { &field.json_name } else { &field.name };
            members.push((name.clone(), self.field(field, depth)));
        }
        members
    }

    fn field(&mut self, field: &Field, depth: usize) -> String {
        let means_null = matches!(field.kind, Kind::WellKnown(WellKnown::Value | WellKnown::NullValue));
        let may_be_null = field.label != Label::Required
            && !(means_null && (field.label == Label::Singular || self.spare.null_lists));
        if may_be_null && self.rng.percent(4) {
            return "null".to_owned();
        }
        match field.label {
            Label::Singular | Label::Required => self.value(field.kind, depth),
            Label::Repeated => {
                let values: Vec<String> = (0..self.rng.below(4)).map(|_| self.value(field.kind, depth)).collect();
                self.array(&values)
            }
            Label::Map(key) => {
                let mut members: Vec<(String, String)> = Vec::new();
                for _ in 0..self.rng.below(4) {
                    let key = self.key(key);
                    if members.iter().all(|(known, _)| *known != key) {
                        members.push((key, self.value(field.kind, depth)));
                    }
                }
                self.object(&members)
            }
        }
    }

    fn key(&mut self, key: Scalar) -> String {
        match key {
            Scalar::String => values::string(self.rng),
            Scalar::Bool => (if self.rng.percent(50) { "true" } else { "false" }).to_owned(),
            integer => self.integer(integer),
        }
    }

    fn value(&mut self, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::Scalar(scalar) => self.scalar(scalar),
            Kind::Enum(index) => {
                let known = &self.model.enums[index];
                let (name, number) = self.rng.choose(&known.values).clone();
                match self.rng.below(10) {
                    0 if !known.closed => "4711".to_owned(),
                    1..=3 => number.to_string(),
                    _ => self.string(&name),
                }
            }
            Kind::Message(index) => self.message(index, depth.saturating_sub(1)),
            Kind::WellKnown(known) => self.well_known(known, depth),
        }
    }

    fn integer(&mut self, scalar: Scalar) -> String {
        let bits = values::bits(self.rng);
        match scalar {
            Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => (bits as i64).to_string(),
            Scalar::Uint64 | Scalar::Fixed64 => bits.to_string(),
            Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => (bits as i32).to_string(),
            _ => (bits as u32).to_string(),
        }
    }

    fn scalar(&mut self, scalar: Scalar) -> String {
        match scalar {
            Scalar::Bool => (if self.rng.percent(50) { "true" } else { "false" }).to_owned(),
            Scalar::String => {
                let text = values::string(self.rng);
                self.string(&text)
            }
            Scalar::Bytes => {
                let bytes = values::bytes(self.rng);
                format!("\"{}\"", self.base64(&bytes))
            }
            Scalar::Double => {
                let value = values::double(self.rng);
                self.real(value, &format!("{value:?}"))
            }
            Scalar::Float => {
                let mut value = values::float(self.rng);
                if self.spare.largest_float && value.abs() == f32::MAX {
                    value = 1.5;
                }
                self.real(f64::from(value), &format!("{value:?}"))
            }
            integer => {
                let text = self.integer(integer);
                if self.rng.percent(50) { format!("\"{text}\"") } else { text }
            }
        }
    }

    fn real(&mut self, value: f64, text: &str) -> String {
        if value.is_nan() {
            "\"NaN\"".to_owned()
        } else if value.is_infinite() {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("\"{sign}Infinity\"")
        } else if self.rng.percent(20) {
            format!("\"{text}\"")
        } else {
            text.to_owned()
        }
    }

    fn base64(&mut self, bytes: &[u8]) -> String {
        let url = self.rng.percent(30);
        let alphabet = if url {
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        } else {
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        };
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let mut group = [0; 4];
            group[1..=chunk.len()].copy_from_slice(chunk);
            let group = u32::from_be_bytes(group);
            for place in 0..=chunk.len() {
                text.push(char::from(alphabet[(group >> (18 - 6 * place)) as usize & 63]));
            }
        }
        let padding = (4 - text.len() % 4) % 4;
        if !url || self.rng.percent(50) {
            text.extend(std::iter::repeat_n('=', padding));
        }
        text
    }

    fn well_known(&mut self, known: WellKnown, depth: usize) -> String {
        match known {
            WellKnown::Timestamp => format!("\"{}\"", self.timestamp()),
            WellKnown::Duration => format!("\"{}\"", self.duration()),
            WellKnown::FieldMask => {
                let paths = values::paths(self.rng);
                let camel: Vec<String> = paths.iter().map(|path| camel(path)).collect();
                format!("\"{}\"", camel.join(","))
            }
            WellKnown::Struct => self.structure(depth),
            WellKnown::Value => self.dynamic(depth),
            WellKnown::ListValue => self.dynamic_list(depth),
            WellKnown::Any => self.any(depth),
            WellKnown::Empty => self.object(&[]),
            WellKnown::NullValue if self.spare.null_enums => "\"NULL_VALUE\"".to_owned(),
            WellKnown::NullValue => "null".to_owned(),
            WellKnown::Wrapper(Scalar::Double | Scalar::Float) if self.spare.non_finite_wrappers => "2.5".to_owned(),
            WellKnown::Wrapper(scalar) => self.scalar(scalar),
        }
    }

    fn timestamp(&mut self) -> String {
        // Civil fields straight, so that no calendar is shared with the codec.
        let (_, nanos) = values::timestamp(self.rng);
        let (year, month, day) = (1 + self.rng.below(9999), 1 + self.rng.below(12), 1 + self.rng.below(28));
        let (hour, minute, second) = (self.rng.below(24), self.rng.below(60), self.rng.below(60));
        let fraction = self.fraction(nanos.unsigned_abs());
        // An offset only where it cannot leave the years that are allowed.
        let zone = match self.rng.below(5) {
            0 if (2..9999).contains(&year) => "+05:30",
            1 if (2..9999).contains(&year) => "-08:00",
            _ => "Z",
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
    }

    fn duration(&mut self) -> String {
        let (seconds, nanos) = values::duration(self.rng);
        let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
        let fraction = self.fraction(nanos.unsigned_abs());
        format!("{sign}{}{fraction}s", seconds.unsigned_abs())
    }

    /// Nothing, or as many digits as are needed, or all nine.
    fn fraction(&mut self, nanos: u32) -> String {
        let digits = format!("{nanos:09}");
        match (nanos, self.rng.percent(50)) {
            (0, _) => String::new(),
            (_, true) => format!(".{digits}"),
            (_, false) => format!(".{}", digits.trim_end_matches('0')),
        }
    }

    fn structure(&mut self, depth: usize) -> String {
        let members: Vec<(String, String)> = (0..self.rng.below(3))
            .map(|index| {
                let key = format!("{index}{}", values::string(self.rng));
                (key, self.dynamic(depth))
            })
            .collect();
        self.object(&members)
    }

    fn dynamic_list(&mut self, depth: usize) -> String {
        let values: Vec<String> = (0..self.rng.below(4)).map(|_| self.dynamic(depth)).collect();
        self.array(&values)
    }

    fn dynamic(&mut self, depth: usize) -> String {
        let choices = if depth == 0 { 4 } else { 6 };
        match self.rng.below(choices) {
            0 => "null".to_owned(),
            1 => {
                let number = Some(values::double(self.rng)).filter(|number| number.is_finite());
                format!("{:?}", number.unwrap_or(1.5))
            }
            2 => self.scalar(Scalar::String),
            3 => self.scalar(Scalar::Bool),
            4 => self.structure(depth - 1),
            _ => self.dynamic_list(depth - 1),
        }
    }

    fn any(&mut self, depth: usize) -> String {
        let kind = |name: &str| format!("\"type.googleapis.com/{name}\"");
        if depth > 0 && self.rng.percent(60) {
            let index = self.rng.below(self.model.messages.len());
            let mut members = self.members(index, depth - 1);
            members.push(("@type".to_owned(), kind(&self.model.messages[index].full_name)));
            self.rng.shuffle(&mut members);
            return self.object(&members);
        }
        let known = *self.rng.choose(&[WellKnown::Timestamp, WellKnown::Struct, WellKnown::Wrapper(Scalar::Int64)]);
        let value = self.well_known(known, 0);
        let mut members =
            vec![("@type".to_owned(), kind(&format!("google.protobuf.{}", known.name()))), ("value".to_owned(), value)];
        self.rng.shuffle(&mut members);
        self.object(&members)
    }

    fn object(&mut self, members: &[(String, String)]) -> String {
        let members: Vec<String> = members
            .iter()
            .map(|(name, value)| {
                let name = self.string(name);
                format!("{}{name}{}:{}{value}{}", self.space(), self.space(), self.space(), self.space())
            })
            .collect();
        format!("{{{}}}", if members.is_empty() { self.space().to_owned() } else { members.join(",") })
    }

    fn array(&mut self, values: &[String]) -> String {
        let values: Vec<String> =
            values.iter().map(|value| format!("{}{value}{}", self.space(), self.space())).collect();
        format!("[{}]", values.join(","))
    }

    fn space(&mut self) -> &'static str {
        match self.rng.below(12) {
            0 => " ",
            1 => "\n\t",
            2 => "\r\n  ",
            _ => "",
        }
    }

    /// A JSON string, each character as it is or in one of its escapes.
    fn string(&mut self, text: &str) -> String {
        let mut quoted = String::from("\"");
        for c in text.chars() {
            let must = c < ' ' || c == '"' || c == '\\';
            let short = match c {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '/' => Some("\\/"),
                '\n' => Some("\\n"),
                '\r' => Some("\\r"),
                '\t' => Some("\\t"),
                '\u{8}' => Some("\\b"),
                '\u{c}' => Some("\\f"),
                _ => None,
            };
            match short {
                Some(short) if must || self.rng.percent(50) => quoted.push_str(short),
                _ if must || self.rng.percent(5) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let upper = self.rng.percent(50);
                        quoted.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
                    }
                }
                _ => quoted.push(c),
            }
        }
        quoted.push('"');
        quoted
    }
}

fn camel(path: &str) -> String {
    let mut camel = String::new();
    let mut upper = false;
    for c in path.chars() {
        match (c, upper) {
            ('_', _) => upper = true,
            (c, true) => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            (c, false) => camel.push(c),
        }
    }
    camel
}
