//! The control plane of the gateway: its config file and its admin port.
//!
//! **Owns** the config file: reading it ([`load`]), its keys, substitution of environment variables,
//! every error about it with file, line and caret ([`Report`]), the schemas that it names ([`schemas`]);
//! the [admin port](admin) with metrics and health; what [the machine](machine) has of memory; and
//! [following](Follower) upstreams that tell their schema themselves.
//!
//! **Does not** listen for the clients of the gateway, route, transcode, compile `.proto` files or know
//! what is said in a conversation of server reflection (both are behind [`tidegate_transcode::ports`]), and does not read the environment of
//! the process: it is handed in.
//!
//! **Invariant**: a config that is wrong in several ways is reported in all of them at once, and
//! nothing of it comes into force; neither does a schema that cannot be used. serde occurs in this crate alone.
#![forbid(unsafe_code)]

pub mod admin;
pub mod canary;
pub mod config;
pub mod diagnostics;
pub mod endpoints;
pub mod machine;

mod fields;
pub mod files;
mod follow;
pub mod generations;
mod interpolate;
mod reflection;
mod schemas;
mod value;
mod yaml;

pub use config::{Loaded, load, not_read, parse, parse_document};
pub use diagnostics::{Diagnostic, Report, Severity, Source};
pub use follow::{Follower, InForce, SchemaState, SchemaStates, Teller};
pub use interpolate::Environment;
pub use reflection::{Asking, FetchError, Fetched, Fetcher};
pub use schemas::{Sources, schemas};
