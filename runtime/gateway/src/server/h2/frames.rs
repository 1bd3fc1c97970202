//! What a client's frames are, by their heads alone.
//!
//! The h2 library bounds what its state can grow to, not how often a client may make it work. Here
//! frames that carry no request are counted against a budget that requests and replies refill, and a
//! header block that does not end is noticed.

use std::collections::VecDeque;
use std::time::Duration;
use tidegate_telemetry::clock;

/// Bytes before the first frame (RFC 9113, section 3.4).
const PREFACE: usize = 24;
/// Bytes of a frame's head (RFC 9113, section 4.1).
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Frames without a request that may come at once. A client that probes the bandwidth, or grants
/// windows message by message, sends two for each DATA frame of ours, and those are earned.
const BURST: i64 = 1_000;
/// Those that are forgiven every second.
const FORGIVEN_PER_SECOND: f64 = 100.0;
/// What a request earns: its own window updates, a PRIORITY, a PING.
const EARNED_BY_REQUEST: i64 = 10;
/// What a head that is too large costs: it takes as long to read as so many frames. A dozen at once is the end; one is
/// forgiven every second, or for ten requests: a proxy that others share is not cut off for one of them.
const COST_OF_LARGE_HEAD: i64 = 100;
/// What a DATA frame of ours earns: a PING and two WINDOW_UPDATE.
const EARNED_BY_REPLY: i64 = 3;
/// Requests of which is known whether their end has come. Those that the h2 library refuses are among them.
const UPLOADS_MAX: usize = 512;
/// Streams that were opened and are not in anybody's hands. The h2 library hands them over, or refuses them, within
/// the turn in which they were read.
const UNCLAIMED_MAX: usize = 512;
/// The time over which resets are counted.
pub(super) const RESETS_OVER: Duration = Duration::from_secs(10);

/// A client that sends too much of what is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, empty CONTINUATION, unknown types; heads that are too
    /// large.
    Frames,
    /// RST_STREAM.
    Resets,
    /// DATA of a stream that was answered, beyond the window that it had.
    Window,
}

/// Reads frame heads off a connection's incoming bytes.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes to pass over before the next head.
    skip: usize,
    head: [u8; HEAD],
    filled: usize,
    in_block: bool,
    /// Frames that came, each header block counted as one.
    units: u64,
    frames: Bucket,
    resets: Bucket,
    /// Requests whose end has not come.
    uploads: Vec<Upload>,
    /// The newest stream.
    newest: u32,
    /// Streams that were opened and not handed over yet, oldest first.
    unclaimed: VecDeque<u32>,
    flood: Option<Flood>,
}

/// A request whose end has not come.
#[derive(Debug)]
struct Upload {
    stream: u32,
    /// Once it is answered and nobody reads it any more: what its window still allows the client, in bytes. The h2
    /// library gives the connection's window back for such data, so that this alone bounds it.
    left: Option<usize>,
}

/// Sums up to `size`; what flows off again is reckoned when it is full.
#[derive(Debug)]
struct Bucket {
    level: i64,
    size: i64,
    leak_per_second: f64,
    since: std::time::Instant,
}

impl Frames {
    pub(super) fn new(max_resets: u32) -> Self {
        let resets = f64::from(max_resets) / RESETS_OVER.as_secs_f64();
        Self {
            skip: PREFACE,
            head: [0; HEAD],
            filled: 0,
            in_block: false,
            units: 0,
            frames: Bucket::new(BURST, FORGIVEN_PER_SECOND),
            resets: Bucket::new(i64::from(max_resets), resets),
            uploads: Vec::new(),
            newest: 0,
            unclaimed: VecDeque::new(),
            flood: None,
        }
    }

    /// Takes what was read; how much of it makes work: all but what DATA frames carry, which is only passed
    /// on, and which windows bound.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> usize {
        let mut work = 0;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                work += if self.head[3] == DATA { 0 } else { skipped };
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEAD - self.filled).min(bytes.len());
            work += taken;
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEAD {
                self.filled = 0;
                self.frame();
            }
        }
        work
    }

    /// Bytes that are still to come of a DATA frame that has begun.
    pub(super) fn data_ahead(&self) -> usize {
        if self.units > 0 && self.head[3] == DATA { self.skip } else { 0 }
    }

    /// Which part is incomplete that no service waits for: a header block, another frame than DATA, a
    /// frame's head, or the first frame of all. Each has a number of its own.
    pub(super) fn incomplete(&self) -> Option<u64> {
        let in_frame = self.skip > 0 && self.head[3] != DATA;
        if self.in_block || in_frame || self.units == 0 {
            Some(2 * self.units)
        } else {
            (self.filled > 0).then_some(2 * self.units + 1)
        }
    }

    /// We sent a DATA frame, which a client may answer.
    pub(super) fn sent_data(&mut self) {
        self.frames.earn(EARNED_BY_REPLY);
    }

    /// A stream was answered to its end, and its window is `window` at most. What its client had sent before it knew
    /// is within that.
    pub(super) fn answered(&mut self, stream: u32, window: usize) {
        if let Some(upload) = self.uploads.iter_mut().find(|upload| upload.stream == stream) {
            upload.left = Some(window);
        }
    }

    /// The head of a request was too large.
    pub(super) fn large_head(&mut self) {
        if !self.frames.add(COST_OF_LARGE_HEAD) {
            self.flood = Some(Flood::Frames);
        }
    }

    /// What the client did too much of.
    pub(super) fn flood(&self) -> Option<Flood> {
        self.flood
    }

    fn frame(&mut self) {
        let [high, mid, low, kind, flags, stream @ ..] = self.head;
        let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
        let len = usize::from(high) << 16 | usize::from(mid) << 8 | usize::from(low);
        self.skip = len;
        self.units += u64::from(kind != CONTINUATION);
        match kind {
            HEADERS => {
                self.in_block = flags & END_HEADERS == 0;
                self.frames.earn(EARNED_BY_REQUEST);
                self.opened(stream);
                if flags & END_STREAM != 0 {
                    self.ended(stream);
                } else {
                    self.begun(stream);
                }
            }
            CONTINUATION => {
                self.in_block = flags & END_HEADERS == 0;
                self.charge(len == 0);
            }
            DATA => {
                self.charge(len == 0 && flags & END_STREAM == 0);
                self.uploaded(stream, len);
                if flags & END_STREAM != 0 {
                    self.ended(stream);
                }
            }
            RST_STREAM => {
                self.ended(stream);
                self.claim(stream);
                if !self.resets.add(1) {
                    self.flood = Some(Flood::Resets);
                }
            }
            _ => self.charge(true),
        }
    }

    /// A stream is in the hands of somebody who answers it, or was refused; whether it was in nobody's before.
    pub(super) fn claim(&mut self, stream: u32) -> bool {
        let found = self.unclaimed.iter().position(|&unclaimed| unclaimed == stream);
        found.is_some_and(|index| self.unclaimed.remove(index).is_some())
    }

    fn opened(&mut self, stream: u32) {
        // Others are trailers of a stream that is open.
        if stream > self.newest {
            self.newest = stream;
            if self.unclaimed.len() == UNCLAIMED_MAX {
                self.unclaimed.pop_front();
            }
            self.unclaimed.push_back(stream);
        }
    }

    fn begun(&mut self, stream: u32) {
        if self.uploads.len() == UPLOADS_MAX {
            self.uploads.remove(0);
        }
        self.uploads.push(Upload { stream, left: None });
    }

    fn ended(&mut self, stream: u32) {
        self.uploads.retain(|upload| upload.stream != stream);
    }

    /// Takes data off what an answered stream may still send.
    fn uploaded(&mut self, stream: u32, len: usize) {
        let left =
            self.uploads.iter_mut().find(|upload| upload.stream == stream).and_then(|upload| upload.left.as_mut());
        let Some(left) = left else { return };
        match left.checked_sub(len) {
            Some(rest) => *left = rest,
            None => self.flood = Some(Flood::Window),
        }
    }

    fn charge(&mut self, empty: bool) {
        if empty && !self.frames.add(1) {
            self.flood = Some(Flood::Frames);
        }
    }
}

impl Bucket {
    fn new(size: i64, leak_per_second: f64) -> Self {
        Self { level: 0, size, leak_per_second, since: clock::now() }
    }

    /// Adds so much; `false` if it flows over.
    fn add(&mut self, count: i64) -> bool {
        self.level += count;
        if self.level > self.size {
            let now = clock::now();
            let leaked = (now - self.since).as_secs_f64() * self.leak_per_second;
            self.since = now;
            self.level = (self.level - leaked as i64).max(count);
        }
        self.level <= self.size
    }

    /// Takes out so much, at most what is in it.
    fn earn(&mut self, count: i64) {
        self.level = (self.level - count).max(0);
    }
}

#[cfg(test)]
mod tests;
