//! What this room needs from the world.

use std::path::PathBuf;

/// Turns folders of `.proto` files into descriptors.
pub trait SchemaCompiler: Send + Sync {
    /// Compiles every `.proto` file below `folders` (each of which is an import root) into a serialized
    /// `google.protobuf.FileDescriptorSet`, imports included, with the options of each element as they
    /// stand on the wire (extensions such as `google.api.http` included).
    ///
    /// Blocks: it reads files, and may start a program.
    ///
    /// # Errors
    /// Every problem found, each with its place.
    fn compile(&self, folders: &[PathBuf]) -> Result<Vec<u8>, Vec<SchemaProblem>>;
}

/// One thing that is wrong with a `.proto` file or folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}{}{}: {message}",
    line.map(|line| format!(":{line}")).unwrap_or_default(),
    column.map(|column| format!(":{column}")).unwrap_or_default()
)]
pub struct SchemaProblem {
    /// The file, as its import path or its place on disk.
    pub file: String,
    /// From 1.
    pub line: Option<u32>,
    /// From 1, in characters.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}
