//! Path templates read off their description, as plainly as can be: what the router is compared with.

/// A template that the router accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// `GET`, …, or `*`.
    pub(crate) method: String,
    pub(crate) segments: Vec<Segment>,
    pub(crate) verb: Option<Vec<u8>>,
    pub(crate) variables: Vec<Variable>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(Vec<u8>),
    Any,
    Rest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Its segments.
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// It has several, or `**`: `%2F` stays as it is.
    pub(crate) multi: bool,
}

// === impl Template ===

impl Template {
    /// Reads a template that is known to be well-formed.
    pub(crate) fn read(method: &str, text: &str) -> Self {
        // The verb follows the last colon that is in no variable and before no slash.
        let tail = text.rfind(['/', '}']).map_or(0, |at| at + 1);
        let colon = text[tail..].rfind(':').map(|at| tail + at);
        let verb = colon.map(|colon| decode(&text.as_bytes()[colon + 1..], false));
        let mut rest = &text[1..colon.unwrap_or(text.len())];
        let (mut segments, mut variables) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let first = segments.len();
            if let Some(inside) = rest.strip_prefix('{') {
                let (inside, behind) = inside.split_once('}').expect("a variable is closed");
                let (name, pattern) = inside.split_once('=').unwrap_or((inside, "*"));
                segments.extend(pattern.split('/').map(Segment::read));
                let count = segments.len() - first;
                let multi = count > 1 || segments[first] == Segment::Rest;
                variables.push(Variable { name: name.to_owned(), first, count, multi });
                rest = behind;
            } else {
                let end = rest.find('/').unwrap_or(rest.len());
                segments.push(Segment::read(&rest[..end]));
                rest = &rest[end..];
            }
            rest = rest.strip_prefix('/').unwrap_or(rest);
        }
        Self { method: method.to_owned(), segments, verb, variables }
    }

    /// What the variables capture of a path that matches.
    pub(crate) fn captures<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        let stem = match &self.verb {
            None => path,
            Some(verb) => {
                let (stem, found) = path.rsplit_once(':')?;
                let is_verb = !found.contains('/') && decode(found.as_bytes(), false) == *verb;
                is_verb.then_some(stem)?
            }
        };
        let stem = stem.strip_prefix('/')?;
        // Where each segment begins, and where the last one ends.
        let mut starts = vec![0];
        starts.extend(stem.match_indices('/').map(|(at, _)| at + 1));
        let count = if stem.is_empty() { 0 } else { starts.len() };
        let end = |index: usize| starts.get(index + 1).map_or(stem.len(), |next| next - 1);
        for (index, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::Rest {
                let left = count.saturating_sub(index);
                // It takes what is left, but does not begin with an empty segment that others follow.
                if count < index || left > 1 && starts[index] == end(index) {
                    return None;
                }
                continue;
            }
            if index >= count {
                return None;
            }
            let found = &stem[starts[index]..end(index)];
            let fits = match segment {
                Segment::Literal(text) => decode(found.as_bytes(), false) == *text,
                Segment::Any => !found.is_empty(),
                Segment::Rest => true,
            };
            if !fits {
                return None;
            }
        }
        let to_the_end = self.segments.last() == Some(&Segment::Rest);
        if !to_the_end && count != self.segments.len() {
            return None;
        }
        let capture = |variable: &Variable| {
            let last = variable.first + variable.count - 1;
            let from = starts.get(variable.first).copied().filter(|_| variable.first < count).unwrap_or(stem.len());
            let to = if self.segments[last] == Segment::Rest { stem.len() } else { end(last) };
            &stem[from..to]
        };
        Some(self.variables.iter().map(capture).collect())
    }

    /// What matching templates are compared by; the lesser wins.
    pub(crate) fn rank(&self) -> (Vec<u8>, bool, bool) {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Any => 1,
            Segment::Rest => 2,
        };
        (self.segments.iter().map(rank).collect(), self.verb.is_none(), self.method == "*")
    }

    /// Nobody could tell a request for one from one for the other.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.method == other.method && self.segments == other.segments && self.verb == other.verb
    }
}

impl Segment {
    fn read(text: &str) -> Self {
        match text {
            "*" => Self::Any,
            "**" => Self::Rest,
            literal => Self::Literal(decode(literal.as_bytes(), false)),
        }
    }
}

/// Percent-decodes text whose escapes are known to be complete; `slashes_stay` as they are if they were escaped.
pub(crate) fn decode(text: &[u8], slashes_stay: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let escaped = (text[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let byte = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match byte {
            Some(byte) if !(slashes_stay && byte == b'/') => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Every `%` has its two digits.
pub(crate) fn is_encoded(text: &[u8]) -> bool {
    let complete = |at: usize| text.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    text.iter().enumerate().all(|(at, &byte)| byte != b'%' || complete(at))
}

#[cfg(test)]
mod tests;
