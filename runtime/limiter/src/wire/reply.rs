//! `RateLimitResponse`.

use crate::config::Quota;

/// `RateLimitResponse.Code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok = 1,
    OverLimit = 2,
}

/// `RateLimitResponse.DescriptorStatus`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status<'a> {
    pub(crate) code: Code,
    /// The limit and its name; `None`: there is none.
    pub(crate) limit: Option<(Quota, &'a str)>,
    pub(crate) remaining: u32,
    /// Whole seconds: Envoy cuts off the rest.
    pub(crate) reset: Option<u64>,
}

/// A reply in the making.
#[derive(Debug)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
}

impl Reply {
    /// A reply of one message, behind `head` bytes for whoever frames it.
    pub(crate) fn new(head: usize, overall: Code) -> Self {
        let mut bytes = Vec::with_capacity(head + 64);
        bytes.resize(head, 0);
        bytes.extend_from_slice(&[1 << 3, overall as u8]);
        Self { bytes }
    }

    /// Adds the status of the next descriptor.
    pub(crate) fn status(&mut self, status: &Status<'_>) {
        let limit = status.limit.map(|(quota, name)| (quota, name, length_of_limit(quota, name)));
        let reset = status.reset.filter(|reset| *reset > 0).map_or(0, |reset| 1 + varint_length(reset));
        let mut length = 2;
        if let Some((_, _, limit)) = limit {
            length += 1 + varint_length(limit as u64) + limit;
        }
        if status.remaining > 0 {
            length += 1 + varint_length(status.remaining.into());
        }
        if status.reset.is_some() {
            length += 2 + reset;
        }
        self.bytes.push(2 << 3 | 2);
        self.varint(length as u64);
        self.bytes.extend_from_slice(&[1 << 3, status.code as u8]);
        if let Some((quota, name, length)) = limit {
            self.bytes.push(2 << 3 | 2);
            self.varint(length as u64);
            if quota.requests_per_unit > 0 {
                self.bytes.push(1 << 3);
                self.varint(quota.requests_per_unit.into());
            }
            self.bytes.push(2 << 3);
            self.varint(quota.unit.number());
            if !name.is_empty() {
                self.text(3, name);
            }
        }
        if status.remaining > 0 {
            self.bytes.push(3 << 3);
            self.varint(status.remaining.into());
        }
        if let Some(seconds) = status.reset {
            self.bytes.push(4 << 3 | 2);
            self.varint(reset as u64);
            if seconds > 0 {
                self.bytes.push(1 << 3);
                self.varint(seconds);
            }
        }
    }

    /// Adds a header for the caller's client.
    pub(crate) fn header(&mut self, name: &str, value: &str) {
        let length =
            2 + varint_length(name.len() as u64) + name.len() + varint_length(value.len() as u64) + value.len();
        self.bytes.push(3 << 3 | 2);
        self.varint(length as u64);
        self.text(1, name);
        self.text(2, value);
    }

    /// The message, behind the bytes that were left free.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn text(&mut self, field: u8, text: &str) {
        self.bytes.push(field << 3 | 2);
        self.varint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(u8::try_from(number).unwrap_or(0x7f));
    }
}

fn length_of_limit(quota: Quota, name: &str) -> usize {
    let requests = match quota.requests_per_unit {
        0 => 0,
        requests => 1 + varint_length(requests.into()),
    };
    let name = if name.is_empty() { 0 } else { 1 + varint_length(name.len() as u64) + name.len() };
    requests + 2 + name
}

const fn varint_length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}
