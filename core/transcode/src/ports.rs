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

/// The gRPC method of server reflection, newest version first. A server that answers `UNIMPLEMENTED` to
/// one may have the next; their messages are the same on the wire.
///
/// Source: `grpc/reflection/v1/reflection.proto`, `grpc/reflection/v1alpha/reflection.proto`.
pub const REFLECTION_METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Asks servers what they serve (gRPC server reflection).
pub trait Reflector: Send + Sync {
    /// Begins a conversation with one server. It asks for all that the server lists, and for `services`
    /// even if it does not list them.
    fn begin(&self, services: &[String]) -> Box<dyn Reflection>;
}

/// One conversation with one server, without the wire: messages of [`REFLECTION_METHODS`] out and in.
///
/// Bounded in files, bytes and requests, whatever the server answers.
pub trait Reflection: Send {
    /// The next message to send. `None` if nothing is to be asked before the next answer; then, and only
    /// then, [`is_done`](Self::is_done) may be true.
    fn request(&mut self) -> Option<Vec<u8>>;

    /// Takes the next answer. The server answers requests in their order.
    ///
    /// # Errors
    /// The answer cannot be used, and neither can any later one.
    fn reply(&mut self, message: &[u8]) -> Result<(), ReflectionProblem>;

    /// The server ended the stream with this status (a gRPC code and its message) instead of answering the
    /// oldest request. What was sent after it is given by [`request`](Self::request) again, for a new stream.
    ///
    /// # Errors
    /// As those of [`reply`](Self::reply).
    fn refused(&mut self, code: u32, message: &str) -> Result<(), ReflectionProblem>;

    /// Everything was asked and answered.
    fn is_done(&self) -> bool;

    /// What the server serves: a serialized `google.protobuf.FileDescriptorSet`, imports included and
    /// before those that import them. Equal answers give equal bytes.
    ///
    /// # Errors
    /// The files do not belong together, or not all was asked and answered.
    fn finish(self: Box<Self>) -> Result<Vec<u8>, ReflectionProblem>;
}

/// Why a server's answers about itself cannot be used: one sentence, lower case, without the server's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReflectionProblem(pub String);
