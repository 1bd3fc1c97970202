//! The folder for what a start needs when others are away: the last good config, and beside it what `follow::kept`
//! writes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tidegate_source::{Document, Part, Revision};

/// The file's name in its folder.
const FILE: &str = "config.json";
/// The version of the file's form.
const VERSION: u32 = 1;

/// A folder in which the config in force is kept, and the schemas that upstreams told. For one process at a time.
#[derive(Clone, Debug)]
pub struct StateFolder(PathBuf);

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Where the config was from.
    pub origin: String,
    /// Its text.
    pub document: Document,
}

/// The file's form. Parts are text: only what was in force is saved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    origin: String,
    revision: String,
    parts: Vec<(String, String)>,
}

impl StateFolder {
    /// The folder at `path`, which is made if it is not there, for its owner alone.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        Ok(Self(path.to_owned()))
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.path(FILE)
    }

    /// Writes what is in force now: whole or not at all, to be read by its owner alone.
    ///
    /// # Errors
    /// Those of the system. What was saved before is still there.
    pub fn save(&self, saved: &Saved) -> io::Result<()> {
        let part = |part: &Part| (part.name.clone(), String::from_utf8_lossy(&part.text).into_owned());
        let file = File {
            version: VERSION,
            origin: saved.origin.clone(),
            revision: saved.document.revision.to_string(),
            parts: saved.document.parts.iter().map(part).collect(),
        };
        self.write_json(FILE, &file)
    }

    /// Writes a file of this folder as JSON; see [`write`](Self::write).
    pub(crate) fn write_json(&self, name: &str, content: &impl Serialize) -> io::Result<()> {
        self.write(name, &serde_json::to_vec(content)?)
    }

    /// Writes a file of this folder: whole or not at all, to be read by its owner alone.
    ///
    /// # Errors
    /// Those of the system. What the file was before it still is.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut beside = tempfile::NamedTempFile::new_in(&self.0)?;
        beside.as_file().set_permissions(Permissions::from_mode(0o600))?;
        beside.write_all(content)?;
        beside.as_file().sync_all()?;
        beside.persist(self.path(name)).map_err(|error| error.error)?;
        fs::File::open(&self.0)?.sync_all()
    }

    /// Reads a file of the folder; `None` if it is not there.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.path(name)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What was saved last; `None` if nothing was.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn load(&self) -> io::Result<Option<Saved>> {
        let Some(file) = self.read::<File>(FILE)? else { return Ok(None) };
        if file.version != VERSION || file.parts.is_empty() {
            let message = format!("it has version {}; this program knows {VERSION}", file.version);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let parts = file.parts.into_iter().map(|(name, text)| Part { name, text: text.into_bytes() });
        let document = Document { revision: Revision::new(file.revision), parts: parts.collect() };
        Ok(Some(Saved { origin: file.origin, document }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Saved, StateFolder};
    use std::os::unix::fs::PermissionsExt as _;
    use tidegate_source::{Document, Part, Revision};

    #[test]
    fn what_was_saved_last_is_read_and_nobody_else_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::open(&folder.path().join("a/b")).expect("made");
        assert_eq!(state.load().expect("nothing is fine"), None);
        let saved = |text: &str| Saved {
            origin: "file x".into(),
            document: Document {
                revision: Revision::new("r1"),
                parts: vec![Part { name: "é.yaml".into(), text: text.into() }, Part { name: "b".into(), text: vec![] }],
            },
        };
        for text in ["a: \"ü\"\n", "b: 1"] {
            state.save(&saved(text)).expect("saved");
            assert_eq!(state.load().expect("read"), Some(saved(text)));
        }
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&state.file()), mode(&folder.path().join("a/b"))), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(folder.path().join("a/b")).expect("a folder").count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_that_is_broken_is_an_error_and_not_a_config() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::open(folder.path()).expect("there");
        for text in ["", "{}", "{\"version\":2,\"origin\":\"\",\"revision\":\"\",\"parts\":[[\"a\",\"b\"]]}"] {
            std::fs::write(state.file(), text).expect("written");
            assert!(state.load().is_err(), "{text}");
        }
    }
}
