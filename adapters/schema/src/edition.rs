//! Tells files of protobuf editions from those of proto2 and proto3.

use crate::files::ProtoFile;
use tidegate_transcode::ports::SchemaProblem;

/// The first file of an edition among others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// On disk.
    file: String,
    edition: String,
    line: u32,
    column: u32,
    /// How many further files are of an edition.
    others: usize,
}

/// Looks at the beginning of each file; those that cannot be read are left to the compiler.
pub(crate) fn first(files: &[ProtoFile]) -> Option<Found> {
    let mut first: Option<Found> = None;
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file.path) else { continue };
        let Some((edition, offset)) = declared(&text) else { continue };
        match &mut first {
            Some(first) => first.others += 1,
            None => {
                let (line, column) = place(&text, offset);
                first = Some(Found { file: file.path.display().to_string(), edition, line, column, others: 0 });
            }
        }
    }
    first
}

impl Found {
    /// What to tell where there is no `protoc`.
    pub(crate) fn refusal(self) -> SchemaProblem {
        let others = match self.others {
            0 => String::new(),
            1 => ", as is 1 other file".to_owned(),
            n => format!(", as are {n} other files"),
        };
        SchemaProblem {
            file: self.file,
            line: Some(self.line),
            column: Some(self.column),
            message: format!("the file is of edition {}{others}, and that needs `protoc`", self.edition),
            help: Some(
                "install protoc, or compile elsewhere (`protoc --include_imports -o schema.pb …`) and use \
                 `schema: { descriptor_set: schema.pb }`"
                    .to_owned(),
            ),
        }
    }
}

/// `edition = "2023"` as the first statement: the edition and the offset of the statement.
fn declared(text: &str) -> Option<(String, usize)> {
    let start = skip_space(text, 0);
    let rest = text.get(start..)?.strip_prefix("edition")?;
    let mut at = skip_space(text, text.len() - rest.len());
    at = skip_space(text, at + text.get(at..)?.strip_prefix('=').map(|_| 1)?);
    let value = text.get(at..)?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (edition, _) = value[1..].split_once(quote)?;
    Some((edition.to_owned(), start))
}

/// The offset of what follows white space and comments.
fn skip_space(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        at = text.len() - trimmed.len();
        let comment = if trimmed.starts_with("//") {
            trimmed.find('\n').map_or(trimmed.len(), |end| end + 1)
        } else if trimmed.starts_with("/*") {
            trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
        } else {
            return at;
        };
        at += comment;
    }
}

/// Line and column, from 1, of a byte offset; the column in characters.
pub(crate) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
