//! What commands answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::service::{Answer, Service, Throttle, Throttled};

/// What a connection has said of itself.
#[derive(Debug)]
pub(super) struct Session {
    service: Arc<Service>,
    let_in: bool,
    /// RESP3.
    three: bool,
}

/// An answer.
pub(super) enum Written {
    Simple(&'static str),
    Error(String),
    Bulk(Vec<u8>),
    /// As it goes out.
    Raw(Vec<u8>),
    Throttled(Option<Throttled>),
    Later(Pin<Box<dyn Future<Output = Option<Throttled>> + Send>>),
}

impl Written {
    /// Writes it, as soon as it is known.
    pub(super) async fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, b'+', text),
            Self::Error(text) => line(out, b'-', &text),
            Self::Bulk(bytes) => bulk(out, &bytes),
            Self::Raw(bytes) => out.extend_from_slice(&bytes),
            Self::Throttled(throttled) => write_throttled(out, throttled),
            Self::Later(throttled) => write_throttled(out, throttled.await),
        }
    }
}

impl Session {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { let_in: !service.wants_password(), service, three: false }
    }

    /// The answer to a command, and whether the connection ends with it.
    pub(super) fn answer(&mut self, arguments: &[&[u8]]) -> (Written, bool) {
        let Some((name, arguments)) = arguments.split_first() else { return (Written::Raw(Vec::new()), false) };
        let name = name.to_ascii_uppercase();
        let answer = match &*name {
            b"QUIT" => return (Written::Simple("OK"), true),
            b"AUTH" => self.auth(arguments),
            b"HELLO" => self.hello(arguments),
            _ if !self.let_in => error("NOAUTH Authentication required."),
            b"CL.THROTTLE" => self.throttle(arguments),
            b"PING" => match arguments {
                [] => Written::Simple("PONG"),
                [text] => Written::Bulk(text.to_vec()),
                _ => wrong_number("ping"),
            },
            b"ECHO" => match arguments {
                [text] => Written::Bulk(text.to_vec()),
                _ => wrong_number("echo"),
            },
            b"SELECT" if arguments == [b"0"] => Written::Simple("OK"),
            b"SELECT" => error("ERR DB index is out of range"),
            b"CLIENT" => client(arguments),
            b"COMMAND" => Written::Raw(b"*0\r\n".to_vec()),
            b"INFO" => {
                Written::Bulk(b"# Server\r\nserver:tidegate\r\nredis_mode:standalone\r\nrole:master\r\n".to_vec())
            }
            _ => error(format!("ERR unknown command '{}'", printable(&name))),
        };
        (answer, false)
    }

    fn auth(&mut self, arguments: &[&[u8]]) -> Written {
        let password = match arguments {
            [password] | [b"default", password] => *password,
            [_, _] => return error("WRONGPASS invalid username-password pair or user is disabled."),
            _ => return wrong_number("auth"),
        };
        if !self.service.wants_password() {
            return error("ERR AUTH <password> called without any password configured for the default user.");
        }
        if !self.service.lets_in(Some(password)) {
            return error("WRONGPASS invalid username-password pair or user is disabled.");
        }
        self.let_in = true;
        Written::Simple("OK")
    }

    fn hello(&mut self, arguments: &[&[u8]]) -> Written {
        let mut three = self.three;
        let mut rest = arguments;
        if let Some((version, more)) = arguments.split_first() {
            three = match *version {
                b"2" => false,
                b"3" => true,
                _ => return error("NOPROTO unsupported protocol version"),
            };
            rest = more;
        }
        while let Some((option, more)) = rest.split_first() {
            rest = match (&*option.to_ascii_uppercase(), more) {
                (b"AUTH", [user, password, more @ ..]) => {
                    if let failed @ Written::Error(_) = self.auth(&[user, password]) {
                        return failed;
                    }
                    more
                }
                (b"SETNAME", [_, more @ ..]) => more,
                _ => return error("ERR Syntax error in HELLO"),
            };
        }
        if !self.let_in {
            return error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
            );
        }
        self.three = three;
        let mut out = Vec::new();
        let proto = if three { ":3\r\n" } else { ":2\r\n" };
        out.extend_from_slice(if three { b"%4\r\n" } else { b"*8\r\n" });
        for (name, value) in [("server", "$8\r\ntidegate\r\n"), ("version", "$5\r\n7.0.0\r\n"), ("proto", proto)] {
            bulk(&mut out, name.as_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        bulk(&mut out, b"mode");
        bulk(&mut out, b"standalone");
        Written::Raw(out)
    }

    fn throttle(&self, arguments: &[&[u8]]) -> Written {
        let (key, numbers) = match arguments {
            [key, numbers @ ..] if (3..=4).contains(&numbers.len()) => (*key, numbers),
            _ => return wrong_number("cl.throttle"),
        };
        const NAMES: [&str; 4] = ["max_burst", "count", "period", "quantity"];
        let mut values = [0, 0, 0, 1];
        for ((value, text), name) in values.iter_mut().zip(numbers).zip(NAMES) {
            let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
            match number.and_then(|number| u64::try_from(number).ok()) {
                Some(number) => *value = number,
                None => return error(format!("ERR {name} must be a whole number that is not negative")),
            }
        }
        let [max_burst, count, period, quantity] = values;
        if count == 0 || period == 0 {
            return error("ERR count and period must be at least 1");
        }
        match self.service.throttle(Throttle { key, max_burst, count, period, quantity }) {
            Ok(Answer::Now(throttled)) => Written::Throttled(throttled),
            Ok(Answer::Later(waits)) => Written::Later(waits),
            Err(wrong) => error(format!("ERR {wrong}")),
        }
    }
}

fn client(arguments: &[&[u8]]) -> Written {
    let known: [&[u8]; 3] = [b"SETNAME", b"SETINFO", b"NO-EVICT"];
    match arguments.first().map(|name| name.to_ascii_uppercase()) {
        Some(name) if known.contains(&&*name) => Written::Simple("OK"),
        Some(name) if name == b"ID" => Written::Raw(b":1\r\n".to_vec()),
        Some(name) if name == b"GETNAME" => Written::Bulk(Vec::new()),
        Some(name) => error(format!("ERR unknown subcommand '{}'", printable(&name))),
        None => wrong_number("client"),
    }
}

fn write_throttled(out: &mut Vec<u8>, throttled: Option<Throttled>) {
    let Some(throttled) = throttled else {
        return line(out, b'-', "ERR the store of the rate limits did not answer");
    };
    out.extend_from_slice(b"*5\r\n");
    line(out, b':', &u8::from(throttled.limited).to_string());
    line(out, b':', &throttled.limit.to_string());
    line(out, b':', &throttled.remaining.to_string());
    match throttled.retry {
        Some(seconds) => line(out, b':', &seconds.to_string()),
        None => line(out, b':', "-1"),
    }
    line(out, b':', &throttled.reset.to_string());
}

fn line(out: &mut Vec<u8>, mark: u8, text: &str) {
    out.push(mark);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    line(out, b'$', &bytes.len().to_string());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn error(text: impl Into<String>) -> Written {
    Written::Error(text.into())
}

fn wrong_number(name: &str) -> Written {
    error(format!("ERR wrong number of arguments for '{name}' command"))
}

/// The beginning of what a client sent, fit for an answer's line.
fn printable(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text).chars().take(60).collect();
    text.chars().filter(|c| !c.is_control()).collect()
}
