//! What a route can choose about the mapping.

use tidegate_protojson::{ParseOptions, PrintOptions};

/// What to do with input that the rule has no place for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Refuse the request with 400 and name the input.
    #[default]
    Reject,
    /// Go on as if it were not there.
    Ignore,
}

/// What to do with a query parameter of a singular field that is given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeated {
    /// Refuse the request with 400 and name the parameter.
    #[default]
    Reject,
    /// The last one counts.
    LastWins,
}

/// How requests are read and replies written. The default is strict.
#[derive(Clone, Debug, Default)]
pub struct TranscodeOptions {
    /// How JSON bodies (and the texts of parameters) are read.
    pub parse: ParseOptions,
    /// How JSON replies are written.
    pub print: PrintOptions,
    /// Query parameters that name no field of the request.
    pub unknown_query: Strictness,
    /// Query parameters of a singular field (or one key of a map) that are given twice. (A message
    /// and a part of it, as `at=…` and `at.seconds=…`, are always refused.)
    pub repeated_query: Repeated,
    /// Query parameters of a field that the path or the body carries.
    pub overlapping_query: Strictness,
    /// Any query parameter under a rule with `body: "*"`.
    pub query_beside_body: Strictness,
    /// Content under a rule that has no body.
    pub unexpected_body: Strictness,
}
