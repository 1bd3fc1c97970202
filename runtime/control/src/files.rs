//! A config in a file, or in the files of a folder.
//!
//! Changes are noticed by watching folders, not files: editors and Kubernetes put a new file or link in the
//! place of the old one. What counts is the content: whatever happens to the files, the same content is no
//! change.

pub(crate) mod certificates;
pub(crate) mod named;
mod watch;

use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use tidegate_source::{ConfigSource, Document, MAX_BYTES, Next, Part, Revision, SourceError};
use watch::{Rest, Watch};

/// How often a folder is read again if two reads of it differ: it is being written.
const READS: usize = 5;

/// A file, or a folder whose `.yaml` and `.yml` files are one config.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    name: String,
    watch: Watch,
    /// What was given last; none after an error.
    given: Option<Vec<Part>>,
    /// What was told last, if it was an error.
    failed: Option<SourceError>,
}

// === impl FileSource ===

impl FileSource {
    /// The config at `path`. Must be made and used within a runtime.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let name = format!("file {}", path.display());
        Self { path: path.to_owned(), name, watch: Watch::new(), given: None, failed: None }
    }

    async fn changed(&mut self) -> Result<Document, SourceError> {
        let mut rest = Rest::default();
        loop {
            // First watch, then read: what changes in between is read again.
            self.watch.set(watch::points(&self.path));
            match read(&self.path) {
                Ok(document) => {
                    self.failed = None;
                    if self.given.as_ref() != Some(&document.parts) {
                        if rest.disturbed(document.parts.iter().map(|part| Path::new(&part.name))).await {
                            continue;
                        }
                        self.given = Some(document.parts.clone());
                        return Ok(document);
                    }
                }
                Err(error) => {
                    self.given = None;
                    // Told once: what is not there now may come, and is waited for.
                    if self.failed.as_ref() != Some(&error) {
                        self.failed = Some(error.clone());
                        return Err(error);
                    }
                }
            }
            self.watch.changed().await;
            rest = Rest::default();
        }
    }
}

impl ConfigSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn again(&mut self) {
        self.given = None;
        self.failed = None;
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(self.changed())
    }
}

/// The folder that paths in the config at `path` are relative to.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) }
}

/// Reads the config at `path` as it is now.
///
/// # Errors
/// It is not there, cannot be read, or is too large.
pub fn read(path: &Path) -> Result<Document, SourceError> {
    let parts = if path.is_dir() { read_folder(path)? } else { vec![read_file(path)?] };
    Ok(Document { revision: Revision::of_content(&parts), parts })
}

fn read_file(path: &Path) -> Result<Part, SourceError> {
    let name = path.display().to_string();
    match read_limited(path) {
        Ok(text) => Ok(Part { name, text }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(SourceError::absent(format!("there is no config file `{name}`")))
        }
        Err(error) => Err(SourceError::away(format!("cannot read the config file `{name}`: {error}"))),
    }
}

/// The file's content, if it is not too large to be a config: whatever it is, memory is bounded.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    let mut text = Vec::new();
    file.by_ref().take(MAX_BYTES as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MAX_BYTES {
        let size = size.max(text.len() as u64);
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has {size} bytes; {MAX_BYTES} is the most")));
    }
    Ok(text)
}

/// All parts, of one state: read until two reads agree.
fn read_folder(path: &Path) -> Result<Vec<Part>, SourceError> {
    let mut last = read_folder_once(path)?;
    for _ in 1..READS {
        let now = read_folder_once(path)?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
    Err(SourceError::away(format!("the folder `{}` changes while it is read", path.display())))
}

fn read_folder_once(path: &Path) -> Result<Vec<Part>, SourceError> {
    let name = path.display();
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>())
        .map_err(|error| SourceError::away(format!("cannot read the folder `{name}`: {error}")))?;
    files.retain(|file| is_config(file));
    files.sort();
    if files.is_empty() {
        return Err(SourceError::absent(format!("there is no .yaml file in the folder `{name}`")));
    }
    let mut left = MAX_BYTES;
    let mut parts = Vec::new();
    for file in &files {
        let part = read_file(file)?;
        let Some(rest) = left.checked_sub(part.text.len()) else {
            let message =
                format!("the files of the folder `{name}` have more than {MAX_BYTES} bytes, which is the most");
            return Err(SourceError::away(message));
        };
        left = rest;
        parts.push(part);
    }
    Ok(parts)
}

/// A `.yaml` or `.yml` file that is not hidden.
fn is_config(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let extension = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    extension && !name.starts_with('.') && path.is_file()
}
