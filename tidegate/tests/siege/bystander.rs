//! Clients in good faith, beside an attack: each of their requests is answered.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Connections that ask one request after the other, until told to stop.
pub(crate) struct Bystanders {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

impl Bystanders {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..2).map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || ask(address, &stop))
        });
        Self { threads: threads.collect(), stop }
    }

    /// How many requests were answered: all of them, and some.
    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let answered = thread.join().expect("every request beside the attack is answered with 200");
            assert!(answered > 0, "no request was made beside the attack");
        }
    }
}

fn ask(address: SocketAddr, stop: &AtomicBool) -> u64 {
    let connect = || BufReader::new(TcpStream::connect(address).expect("it listens"));
    let mut stream = connect();
    let mut answered = 0;
    while answered == 0 || !stop.load(Ordering::Relaxed) {
        stream.get_mut().write_all(b"GET /small HTTP/1.1\r\nhost: siege.test\r\n\r\n").expect("it is taken");
        let mut line = String::new();
        stream.read_line(&mut line).expect("an answer");
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        let (mut length, mut last) = (0, false);
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).expect("a header");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            last |= line == "connection: close\r\n";
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a body");
        assert_eq!(body, br#"{"text":"xxxxx"}"#);
        answered += 1;
        // A connection may have served its time.
        if last {
            stream = connect();
        }
    }
    answered
}
