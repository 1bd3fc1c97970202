//! Where descriptor sets come from: folders of `.proto` files, without a compiler installed, and
//! servers that reflect.
//!
//! **Owns** finding the files, compiling them in process, the `google/api` and `google/rpc` files that
//! come with the gateway, and handing files of protobuf editions, which the compiler in process does
//! not know, to `protoc` where there is one ([`SchemaCompiler`]); and the conversation of gRPC server
//! reflection, from the first question to the set ([`reflection`], [`tidegate_transcode::ports::Reflector`]).
//!
//! **Does not** interpret descriptors, read the gateway's config, know where folders were named, or make
//! the call to a server: it says what to send and takes what came.
//!
//! **Invariant**: every compiled schema holds the `google.rpc` messages that error details are made of,
//! and every problem names its file; whatever a server answers, a conversation ends within its bounds.
#![forbid(unsafe_code)]

mod bundled;
mod edition;
mod files;
mod in_process;
mod protoc;
pub mod reflection;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tidegate_transcode::ports::{SchemaCompiler, SchemaProblem};

/// Compiles folders of `.proto` files.
#[derive(Debug, Default)]
pub struct Compiler {
    protoc: Option<PathBuf>,
    lacked: AtomicBool,
}

impl Compiler {
    /// A compiler that gives files of protobuf editions to the program `protoc`; without one they are
    /// refused. All other files are compiled in process.
    #[must_use]
    pub fn new(protoc: Option<PathBuf>) -> Self {
        Self { protoc, lacked: AtomicBool::new(false) }
    }

    /// The same with the `protoc` that stands in one of the folders of `path`, the value of the
    /// environment variable `PATH`.
    #[must_use]
    pub fn with_protoc_from(path: Option<&std::ffi::OsStr>) -> Self {
        Self::new(path.and_then(protoc::find))
    }

    /// Whether files were refused for want of `protoc`.
    #[must_use]
    pub fn lacked_protoc(&self) -> bool {
        self.lacked.load(Ordering::Relaxed)
    }
}

impl SchemaCompiler for Compiler {
    /// Imports are looked up below each folder, in their order, then among the bundled files
    /// (`google/api`, `google/rpc`, `google/protobuf`). Without folders the result is the bundled set.
    ///
    /// # Errors
    /// Every problem found: a file that cannot be read or compiled does not hide those of others.
    fn compile(&self, folders: &[PathBuf]) -> Result<Vec<u8>, Vec<SchemaProblem>> {
        let files = files::find(folders)?;
        match (edition::first(&files), &self.protoc) {
            (None, _) => in_process::compile(folders, &files),
            (Some(_), Some(protoc)) => protoc::compile(protoc, folders, &files),
            (Some(found), None) => {
                self.lacked.store(true, Ordering::Relaxed);
                Err(vec![found.refusal()])
            }
        }
    }
}

/// The descriptors of the bundled `google.rpc` and `google.api` files and what they import: a
/// serialized `google.protobuf.FileDescriptorSet`.
///
/// # Panics
/// If the bundled files do not compile, which is an error of this crate.
#[must_use]
pub fn bundled_descriptor_set() -> Vec<u8> {
    in_process::compile(&[], &[]).expect("invariant: the bundled files compile")
}
