//! Limits that were reached, requests that no parser takes, and memory with its limit.

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::family::{self, level};

/// A limit that a client or an upstream ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Limit {
    /// Header fields of a request.
    HeaderCount,
    /// Bytes of a request's head.
    HeaderBytes,
    /// The time for a request's head.
    HeaderTimeout,
    /// Bytes of a request's body.
    BodyBytes,
    /// The rate at which a body must come.
    BodyRate,
    /// The time without a request.
    IdleTimeout,
    /// The time in which a client took nothing.
    WriteTimeout,
    /// The time for a whole request.
    RequestTimeout,
    /// Streams of a client at one time.
    H2Streams,
    /// Requests that a client may begin before it took replies.
    H2Starts,
    /// RST_STREAM frames of a client.
    H2Resets,
    /// Streams reset for a client's errors, and other floods that the h2 library ends.
    H2Calm,
    /// Frames that carry no request.
    H2Frames,
    /// The time to answer a PING.
    H2PingTimeout,
    /// The age of a connection.
    MaxAge,
    /// Requests of one connection.
    MaxRequests,
    /// Bytes of a reply's message.
    MessageBytes,
    /// How much larger a message became when it was decompressed.
    MessageRatio,
    /// The memory of the process.
    Memory,
}

/// Every limit with its label, in the order of the enum.
const LIMITS: [(Limit, &str); 19] = [
    (Limit::HeaderCount, "header_count"),
    (Limit::HeaderBytes, "header_bytes"),
    (Limit::HeaderTimeout, "header_timeout"),
    (Limit::BodyBytes, "body_bytes"),
    (Limit::BodyRate, "body_rate"),
    (Limit::IdleTimeout, "idle_timeout"),
    (Limit::WriteTimeout, "write_timeout"),
    (Limit::RequestTimeout, "request_timeout"),
    (Limit::H2Streams, "h2_streams"),
    (Limit::H2Starts, "h2_starts"),
    (Limit::H2Resets, "h2_resets"),
    (Limit::H2Calm, "h2_calm"),
    (Limit::H2Frames, "h2_frames"),
    (Limit::H2PingTimeout, "h2_ping_timeout"),
    (Limit::MaxAge, "max_age"),
    (Limit::MaxRequests, "max_requests"),
    (Limit::MessageBytes, "message_bytes"),
    (Limit::MessageRatio, "message_ratio"),
    (Limit::Memory, "memory"),
];

/// Why bytes from a client were no request, so that nobody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum BadRequest {
    /// The method is none.
    Method,
    /// The request target is none.
    Target,
    /// The version is none that is spoken.
    Version,
    /// A header field is malformed.
    Header,
    /// The head is too large or has too many fields.
    TooLarge,
    /// `Transfer-Encoding` or `Content-Length` leave open where the body ends.
    Framing,
    /// The connection ended within a head.
    Incomplete,
    /// A violation of HTTP/2.
    H2,
    /// Anything else.
    Other,
}

const BAD_REQUESTS: [(BadRequest, &str); 9] = [
    (BadRequest::Method, "method"),
    (BadRequest::Target, "target"),
    (BadRequest::Version, "version"),
    (BadRequest::Header, "header"),
    (BadRequest::TooLarge, "too_large"),
    (BadRequest::Framing, "framing"),
    (BadRequest::Incomplete, "incomplete"),
    (BadRequest::H2, "h2"),
    (BadRequest::Other, "other"),
];

/// What was limited, and what is held.
#[derive(Debug, Default)]
pub struct Limits {
    reached: [AtomicU64; LIMITS.len()],
    bad: [AtomicU64; BAD_REQUESTS.len()],
    connections: AtomicU64,
    /// Memory, with its limit.
    pub memory: Memory,
}

/// Memory of the process, in bytes.
#[derive(Debug, Default)]
pub struct Memory {
    held: AtomicI64,
    resident: AtomicU64,
    limit: AtomicU64,
}

// === impl Limits ===

impl Limits {
    /// Counts a limit that was reached.
    pub fn reached(&self, limit: Limit) {
        self.reached[limit as usize].fetch_add(1, Relaxed);
    }

    /// Sets how many connections clients may have open, of all listeners together.
    pub fn set_connections(&self, max: u64) {
        self.connections.store(max, Relaxed);
    }

    /// Counts bytes that were no request.
    pub fn bad_request(&self, why: BadRequest) {
        self.bad[why as usize].fetch_add(1, Relaxed);
    }
}

// === impl Memory ===

impl Memory {
    /// Bytes of bodies are held, or (negative) no longer.
    pub fn hold(&self, bytes: i64) {
        self.held.fetch_add(bytes, Relaxed);
    }

    /// The size of the process as the system sees it.
    pub fn set_resident(&self, bytes: u64) {
        self.resident.store(bytes, Relaxed);
    }

    /// What the process may use; 0 is no limit.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
    }

    /// Bytes of bodies that are held.
    #[must_use]
    pub fn held(&self) -> u64 {
        u64::try_from(self.held.load(Relaxed)).unwrap_or(0)
    }

    /// What is known to be in use: the size of the process, or what bodies hold if that is more.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.resident.load(Relaxed).max(self.held())
    }
}

impl Collector for Limits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        family::counters(
            encoder,
            ("limited", "Times that a limit was reached, by limit."),
            LIMITS.iter().map(|(limit, name)| ([("limit", *name)], self.reached[*limit as usize].load(Relaxed))),
        )?;
        family::counters(
            encoder,
            ("bad_requests", "Bytes from clients that were no request, by reason."),
            BAD_REQUESTS.iter().map(|(why, name)| ([("reason", *name)], self.bad[*why as usize].load(Relaxed))),
        )?;
        family::gauge(
            encoder,
            ("connections_process_limit", "Connections that may be open, of all listeners together."),
            level(self.connections.load(Relaxed)),
        )?;
        family::gauge(encoder, ("memory_held_bytes", "Bytes of bodies in memory."), level(self.memory.held()))?;
        family::gauge(
            encoder,
            ("memory_resident_bytes", "The size of the process, read once a second."),
            level(self.memory.resident.load(Relaxed)),
        )?;
        family::gauge(
            encoder,
            ("memory_limit_bytes", "Bytes above which connections are refused; 0 is no limit."),
            level(self.memory.limit.load(Relaxed)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{BAD_REQUESTS, LIMITS};

    #[test]
    fn every_row_stands_at_its_own_place() {
        assert!(LIMITS.iter().enumerate().all(|(at, (limit, _))| *limit as usize == at));
        assert!(BAD_REQUESTS.iter().enumerate().all(|(at, (why, _))| *why as usize == at));
    }
}
