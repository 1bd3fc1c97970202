//! How the program ends.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

/// The exit codes, as `tidegate --help` documents them. 69 and 78 are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Success,
    /// Failed while running.
    Failure,
    /// Wrong usage of the command line.
    Usage,
    /// Something that the config needs is not there (`EX_UNAVAILABLE`).
    Unavailable,
    /// The config is wrong (`EX_CONFIG`).
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Unavailable => 69,
            Exit::Config => 78,
        })
    }
}

/// Prints the result of a command. A reader that has left early, as `head` does, is no failure.
pub(crate) fn print(text: &str) -> Exit {
    print_bytes(text.as_bytes())
}

/// The same for what need not be text.
pub(crate) fn print_bytes(bytes: &[u8]) -> Exit {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Exit::Success,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Success,
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            Exit::Failure
        }
    }
}
