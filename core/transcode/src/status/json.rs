//! A status as JSON.

use super::{Detail, Status};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_protojson::wire::{WireType, put_len_prefixed, put_tag};
use tidegate_protojson::{PrintOptions, Schema, wire_to_json};

impl Status {
    /// Appends `{"code":5,"message":"…","details":[…]}`: a `google.rpc.Status` in ProtoJSON, save that
    /// code and message are always written. Without details there is no such member.
    ///
    /// Details are resolved in `schema`. One whose type is not in it, or whose bytes are no message of
    /// its type, becomes `{"@type":"…","value":"<base64>"}`: no detail hides the others.
    pub fn to_json(&self, schema: &Schema, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"code\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.code.as_u32()).as_bytes());
        out.extend_from_slice(b",\"message\":");
        put_json_string(out, &self.message);
        for (index, detail) in self.details.iter().enumerate() {
            out.extend_from_slice(if index == 0 { &b",\"details\":["[..] } else { b"," });
            detail.to_json(schema, out);
        }
        out.extend_from_slice(if self.details.is_empty() { &b"}"[..] } else { b"]}" });
    }
}

impl Detail {
    fn to_json(&self, schema: &Schema, out: &mut Vec<u8>) {
        if self.resolved(schema, out).is_some() {
            return;
        }
        out.extend_from_slice(b"{\"@type\":");
        put_json_string(out, &self.type_url);
        out.extend_from_slice(b",\"value\":\"");
        out.extend_from_slice(STANDARD.encode(&self.value).as_bytes());
        out.extend_from_slice(b"\"}");
    }

    /// Writes it as `Any` does, if its type is known and its bytes are well-formed.
    fn resolved(&self, schema: &Schema, out: &mut Vec<u8>) -> Option<()> {
        let any = schema.find_message("google.protobuf.Any")?;
        let mut wire = Vec::with_capacity(self.type_url.len() + self.value.len() + 16);
        put_tag(&mut wire, 1, WireType::Len);
        put_len_prefixed(&mut wire, self.type_url.as_bytes());
        put_tag(&mut wire, 2, WireType::Len);
        put_len_prefixed(&mut wire, &self.value);
        let options = PrintOptions { opaque_any: true, allow_partial: true, ..PrintOptions::default() };
        wire_to_json(schema, any, &wire, &options, out).ok()
    }
}

/// Appends a JSON string; only what RFC 8259 section 7 demands is escaped.
fn put_json_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
