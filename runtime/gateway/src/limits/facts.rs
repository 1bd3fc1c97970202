//! What limits see of a request.

use crate::metadata::FORWARDED_FOR;
use crate::peer::Peer;
use http::{HeaderMap, HeaderName, Method, Uri};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use tidegate_limit::rules::{self, Source};
use tidegate_protojson::{FieldPath, Schema};
use tidegate_traffic::{NormalPath, header_value, query_value};

/// A request as limits see it.
pub(crate) struct Facts<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) peer: &'r Peer,
    /// Its name; empty while it is not known.
    pub(crate) route: &'r str,
    /// What is called, if that is known.
    pub(crate) message: Option<Message<'r>>,
}

/// The message of a call, and what limits look at in it.
pub(crate) struct Message<'r> {
    pub(crate) schema: &'r Schema,
    /// Those of the method's message.
    pub(crate) fields: &'r [(Source, FieldPath)],
    /// `None` if it is not at hand as a whole.
    pub(crate) wire: Option<&'r [u8]>,
}

impl rules::Facts for Facts<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        match source {
            Source::Header(name) => header_value(self.headers, &HeaderName::from_bytes(name.as_bytes()).ok()?),
            Source::Query(name) => query_value(self.uri.query(), name),
            // Two ways to write a path are one budget.
            Source::Path => Some(match NormalPath::new(self.uri.path()) {
                Ok(path) => bytes(path.into_inner()),
                Err(_) => Cow::Borrowed(self.uri.path().as_bytes()),
            }),
            Source::Method => Some(Cow::Borrowed(self.method.as_str().as_bytes())),
            Source::Route => Some(Cow::Borrowed(self.route.as_bytes())),
            Source::Field(_) | Source::PathVariable(_) => self.message.as_ref()?.value(source),
            Source::Identity(_) | Source::Peer { .. } | Source::Constant(_) => None,
        }
    }

    fn peer(&self) -> IpAddr {
        let connected = self.peer.address.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |address| address.ip());
        if !self.peer.is_trusted() {
            return connected;
        }
        // Each proxy adds whom it saw: from the end, the first that nobody trusts.
        let lists = self.headers.get_all(FORWARDED_FOR).iter().rev();
        let said = lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.rsplit(','));
        let mut nearest = connected;
        for hop in said {
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
            nearest = hop;
            if !self.peer.trust().trusts(hop) {
                break;
            }
        }
        nearest
    }
}

impl Message<'_> {
    /// The value of a field; `None` if messages of this method have no such field, or this one has it not set.
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        let (_, path) = self.fields.iter().find(|(known, _)| known == source)?;
        // Of what cannot be looked into nothing is known, but that is no way around the limit.
        match self.wire.map(|wire| path.read(self.schema, wire)) {
            Some(Ok(value)) => value.map(bytes),
            Some(Err(_)) | None => Some(Cow::Borrowed(b"")),
        }
    }
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
