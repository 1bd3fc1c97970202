//! A DNS server that can be told to fail. Of RFC 1035 it has what a resolver needs that asks for A, AAAA and SRV.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

const A: u16 = 1;
const SRV: u16 = 33;
const IN: u16 = 1;
/// A response to a query that asked for recursion, which is available.
const RESPONSE: u16 = 0x8180;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
/// Of the name in the question, as a pointer (section 4.1.4).
const NAME_ASKED: u16 = 0xc00c;
const HEADER: usize = 12;

/// What it does with questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// SERVFAIL.
    Fails,
    /// No answer.
    Silent,
    /// There are no such records.
    Empty,
}

/// What it knows.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) mood: Mood,
    /// Of all records, in seconds.
    pub(super) ttl: u32,
    pub(super) records: Vec<(String, Record)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Address(Ipv4Addr),
    /// Port and target.
    Service(u16, String),
}

/// A running server; ends with this value.
#[derive(Debug)]
pub(super) struct Dns {
    pub(super) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    /// On a free port; it knows no name.
    pub(super) fn start(ttl: u32) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        // So that it sees its end.
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let address = socket.local_addr()?;
        let zone = Arc::new(Mutex::new(Zone { mood: Mood::Well, ttl, records: Vec::new() }));
        let over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (zone, over) = (Arc::clone(&zone), Arc::clone(&over));
            move || {
                let mut packet = [0; 1500];
                while !over.load(Ordering::Relaxed) {
                    let Ok((length, from)) = socket.recv_from(&mut packet) else { continue };
                    let answer = answer(&packet[..length], &zone.lock().unwrap_or_else(PoisonError::into_inner));
                    if let Some(answer) = answer {
                        // Who asked may be gone.
                        drop(socket.send_to(&answer, from));
                    }
                }
            }
        });
        Ok(Self { address, zone, over, thread: Some(thread) })
    }

    /// Changes what it knows or does, at once.
    pub(super) fn change(&self, change: impl FnOnce(&mut Zone)) {
        change(&mut self.zone.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// `None` if there is none, or if it was no question.
fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let (name, end) = name(query)?;
    let (kind, end) = (u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]), end + 4);
    let named: Vec<_> = zone.records.iter().filter(|(known, _)| *known == name).collect();
    let found: Vec<_> = named.iter().filter(|(_, record)| record.kind() == kind).collect();
    let (code, found) = match zone.mood {
        Mood::Silent => return None,
        Mood::Fails => (SERVFAIL, Vec::new()),
        Mood::Empty => (0, Vec::new()),
        Mood::Well if named.is_empty() => (NXDOMAIN, found),
        Mood::Well => (0, found),
    };
    let mut answer = query.get(..2)?.to_vec();
    for word in [RESPONSE | code, 1, u16::try_from(found.len()).ok()?, 0, 0] {
        answer.extend(word.to_be_bytes());
    }
    answer.extend(query.get(HEADER..end)?);
    for (_, record) in found {
        let data = record.data();
        for word in [NAME_ASKED, kind, IN] {
            answer.extend(word.to_be_bytes());
        }
        answer.extend(zone.ttl.to_be_bytes());
        answer.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

/// The name that is asked for, without the dot at its end, and where it ends.
fn name(query: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (HEADER, Vec::new());
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            return Some((labels.join("."), at + 1));
        }
        labels.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_ascii_lowercase());
        at += 1 + length;
    }
}

impl Record {
    fn kind(&self) -> u16 {
        match self {
            Self::Address(_) => A,
            Self::Service(..) => SRV,
        }
    }

    /// As RFC 1035 and RFC 2782 write it: of a service the priority, the weight, the port, and the target.
    fn data(&self) -> Vec<u8> {
        match self {
            Self::Address(address) => address.octets().to_vec(),
            Self::Service(port, target) => {
                let mut data = [0_u16, 1, *port].map(u16::to_be_bytes).concat();
                for label in target.split('.') {
                    data.push(u8::try_from(label.len()).unwrap_or(0));
                    data.extend(label.as_bytes());
                }
                data.push(0);
                data
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut query = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend([0, kind as u8, 0, 1]);
        query
    }

    #[test]
    fn an_answer_repeats_the_question_and_has_its_records() {
        let records = vec![
            ("shop.test".to_owned(), Record::Address(Ipv4Addr::new(127, 0, 1, 1))),
            ("_grpc._tcp.shop.test".to_owned(), Record::Service(258, "a.b".to_owned())),
        ];
        let mut zone = Zone { mood: Mood::Well, ttl: 2, records };
        let asked = query("Shop.test", A);
        let head = |code: u8, records: u8| vec![7, 7, 0x81, 0x80 | code, 0, 1, 0, records, 0, 0, 0, 0];
        let address = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 2, 0, 4, 127, 0, 1, 1];
        let whole = [&head(0, 1)[..], &asked[12..], &address].concat();
        assert_eq!(answer(&asked, &zone), Some(whole));
        let service = query("_grpc._tcp.shop.test", SRV);
        let data = [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 2, 0, 11, 0, 0, 0, 1, 1, 2, 1, b'a', 1, b'b', 0];
        assert_eq!(answer(&service, &zone), Some([&head(0, 1)[..], &service[12..], &data].concat()));
        let empty = |code| Some([&head(code, 0)[..], &asked[12..]].concat());
        zone.mood = Mood::Empty;
        assert_eq!(answer(&asked, &zone), empty(0));
        zone.mood = Mood::Fails;
        assert_eq!(answer(&asked, &zone), empty(2));
        zone.mood = Mood::Silent;
        assert_eq!(answer(&asked, &zone), None);
        zone = Zone { mood: Mood::Well, ttl: 2, records: Vec::new() };
        assert_eq!(answer(&asked, &zone), empty(3));
        assert_eq!(answer(&asked[..9], &zone), None);
    }
}
