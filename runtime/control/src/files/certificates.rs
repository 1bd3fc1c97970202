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
/// It cannot be read, or is no PEM file.
pub(crate) fn read(file: &mut CertificateFile, source: &Arc<Source>) -> Result<(), Report> {
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
        Ok(_) if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") => {
            Err(told(format!("`{shown}` has no certificate in PEM")))
        }
        Ok(_) => {
            file.pem = pem;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
