//! HTTP/2 frames as bytes (RFC 9113, section 4.1), right or wrong.

/// Frame types, RFC 9113, section 6.
pub mod kind {
    /// Section 6.1.
    pub const DATA: u8 = 0;
    /// Section 6.2.
    pub const HEADERS: u8 = 1;
    /// Section 6.3.
    pub const PRIORITY: u8 = 2;
    /// Section 6.4.
    pub const RST_STREAM: u8 = 3;
    /// Section 6.5.
    pub const SETTINGS: u8 = 4;
    /// Section 6.7.
    pub const PING: u8 = 6;
    /// Section 6.8.
    pub const GOAWAY: u8 = 7;
    /// Section 6.9.
    pub const WINDOW_UPDATE: u8 = 8;
    /// Section 6.10.
    pub const CONTINUATION: u8 = 9;
    /// None that anybody has defined: to be ignored (section 4.1).
    pub const UNKNOWN: u8 = 0xbb;
}

/// Frame flags.
pub mod flag {
    /// Of DATA and HEADERS: nothing follows on this stream.
    pub const END_STREAM: u8 = 1;
    /// Of SETTINGS and PING: an answer.
    pub const ACK: u8 = 1;
    /// Of HEADERS and CONTINUATION: the header block is complete.
    pub const END_HEADERS: u8 = 4;
}

/// Error codes (RFC 9113, section 7) that the table of attacks names.
pub mod code {
    /// The end of a connection without fault.
    pub const NO_ERROR: u32 = 0;
    /// A fault that has no code of its own.
    pub const PROTOCOL_ERROR: u32 = 1;
    /// More than the window allows.
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    /// The stream is not wanted any more.
    pub const CANCEL: u32 = 8;
    /// A peer that makes too much work.
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// Settings (RFC 9113, section 6.5.2).
pub mod setting {
    /// What one stream's receiver takes before it says more.
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
}

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame; its length is that of `payload`, whatever the type asks for.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + payload.len());
    push(&mut bytes, kind, flags, stream, payload);
    bytes
}

/// Appends one frame.
pub fn push(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    bytes.extend_from_slice(&length[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// A SETTINGS frame.
#[must_use]
pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in values {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame(kind::SETTINGS, 0, 0, &payload)
}

/// A WINDOW_UPDATE frame, also with an increment that is not allowed.
#[must_use]
pub fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// A RST_STREAM frame.
#[must_use]
pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// A frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// See [`kind`].
    pub kind: u8,
    /// See [`flag`].
    pub flags: u8,
    /// 0 stands for the connection.
    pub stream: u32,
    /// As it came.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Takes one whole frame from the front of `bytes`, if it is there.
    pub fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let head = bytes.first_chunk::<9>()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        if bytes.len() < 9 + length {
            return None;
        }
        let payload = bytes[9..9 + length].to_vec();
        bytes.drain(..9 + length);
        Some(Self { kind, flags, stream, payload })
    }

    /// The big-endian number at `at` of the payload, 0 if it is too short.
    #[must_use]
    pub fn number(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    }
}
