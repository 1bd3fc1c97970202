//! What limits see of a request.

use http::HeaderName;
use http::request::Parts;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use tidegate_limit::rules::{Facts, Source};
use tidegate_traffic::{NormalPath, header_value, query_value};

/// Values by the names that a config has for them: `header:x-user-id`, `field:kind`, `identity:sub`, `route`. The
/// value of `peer` is an address. For limits that are asked by a function: what is not in the list is absent.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a>(pub &'a [(&'a str, &'a str)]);

impl Named<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

impl Facts for Named<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        self.get(&source.label()).map(|value| Cow::Borrowed(value.as_bytes()))
    }

    fn peer(&self) -> IpAddr {
        self.get("peer").and_then(|peer| peer.parse().ok()).unwrap_or(NOBODY)
    }
}

/// Who is not known: they all are one.
const NOBODY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

pub(crate) type ValueOf = dyn Fn(&Parts, &Source) -> Option<String> + Send + Sync;
pub(crate) type PeerOf = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// The head of a request, and what the application knows beside it.
pub(crate) struct Head<'r> {
    pub(crate) head: &'r Parts,
    pub(crate) value: Option<&'r ValueOf>,
    pub(crate) peer: Option<&'r PeerOf>,
}

impl Facts for Head<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        if let Some(value) = self.value.and_then(|value| value(self.head, source)) {
            return Some(Cow::Owned(value.into_bytes()));
        }
        let Parts { method, uri, headers, .. } = self.head;
        match source {
            Source::Header(name) => header_value(headers, &HeaderName::from_bytes(name.as_bytes()).ok()?),
            Source::Query(name) => query_value(uri.query(), name),
            Source::Method => Some(Cow::Borrowed(method.as_str().as_bytes())),
            // Two ways to write a path are one budget.
            Source::Path => Some(match NormalPath::new(uri.path()) {
                Ok(path) => Cow::Owned(path.into_inner().into_owned().into_bytes()),
                Err(_) => Cow::Borrowed(uri.path().as_bytes()),
            }),
            _ => None,
        }
    }

    fn peer(&self) -> IpAddr {
        self.peer.and_then(|peer| peer(self.head)).unwrap_or(NOBODY)
    }
}
