//! Templates as a tree: a node per segment.

use crate::percent::{Buffer, decode_bytes};
use crate::template::Segment;
use http::Method;

/// Templates that share their verb (or have none).
#[derive(Debug)]
pub(super) struct Trie {
    /// The first is the root.
    nodes: Vec<Node>,
    /// What the leaves point to.
    entries: Vec<Entry>,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by length, then bytes.
    literals: Vec<(Box<[u8]>, u32)>,
    /// The node behind `*`.
    any: Option<u32>,
    /// Templates that end here.
    leaf: Leaf,
    /// Templates that end here with `**`.
    rest: Leaf,
}

/// The templates of one shape.
#[derive(Debug, Default)]
struct Leaf {
    methods: Vec<(Method, u32)>,
    every_method: Option<u32>,
}

#[derive(Debug)]
struct Entry {
    binding: usize,
    /// 0 for a literal, 1 for `*`, 2 for `**`, by segment.
    ranks: Box<[u8]>,
}

/// A request's method, and what was learnt on the way.
#[derive(Debug)]
pub(super) struct Search<'m> {
    method: &'m Method,
    is_head: bool,
    /// The path has percent-encoded bytes.
    encoded: bool,
    /// Methods of the templates that match the path but not the method.
    pub(super) other_methods: Vec<Method>,
    /// Nodes visited.
    #[cfg(test)]
    pub(super) visits: usize,
}

// === impl Trie ===

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], entries: Vec::new() }
    }
}

impl Trie {
    /// Adds a template; `Err` gives the binding that has the same shape and method.
    pub(super) fn insert(&mut self, shape: &[Segment], method: Option<&Method>, binding: usize) -> Result<(), usize> {
        let mut at = 0;
        let mut ends_with_rest = false;
        for segment in shape {
            match segment {
                Segment::Literal(literal) => at = self.literal_child(at, literal),
                Segment::Any => {
                    let next = self.nodes.len() as u32;
                    let child = *self.nodes[at].any.get_or_insert(next);
                    if child == next {
                        self.nodes.push(Node::default());
                    }
                    at = child as usize;
                }
                Segment::Rest => ends_with_rest = true,
            }
        }
        let entry = self.entries.len() as u32;
        let node = &mut self.nodes[at];
        let leaf = if ends_with_rest { &mut node.rest } else { &mut node.leaf };
        let taken = match method {
            Some(method) => leaf.methods.iter().find(|(other, _)| other == method).map(|(_, entry)| *entry),
            None => leaf.every_method,
        };
        if let Some(taken) = taken {
            return Err(self.entries[taken as usize].binding);
        }
        match method {
            Some(method) => leaf.methods.push((method.clone(), entry)),
            None => leaf.every_method = Some(entry),
        }
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Any => 1,
            Segment::Rest => 2,
        };
        self.entries.push(Entry { binding, ranks: shape.iter().map(rank).collect() });
        Ok(())
    }

    fn literal_child(&mut self, at: usize, literal: &[u8]) -> usize {
        let next = self.nodes.len() as u32;
        match self.nodes[at].position(literal) {
            Ok(found) => self.nodes[at].literals[found].1 as usize,
            Err(place) => {
                self.nodes[at].literals.insert(place, (literal.into(), next));
                self.nodes.push(Node::default());
                next as usize
            }
        }
    }

    /// The most specific entry for a path (without leading slash; `None` has no segments).
    #[inline]
    pub(super) fn find(&self, path: Option<&str>, search: &mut Search<'_>) -> Option<usize> {
        self.walk(0, path.map(str::as_bytes), search).map(|entry| entry as usize)
    }

    pub(super) fn binding(&self, entry: usize) -> usize {
        self.entries[entry].binding
    }

    /// What two matches of one path are compared by: the lesser is the more specific. (The end of a
    /// template stands before `**`: it is the lesser as the shorter.)
    pub(super) fn ranks(&self, entry: usize) -> &[u8] {
        &self.entries[entry].ranks
    }

    /// Recurses once per segment of a template, of which there are at most 64. Every node has one
    /// way to it, which takes as many segments as it has steps: none is visited twice.
    fn walk(&self, at: u32, path: Option<&[u8]>, search: &mut Search<'_>) -> Option<u32> {
        #[cfg(test)]
        {
            search.visits += 1;
        }
        let node = &self.nodes[at as usize];
        let Some(path) = path else {
            return node.leaf.choose(search).or_else(|| node.rest.choose(search));
        };
        let (segment, behind) = match path.iter().position(|&byte| byte == b'/') {
            Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
            None => (path, None),
        };
        if let Some(child) = node.literal(segment, search.encoded)
            && let Some(found) = self.walk(child, behind, search)
        {
            return Some(found);
        }
        if let Some(child) = node.any
            && !segment.is_empty()
            && let Some(found) = self.walk(child, behind, search)
        {
            return Some(found);
        }
        if segment.is_empty() && behind.is_some() { None } else { node.rest.choose(search) }
    }
}

// === impl Node ===

impl Node {
    fn position(&self, literal: &[u8]) -> Result<usize, usize> {
        self.literals.binary_search_by(|(other, _)| (other.len(), &**other).cmp(&(literal.len(), literal)))
    }

    /// The child behind a raw segment.
    #[inline]
    fn literal(&self, raw: &[u8], encoded: bool) -> Option<u32> {
        if !encoded {
            return self.position(raw).ok().map(|found| self.literals[found].1);
        }
        // A longer one matches no literal, even if each of its bytes is encoded.
        if raw.len() > self.literals.last()?.0.len() * 3 {
            return None;
        }
        let mut buffer = Buffer::new();
        let decoded = decode_bytes(raw, &mut buffer).ok()?;
        self.position(decoded).ok().map(|found| self.literals[found].1)
    }
}

// === impl Leaf ===

impl Leaf {
    #[inline]
    fn choose(&self, search: &mut Search<'_>) -> Option<u32> {
        let of = |wanted: &Method| self.methods.iter().find(|(method, _)| method == wanted).map(|(_, entry)| *entry);
        // What answers GET answers HEAD (RFC 9110, section 9.3.2), unless a rule is for HEAD.
        let found = of(search.method).or_else(|| if search.is_head { of(&Method::GET) } else { None });
        found.or(self.every_method).or_else(|| {
            search.other_methods.extend(self.methods.iter().map(|(method, _)| method.clone()));
            None
        })
    }
}

// === impl Search ===

impl<'m> Search<'m> {
    pub(super) fn new(method: &'m Method, encoded: bool) -> Self {
        Self {
            method,
            is_head: *method == Method::HEAD,
            encoded,
            other_methods: Vec::new(),
            #[cfg(test)]
            visits: 0,
        }
    }

    /// The value of an `Allow` header.
    pub(super) fn allow(&self) -> String {
        allow(self.other_methods.iter())
    }
}

/// The value of an `Allow` header where these methods have rules: what has GET has HEAD, and whatever there
/// is answers OPTIONS.
pub(super) fn allow<'m>(methods: impl Iterator<Item = &'m Method>) -> String {
    let mut names: Vec<&str> = methods.map(Method::as_str).chain([Method::OPTIONS.as_str()]).collect();
    if names.contains(&Method::GET.as_str()) {
        names.push(Method::HEAD.as_str());
    }
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

#[cfg(test)]
mod tests;
