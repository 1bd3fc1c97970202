//! What a request must have, beside its host and path.

use crate::request::{RequestView, header_value, query_value};
use crate::value::ValueMatch;
use http::{HeaderName, Method};
use std::fmt;

/// What a request must have, beside its host and path. All must hold; nothing is asked for by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// One of these; empty is any. HEAD is a method of its own.
    pub methods: Vec<Method>,
    /// Each of these headers, comma-joined if it is repeated.
    pub headers: Vec<(HeaderName, ValueMatch)>,
    /// Each of these query parameters, decoded; comma-joined if it is repeated.
    pub query: Vec<(String, ValueMatch)>,
}

/// The first condition that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet<'c> {
    /// All but the method.
    Method(&'c [Method]),
    /// This header.
    Header(&'c HeaderName, &'c ValueMatch),
    /// This query parameter.
    Query(&'c str, &'c ValueMatch),
}

impl Conditions {
    /// Whether all hold.
    ///
    /// # Errors
    /// The first that does not. The method is looked at last: if it is what is told, all others hold.
    pub fn check(&self, request: &RequestView<'_>) -> Result<(), Unmet<'_>> {
        for (name, want) in &self.headers {
            if !want.holds(header_value(request.headers, name).as_deref()) {
                return Err(Unmet::Header(name, want));
            }
        }
        for (name, want) in &self.query {
            if !want.holds(query_value(request.query, name).as_deref()) {
                return Err(Unmet::Query(name, want));
            }
        }
        if self.methods.is_empty() || self.methods.contains(request.method) {
            return Ok(());
        }
        Err(Unmet::Method(&self.methods))
    }

    /// Whether every request that these conditions take, with this method (`None` is one that nobody names), is
    /// surely taken by `other` too.
    pub(crate) fn is_within(&self, method: Option<&Method>, other: &Self) -> bool {
        let method_fits = other.methods.is_empty() || method.is_some_and(|method| other.methods.contains(method));
        method_fits
            && other.headers.iter().all(|wanted| self.headers.contains(wanted))
            && other.query.iter().all(|wanted| self.query.contains(wanted))
    }

    /// Whether both say the same, in any order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let methods = |a: &Self, b: &Self| a.methods.iter().all(|method| b.methods.contains(method));
        let values = |a: &Self, b: &Self| {
            a.headers.iter().all(|wanted| b.headers.contains(wanted))
                && a.query.iter().all(|wanted| b.query.contains(wanted))
        };
        self.methods.is_empty() == other.methods.is_empty()
            && methods(self, other)
            && methods(other, self)
            && values(self, other)
            && values(other, self)
    }
}

impl fmt::Display for Unmet<'_> {
    /// What would have to be: "header `x-kind` begins with `mobile`".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(methods) => {
                let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
                write!(f, "the method is {}", names.join(" or "))
            }
            Self::Header(name, want) => write!(f, "header `{name}` {want}"),
            Self::Query(name, want) => write!(f, "query parameter `{name}` {want}"),
        }
    }
}
