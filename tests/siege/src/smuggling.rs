//! Requests that two parsers could read in two ways, on HTTP/1.1 ([`h1`]) and on HTTP/2 ([`h2`]).
//!
//! Every row says which rule decides, and the only right outcome: what is answered, and whether the
//! connection goes on. Bytes that hide a second request ask for [`HIDDEN`]; nobody may answer it.

pub mod h1;
pub mod h2;

/// The path of requests that are hidden in others. Nothing is served there: an answer would be a 404.
pub const HIDDEN: &str = "/hidden";
