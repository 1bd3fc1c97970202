//! What clients may take: of connections, of memory, of time. Every default is a safe one.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Connections from clients, of all listeners together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// At most so many; further ones are closed at once. Default 50 000.
    pub max: usize,
    /// File descriptors that are kept free of client connections, for upstream connections and files.
    /// Default 256.
    pub fd_reserve: usize,
}

/// The memory of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes above which connections are refused; `None` is no limit.
    pub max: Option<u64>,
    /// Hundredths of `max` above which requests are answered 503. Default 95.
    pub shed_percent: u8,
}

/// What the clients of one listener may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time, of all clients. Default 10 000.
    pub connections: usize,
    /// Connections at one time from one IPv4 address or one IPv6 /64. Default 1 000.
    pub connections_per_ip: usize,
    /// The head of a request.
    pub headers: Headers,
    /// The body of a request.
    pub body: Body,
    /// A connection without a request is closed after this time. Default 300 s.
    pub idle_timeout: Duration,
    /// A client that takes nothing of what waits for it is given up after this time. Default 30 s.
    pub write_timeout: Duration,
    /// A request that is no stream is given up after this time, whatever its route says. Default 300 s.
    pub request_timeout: Duration,
    /// A connection takes no further request after this time, less a random part of up to a tenth.
    /// Default 1 h.
    pub max_age: Duration,
    /// A connection takes no further request after so many. Default 10 000.
    pub max_requests: u64,
    /// HTTP/2 alone.
    pub h2: H2,
}

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Fields, each piece of a split `cookie` counted. Default 100.
    pub max: usize,
    /// Bytes of the head on h1, of the header list (RFC 9113, section 6.5.2) on h2. Default 16 KiB.
    pub max_bytes: usize,
    /// From the first byte of a head to its last. Default 10 s.
    pub timeout: Duration,
}

/// The body of a request that is read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Bytes; more are answered 413. Default 4 MiB.
    pub max_bytes: usize,
    /// The time in which a body may come at any rate. Default 30 s.
    pub timeout: Duration,
    /// After that time a body must have come at this rate on the whole, in bytes a second. Default 240.
    pub min_rate: u64,
}

/// HTTP/2 alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2 {
    /// Streams of one connection at one time. Default 100.
    pub max_streams: u32,
    /// What a client may send on one stream before it is read, in bytes. Default 64 KiB.
    pub stream_window: u32,
    /// The same for the whole connection. Default 1 MiB.
    pub connection_window: u32,
    /// RST_STREAM frames that a client may send within 10 s. Default 200.
    pub max_resets: u32,
    /// Streams that we had to reset for a client's errors, over the life of the connection. Default 100.
    pub max_local_resets: usize,
    /// Silence after which a client is asked for a sign of life. Default 30 s.
    pub ping_interval: Duration,
    /// The time that it has to give one. Default 10 s.
    pub ping_timeout: Duration,
}

/// The replies of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replies {
    /// The longest message, in bytes, before and after decompression. Default 4 MiB.
    pub max_message: usize,
    /// How many times its size a compressed message may become, from 64 KiB on. Default 100.
    pub max_ratio: u32,
}

impl Default for Replies {
    fn default() -> Self {
        Self { max_message: 4 * MIB, max_ratio: 100 }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self { max: 50_000, fd_reserve: 256 }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self { max: None, shed_percent: 95 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_ip: 1_000,
            headers: Headers::default(),
            body: Body::default(),
            idle_timeout: Duration::from_secs(300),
            write_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(300),
            max_age: Duration::from_secs(3600),
            max_requests: 10_000,
            h2: H2::default(),
        }
    }
}

impl Default for Headers {
    fn default() -> Self {
        Self { max: 100, max_bytes: 16 * KIB, timeout: Duration::from_secs(10) }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self { max_bytes: 4 * MIB, timeout: Duration::from_secs(30), min_rate: 240 }
    }
}

impl Default for H2 {
    fn default() -> Self {
        Self {
            max_streams: 100,
            stream_window: 64 * 1024,
            connection_window: 1024 * 1024,
            max_resets: 200,
            max_local_resets: 100,
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(10),
        }
    }
}
