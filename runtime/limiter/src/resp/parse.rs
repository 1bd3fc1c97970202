//! Commands on the wire: arrays of bulk strings, and lines for people with a terminal.
//!
//! Source: the specification of Redis' serialization protocol (RESP), "Sending commands to a Redis server".

/// The most arguments of a command.
const ARGUMENTS: usize = 64;
/// The longest argument, in bytes.
const ARGUMENT: usize = 64 * 1024;
/// The longest command, in bytes.
const COMMAND: usize = 256 * 1024;
/// The longest line that is no array.
const LINE: usize = 4096;

/// What stands at the beginning of the unread bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Not yet a whole command.
    More,
    /// A command of so many bytes; its arguments are where the caller wants them. Empty lines have none.
    Command(usize),
    /// No command: the connection cannot be used any more.
    Wrong(&'static str),
}

/// Reads a command.
pub(super) fn command<'b>(unread: &'b [u8], arguments: &mut Vec<&'b [u8]>) -> Parsed {
    match unread.first() {
        None => Parsed::More,
        Some(b'*') => array(unread, arguments),
        Some(_) => inline(unread, arguments),
    }
}

fn inline<'b>(unread: &'b [u8], arguments: &mut Vec<&'b [u8]>) -> Parsed {
    let Some(end) = memchr::memchr(b'\n', &unread[..unread.len().min(LINE)]) else {
        return if unread.len() >= LINE { Parsed::Wrong("too big inline request") } else { Parsed::More };
    };
    let words = unread[..end].split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    arguments.extend(words);
    if arguments.len() > ARGUMENTS {
        return Parsed::Wrong("too many arguments");
    }
    Parsed::Command(end + 1)
}

fn array<'b>(unread: &'b [u8], arguments: &mut Vec<&'b [u8]>) -> Parsed {
    let mut at = 0;
    let count = match number(unread, &mut at, b'*') {
        Ok(Some(count)) => count,
        Ok(None) => return Parsed::More,
        Err(()) => return Parsed::Wrong("invalid multibulk length"),
    };
    let count = match usize::try_from(count) {
        Ok(count) if count <= ARGUMENTS => count,
        Ok(_) => return Parsed::Wrong("too many arguments"),
        // As Redis does it: nothing was said.
        Err(_) => return Parsed::Command(at),
    };
    for _ in 0..count {
        if unread.get(at).is_some_and(|byte| *byte != b'$') {
            return Parsed::Wrong("expected '$'");
        }
        let length = match number(unread, &mut at, b'$') {
            Ok(Some(length)) => usize::try_from(length).unwrap_or(usize::MAX),
            Ok(None) => return Parsed::More,
            Err(()) => return Parsed::Wrong("invalid bulk length"),
        };
        if length > ARGUMENT || at + length > COMMAND {
            return Parsed::Wrong("invalid bulk length: an argument has at most 65536 bytes");
        }
        let Some(ending) = unread.get(at..at + length + 2) else { return Parsed::More };
        let (argument, end) = ending.split_at(length);
        if end != b"\r\n" {
            return Parsed::Wrong("expected the end of an argument");
        }
        arguments.push(argument);
        at += length + 2;
    }
    Parsed::Command(at)
}

/// A number behind `mark`, to the end of its line.
fn number(unread: &[u8], at: &mut usize, mark: u8) -> Result<Option<i64>, ()> {
    /// Digits, sign and end of a number.
    const LONGEST: usize = 24;
    let Some(rest) = unread.get(*at..).filter(|rest| !rest.is_empty()) else { return Ok(None) };
    if rest[0] != mark {
        return Err(());
    }
    let Some(end) = memchr::memchr(b'\n', &rest[..rest.len().min(LONGEST)]) else {
        return if rest.len() >= LONGEST { Err(()) } else { Ok(None) };
    };
    let digits = rest[1..end].strip_suffix(b"\r").ok_or(())?;
    let number = std::str::from_utf8(digits).map_err(|_| ())?.parse().map_err(|_| ())?;
    *at += end + 1;
    Ok(Some(number))
}
