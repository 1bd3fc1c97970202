//! From method and path to a binding.

mod build;
mod trie;

use crate::binding::Binding;
use crate::percent::{Buffer, decode_bytes, find_malformed};
use crate::refusal::Refusal;
use crate::status::Status;
use http::Method;
use smallvec::SmallVec;
use trie::{Search, Trie, allow};

pub use build::RouterBuilder;

/// What each path variable captured, undecoded, in the order of the path.
pub type Captures<'r> = SmallVec<[&'r str; 4]>;

/// The bindings of some services, by path and method.
///
/// Matching is on the raw path, segment by segment (split at `/`); literals are compared
/// percent-decoded. Where several templates match, the most specific wins: at the first segment where
/// they differ, a literal before `*` before `**`; of two alike the one with a verb; then the one with a
/// method before the one for every method. A template whose method differs is passed over; GET does not
/// differ from HEAD, but a template for HEAD comes before one of the same path for GET.
///
/// - A verb is what follows the last `:` of the last segment, undecoded. Only templates with that very
///   verb see the path without it; to all others it is part of the segment. So the verbs of one
///   service change nothing for another.
/// - `*` matches one segment that is not empty; `**` matches all that is left, empty segments too, but
///   does not begin with an empty one that others follow (a variable "must not capture the leading /").
/// - A trailing slash is an empty last segment, and therefore another path.
///
/// Takes time linear in the path for each template, and in practice linear in the path: each node of
/// the tree of templates is visited at most once.
#[derive(Debug)]
pub struct Router {
    bindings: Vec<Binding>,
    /// Templates without a verb.
    plain: Trie,
    /// Templates with one, by verb.
    verbs: Vec<(Box<[u8]>, Trie)>,
}

/// A binding, and what the path of a request says.
#[derive(Clone, Debug)]
pub struct Match<'r> {
    /// The rule that matched.
    pub binding: &'r Binding,
    /// Its place among [`Router::bindings`].
    pub index: usize,
    /// What its variables captured.
    pub captures: Captures<'r>,
    /// What the captures are slices of: the path without its leading slash (and without its verb).
    path: &'r str,
}

/// A match that outlives its request: see [`Match::detach`].
#[derive(Clone, Debug)]
pub struct Detached {
    index: usize,
    path: Box<str>,
}

/// No binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// No template matches the path: 404.
    NotFound,
    /// The path exists under other methods: 405.
    MethodNotAllowed {
        /// The value of `Allow`: the methods, sorted, joined by `, `. HEAD is among them if GET is, and
        /// OPTIONS always.
        allow: String,
    },
    /// The path is malformed: 400. The status names the place.
    BadPath(Status),
}

// === impl Router ===

impl Router {
    /// Finds the binding for a method and a raw path (without query).
    ///
    /// The match borrows the path: what its variables captured are slices of it.
    ///
    /// # Errors
    /// [`Miss`].
    pub fn find<'r>(&'r self, method: &Method, raw_path: &'r str) -> Result<Match<'r>, Miss> {
        let Some(path) = raw_path.strip_prefix('/') else { return Err(Miss::NotFound) };
        let encoded = memchr::memchr(b'%', path.as_bytes()).is_some();
        if encoded && let Some(at) = find_malformed(path.as_bytes()) {
            let message = format!("path: `%` without two hexadecimal digits (byte {})", at + 1);
            return Err(Miss::BadPath(Refusal::new(http::StatusCode::BAD_REQUEST, message).status));
        }
        let mut search = Search::new(method, encoded);
        // `/` has no segments at all.
        let found = self.plain.find((!path.is_empty()).then_some(path), &mut search).map(|found| (found, path));
        let found = match self.find_verb(path, &mut search) {
            Some(verb) if found.is_none_or(|plain| verb.2.ranks(verb.0) <= self.plain.ranks(plain.0)) => {
                Some((verb.2.binding(verb.0), verb.1))
            }
            _ => found.map(|(found, path)| (self.plain.binding(found), path)),
        };
        match found {
            Some((index, path)) => Ok(Match::new(&self.bindings[index], index, path)),
            None if search.other_methods.is_empty() => Err(Miss::NotFound),
            None => Err(Miss::MethodNotAllowed { allow: search.allow() }),
        }
    }

    /// The value of `Allow` for a server as a whole (`OPTIONS *`): every method that a rule of some of these
    /// routers has.
    pub fn allow_of<'r>(routers: impl Iterator<Item = &'r Self>) -> String {
        allow(routers.flat_map(|router| &router.bindings).filter_map(|binding| binding.http_method.as_ref()))
    }

    /// Every binding, in the order in which services, methods and rules were added.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }

    /// The binding at a place that [`Match::index`] gave.
    ///
    /// # Panics
    /// The place is that of another router.
    #[must_use]
    pub fn binding(&self, index: usize) -> &Binding {
        &self.bindings[index]
    }

    /// The match that was detached.
    ///
    /// # Panics
    /// The match is that of another router.
    #[must_use]
    pub fn attach<'r>(&'r self, detached: &'r Detached) -> Match<'r> {
        Match::new(&self.bindings[detached.index], detached.index, &detached.path)
    }

    /// Looks at the path without its verb, if a template has that verb.
    fn find_verb<'r>(&'r self, path: &'r str, search: &mut Search<'_>) -> Option<(usize, &'r str, &'r Trie)> {
        if self.verbs.is_empty() {
            return None;
        }
        let colon = path.bytes().rposition(|byte| byte == b':' || byte == b'/')?;
        let (stem, verb) = (&path[..colon], path[colon..].strip_prefix(':')?);
        let mut buffer = Buffer::new();
        let verb = decode_bytes(verb.as_bytes(), &mut buffer).ok()?;
        let (_, trie) = self.verbs.iter().find(|(known, _)| **known == *verb)?;
        let found = trie.find((!stem.is_empty()).then_some(stem), search)?;
        Some((found, stem, trie))
    }
}

// === impl Match ===

impl<'r> Match<'r> {
    /// Cuts the captures out of `path`, which has no leading slash and no verb.
    fn new(binding: &'r Binding, index: usize, path: &'r str) -> Self {
        let mut captures = Captures::new();
        let (mut rest, mut at) = (path, 0);
        for variable in &binding.variables {
            while at < variable.first {
                rest = behind_slashes(rest, 1).1;
                at += 1;
            }
            let (captured, behind) = match variable.count {
                Some(count) => behind_slashes(rest, count),
                None => (rest, &rest[rest.len()..]),
            };
            captures.push(captured);
            rest = behind;
            at += variable.count.unwrap_or(0);
        }
        Self { binding, index, captures, path }
    }

    /// The match without its borrows; [`Router::attach`] gives it back.
    #[must_use]
    pub fn detach(&self) -> Detached {
        Detached { index: self.index, path: self.path.into() }
    }

    /// Where a capture begins: its byte in the request's path, the leading slash being byte 0.
    pub(crate) fn offset(&self, capture: &str) -> usize {
        capture.as_ptr().addr().saturating_sub(self.path.as_ptr().addr()) + 1
    }
}

/// The first `count` segments, and what is behind them.
#[inline]
fn behind_slashes(path: &str, count: u32) -> (&str, &str) {
    let mut left = count;
    // Segments are short: a plain loop beats a vectorised search.
    let slash = path.bytes().position(|byte| {
        left -= u32::from(byte == b'/');
        left == 0
    });
    let (captured, behind) = slash.map_or((path.len(), path.len()), |slash| (slash, slash + 1));
    (&path[..captured], &path[behind..])
}
