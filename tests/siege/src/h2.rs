//! An HTTP/2 connection that sends any bytes and remembers what came back.

use crate::frame::{self, Frame, PREFACE, code, flag, kind, setting};
use crate::hpack;
use crate::wire::{Came, Sent, Wire};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What came back so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Streams that were answered, and the status of each; 0 if it was compressed beyond us.
    pub answers: BTreeMap<u32, u16>,
    /// Streams that were reset, and the code of each.
    pub resets: BTreeMap<u32, u32>,
    /// What the gateway has added to the windows; 0 stands for the connection's.
    pub windows: BTreeMap<u32, i64>,
    /// What every stream's window began with.
    pub first_window: i64,
    /// A PING with [`ALIVE`] was answered.
    pub alive: bool,
    /// The gateway has sent its SETTINGS.
    pub settings: bool,
    /// The code of the last GOAWAY.
    pub goaway: Option<u32>,
    /// The connection is closed.
    pub closed: bool,
}

/// What a PING carries that asks whether everything before it was read.
pub const ALIVE: &[u8; 8] = b"alive?!?";

/// A gateway sends its SETTINGS at once.
const FOR_SETTINGS: Duration = Duration::from_secs(5);

/// What a window is until somebody says more (RFC 9113, section 6.9.2).
const WINDOW: i64 = 65_535;

impl Seen {
    /// How many bytes of DATA may be sent on a stream.
    #[must_use]
    pub fn window(&self, stream: u32) -> i64 {
        let added = |stream| self.windows.get(&stream).copied().unwrap_or_default();
        (WINDOW + added(0)).min(self.first_window + added(stream))
    }
}

/// A connection on which the preface and SETTINGS were sent.
#[derive(Debug)]
pub struct H2 {
    wire: Wire,
    unread: Vec<u8>,
    seen: Seen,
    /// Answers neither settings nor pings.
    mute: bool,
}

impl H2 {
    /// Connects, says the preface with these settings, and acknowledges those of the gateway.
    ///
    /// # Errors
    /// The connection cannot be opened.
    pub fn open(address: SocketAddr, settings: &[(u16, u32)]) -> io::Result<Self> {
        let mut connection = Self::silent(address)?;
        let mut hello = PREFACE.to_vec();
        hello.extend_from_slice(&frame::settings(settings));
        connection.send(&hello);
        // What it asks for holds from now on, and nothing of it comes in between later.
        connection.wait(FOR_SETTINGS, |seen| seen.settings);
        Ok(connection)
    }

    /// Connects and says nothing.
    ///
    /// # Errors
    /// The connection cannot be opened.
    pub fn silent(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            wire: Wire::open(address)?,
            unread: Vec::new(),
            seen: Seen { first_window: WINDOW, ..Seen::default() },
            mute: false,
        })
    }

    /// From here on settings and pings are not answered: an answer in the midst of a frame or of a header block would
    /// be an attack of another kind.
    pub fn mute(&mut self) {
        self.mute = true;
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Sent {
        self.wire.send(bytes)
    }

    /// Sends a request's HEADERS.
    pub fn request(&mut self, stream: u32, block: &[u8], end: bool) -> Sent {
        let flags = flag::END_HEADERS | if end { flag::END_STREAM } else { 0 };
        self.send(&frame::frame(kind::HEADERS, flags, stream, block))
    }

    /// Takes what has come, without waiting.
    pub fn look(&mut self) -> &Seen {
        while self.step(Instant::now()) == Came::Bytes {}
        &self.seen
    }

    /// Reads until `until` holds, the connection ends, or `patience` is over.
    pub fn wait(&mut self, patience: Duration, until: impl Fn(&Seen) -> bool) -> &Seen {
        let end = Instant::now() + patience;
        while !self.seen.closed && !until(&self.seen) && Instant::now() < end {
            self.step(end);
        }
        &self.seen
    }

    /// Takes from the windows what was sent as DATA on a stream.
    pub fn spend(&mut self, stream: u32, bytes: i64) {
        for window in [0, stream] {
            *self.seen.windows.entry(window).or_default() -= bytes;
        }
    }

    /// Bytes that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.wire.sent
    }

    fn step(&mut self, until: Instant) -> Came {
        if self.seen.closed {
            return Came::End;
        }
        let came = self.wire.receive(&mut self.unread, until);
        while let Some(frame) = Frame::take(&mut self.unread) {
            self.take(&frame);
        }
        self.seen.closed |= came == Came::End;
        came
    }

    fn answer(&mut self, frame: &[u8]) {
        if !self.mute {
            let _ = self.send(frame);
        }
    }

    fn take(&mut self, frame: &Frame) {
        match frame.kind {
            kind::HEADERS => {
                // The second one of a stream holds trailers.
                self.seen.answers.entry(frame.stream).or_insert_with(|| hpack::status(&frame.payload));
            }
            kind::RST_STREAM => {
                self.seen.resets.insert(frame.stream, frame.number(0));
            }
            kind::SETTINGS if frame.flags & flag::ACK == 0 => {
                self.seen.settings = true;
                // Only then do they hold for us.
                self.answer(&frame::frame(kind::SETTINGS, flag::ACK, 0, &[]));
                for setting in frame.payload.chunks_exact(6) {
                    if setting[..2] == setting::INITIAL_WINDOW_SIZE.to_be_bytes() {
                        let size = [setting[2], setting[3], setting[4], setting[5]];
                        self.seen.first_window = i64::from(u32::from_be_bytes(size));
                    }
                }
            }
            kind::WINDOW_UPDATE => *self.seen.windows.entry(frame.stream).or_default() += i64::from(frame.number(0)),
            kind::PING if frame.flags & flag::ACK != 0 => self.seen.alive |= frame.payload == ALIVE,
            kind::PING => self.answer(&frame::frame(kind::PING, flag::ACK, 0, &frame.payload)),
            kind::GOAWAY => {
                let code = frame.number(4);
                // One that says goodbye does not hide the one that says why.
                if self.seen.goaway.is_none_or(|known| known == code::NO_ERROR) {
                    self.seen.goaway = Some(code);
                }
            }
            _ => {}
        }
    }
}
