//! Files with certificates that a config names.

use crate::config::CertificateFile;
use crate::diagnostics::{Diagnostic, Report, Source};
use std::io::{self, ErrorKind, Read as _};
use std::sync::Arc;

/// The most that such a file may have: all that a system believes is a quarter of it.
const MAX_BYTES: u64 = 1 << 20;

/// Fills in what is in the file.
///
/// # Errors
/// It cannot be read, or has no certificate in PEM.
pub(crate) fn read(file: &mut CertificateFile, source: &Arc<Source>) -> Result<(), Report> {
    fill(file, ("CERTIFICATE-----", "certificate"), source)
}

/// The same for the key of a certificate of ours.
///
/// # Errors
/// It cannot be read, or has no private key in PEM.
pub(crate) fn read_key(file: &mut CertificateFile, source: &Arc<Source>) -> Result<(), Report> {
    fill(file, ("PRIVATE KEY-----", "private key"), source)
}

fn fill(file: &mut CertificateFile, (mark, what): (&str, &str), source: &Arc<Source>) -> Result<(), Report> {
    let shown = file.path.display();
    let told = |message: String| Report::new(vec![Diagnostic::error(message).at(source, file.place.into())]);
    let mut pem = Vec::new();
    // Before it is opened: to open a pipe is to wait.
    let read = std::fs::metadata(&file.path).and_then(|found| match found.is_file() {
        true => std::fs::File::open(&file.path)?.take(MAX_BYTES + 1).read_to_end(&mut pem),
        false => Err(io::Error::new(ErrorKind::InvalidInput, "it is no file")),
    });
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(told(format!("there is no file `{shown}`"))),
        Err(error) => Err(told(format!("cannot read `{shown}`: {error}"))),
        Ok(_) if pem.len() as u64 > MAX_BYTES => Err(told(format!("`{shown}` has more than {MAX_BYTES} bytes"))),
        Ok(_) if !has_mark(&pem, mark) => Err(told(format!("`{shown}` has no {what} in PEM"))),
        Ok(_) => {
            file.pem = pem;
            Ok(())
        }
    }
}

/// Whether a line begins a block whose name ends so: `-----BEGIN EC PRIVATE KEY-----`.
fn has_mark(pem: &[u8], mark: &str) -> bool {
    let begins = |line: &[u8]| line.starts_with(b"-----BEGIN ") && line.trim_ascii_end().ends_with(mark.as_bytes());
    pem.split(|byte| *byte == b'\n').any(begins)
}

#[cfg(test)]
mod tests;
