//! Which of the plain routes of one host takes a request.

use crate::conditions::{Conditions, Unmet};
use crate::pattern::PathPattern;
use crate::request::RequestView;
use http::Method;
use std::collections::HashMap;

/// A plain route, as far as it decides which requests are its own.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which paths.
    pub pattern: PathPattern,
    /// What else.
    pub conditions: Conditions,
    /// Its place in the file, among plain routes and others.
    pub order: usize,
}

/// The plain routes of one host.
///
/// The most specific path wins: an exact path before a prefix, a longer prefix before a shorter. Among equals it
/// is the first in the file whose conditions all hold; if none does, the next less specific path has its turn.
#[derive(Clone, Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    /// By path; each in the order of the file.
    exact: HashMap<Box<str>, Vec<usize>>,
    /// By path with its last slash; each in the order of the file.
    prefixes: HashMap<Box<str>, Vec<usize>>,
    /// Of all prefixes, the longest first.
    lengths: Vec<usize>,
}

/// No entry takes the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// The methods of the entries that would have taken it with another one, in the order in which they were
    /// tried; empty if there is none.
    pub methods: Vec<Method>,
}

/// An entry that no request can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Its index.
    pub entry: usize,
    /// The first of those before it that take all its requests.
    pub by: usize,
    /// Both ask for the same.
    pub same: bool,
}

impl Table {
    /// A table of these entries, whose places in it are their indices.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut table = Self::default();
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|index| entries[*index].order);
        for index in order {
            let (paths, path) = match &entries[index].pattern {
                PathPattern::Exact(path) => (&mut table.exact, path),
                PathPattern::Prefix(path) => (&mut table.prefixes, path),
            };
            paths.entry(path.clone()).or_default().push(index);
        }
        table.lengths = table.prefixes.keys().map(|path| path.len()).collect();
        table.lengths.sort_unstable_by(|a, b| b.cmp(a));
        table.lengths.dedup();
        Self { entries, ..table }
    }

    /// Its entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry that takes a request with this path, which is in normal form.
    ///
    /// `rival` is the place in the file of an http rule that takes it too, and that is as specific as an exact
    /// path: only an exact entry before it in the file wins, which is why there may be none.
    ///
    /// Takes time linear in the path and in the number of different prefixes.
    ///
    /// # Errors
    /// Nothing takes it, or its rival does.
    pub fn find(&self, path: &str, request: &RequestView<'_>, rival: Option<usize>) -> Result<usize, Missed> {
        let mut missed = Missed::default();
        let exact = self.exact.get(path).map_or(&[][..], Vec::as_slice);
        let before = exact.iter().take_while(|index| rival.is_none_or(|rival| self.entries[**index].order < rival));
        if let Some(found) = self.first(before, request, &mut missed) {
            return Ok(found);
        }
        if rival.is_some() {
            return Err(missed);
        }
        for &length in self.lengths.iter().filter(|length| **length <= path.len()) {
            if path.as_bytes()[length - 1] != b'/' {
                continue;
            }
            let Some(level) = self.prefixes.get(&path[..length]) else { continue };
            if let Some(found) = self.first(level.iter(), request, &mut missed) {
                return Ok(found);
            }
        }
        Err(missed)
    }

    fn first<'i>(
        &self,
        level: impl Iterator<Item = &'i usize>,
        request: &RequestView<'_>,
        missed: &mut Missed,
    ) -> Option<usize> {
        for &index in level {
            match self.entries[index].conditions.check(request) {
                Ok(()) => return Some(index),
                Err(Unmet::Method(methods)) => {
                    let new = methods.iter().filter(|method| !missed.methods.contains(method));
                    let new: Vec<Method> = new.cloned().collect();
                    missed.methods.extend(new);
                }
                Err(_) => {}
            }
        }
        None
    }

    /// Entries that no request can reach, since others before them take all that they would.
    #[must_use]
    pub fn shadows(&self) -> Vec<Shadow> {
        let levels = self.exact.values().chain(self.prefixes.values());
        let mut shadows: Vec<Shadow> = levels.flat_map(|level| self.shadows_of(level)).collect();
        shadows.sort_by_key(|shadow| self.entries[shadow.entry].order);
        shadows
    }

    fn shadows_of<'t>(&'t self, level: &'t [usize]) -> impl Iterator<Item = Shadow> + 't {
        level.iter().enumerate().filter_map(|(at, &entry)| {
            let mine = &self.entries[entry].conditions;
            let by_of = |method: Option<&Method>| {
                level[..at].iter().copied().find(|by| mine.is_within(method, &self.entries[*by].conditions))
            };
            let by = match mine.methods.as_slice() {
                [] => by_of(None)?,
                methods => {
                    let each: Option<Vec<usize>> = methods.iter().map(|method| by_of(Some(method))).collect();
                    each?.into_iter().min_by_key(|by| self.entries[*by].order)?
                }
            };
            Some(Shadow { entry, by, same: mine.is_same(&self.entries[by].conditions) })
        })
    }
}
