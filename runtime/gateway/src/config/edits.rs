//! Changes to the headers of a request or a reply.

use super::template::{Facts, Template};
use http::{HeaderMap, HeaderName};

/// What is removed, then set, then added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// These go.
    pub remove: Vec<HeaderName>,
    /// These have this value and no other. One whose placeholder stands for nothing goes.
    pub set: Vec<(HeaderName, Template)>,
    /// These have this value too.
    pub add: Vec<(HeaderName, Template)>,
}

impl HeaderEdits {
    pub(crate) fn apply(&self, headers: &mut HeaderMap, facts: &Facts<'_>) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, template) in &self.set {
            match template.value(facts) {
                Some(value) => drop(headers.insert(name.clone(), value)),
                None => drop(headers.remove(name)),
            }
        }
        for (name, template) in &self.add {
            if let Some(value) = template.value(facts) {
                headers.append(name.clone(), value);
            }
        }
    }
}
