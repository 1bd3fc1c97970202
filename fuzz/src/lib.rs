//! What the fuzz targets do: functions of bytes that panic if a property does not hold.
//!
//! **Owns** the properties, the schema that they are checked on (`proto/`), and the seeds (`corpus/`, `dict/`).
//!
//! **Does not** fuzz: libFuzzer does, through the programs in `targets/` (a workspace of its own), and so do the tests
//! of this crate, which run the seeds, and some thousand mutations of them, on a stable compiler.
//!
//! **Invariant**: a target is a pure function of its input: no files, no clock, no randomness that shows.

mod config;
mod grpc_frames;
mod h1_reply;
mod headers;
mod json_in;
mod naive;
mod ndjson;
mod query;
mod reflection;
mod requests;
mod schema;
mod template_path;
mod wire_in;

pub use config::config;
pub use grpc_frames::grpc_frames;
pub use h1_reply::h1_reply;
pub use headers::headers;
pub use json_in::json_in;
pub use ndjson::ndjson;
pub use query::query;
pub use reflection::reflection;
pub use template_path::template_path;
pub use wire_in::wire_in;

/// Name and body of every target.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("config", config),
    ("grpc_frames", grpc_frames),
    ("h1_reply", h1_reply),
    ("headers", headers),
    ("json_in", json_in),
    ("ndjson", ndjson),
    ("query", query),
    ("reflection", reflection),
    ("template_path", template_path),
    ("wire_in", wire_in),
];
