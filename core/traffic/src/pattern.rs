//! Which paths a plain route is for.

use crate::path::NormalPath;
use std::fmt;

/// Which paths a plain route is for, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathPattern {
    /// Exactly this path.
    Exact(Box<str>),
    /// This path, which ends with a slash, and all below it.
    Prefix(Box<str>),
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not begin with a slash.
    #[error("it begins with a slash")]
    NoSlash,
    /// A `*` stands elsewhere than at the end, behind a slash.
    #[error("`*` can only be the whole last segment, as in `/assets/*`")]
    Star,
    /// It has a `?` or a `#`.
    #[error("it ends before `?` and `#`: match parameters with `query`")]
    Query,
    /// No request has this path once it is in normal form.
    #[error("paths are matched in normal form: write `{normal}`")]
    NotNormal {
        /// What it would have to be.
        normal: String,
    },
    /// No request may have this path.
    #[error("{0}: such a path is refused")]
    Refused(crate::path::PathRefusal),
}

impl PathPattern {
    /// Reads `/a/b`, or `/a/*` for `/a/` and all below it.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if !text.starts_with('/') {
            return Err(PatternError::NoSlash);
        }
        if text.contains(['?', '#']) {
            return Err(PatternError::Query);
        }
        let (path, is_prefix) = match text.strip_suffix('*') {
            Some(path) => (path, true),
            None => (text, false),
        };
        if path.contains('*') || (is_prefix && !path.ends_with('/')) {
            return Err(PatternError::Star);
        }
        let normal = NormalPath::new(path).map_err(PatternError::Refused)?;
        if *normal != *path {
            let star = if is_prefix { "*" } else { "" };
            return Err(PatternError::NotNormal { normal: format!("{}{star}", &*normal) });
        }
        Ok(if is_prefix { Self::Prefix(path.into()) } else { Self::Exact(path.into()) })
    }

    /// Whether a path in normal form is one of these.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(want) => path == &**want,
            Self::Prefix(want) => path.starts_with(&**want),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}*"),
        }
    }
}
