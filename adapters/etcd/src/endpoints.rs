//! Endpoints that register themselves in etcd: one key each, below a prefix.

use crate::config::Config;
use crate::source::Etcd;
use serde_json::Value;
use std::fmt;
use tidegate_source::{ConfigSource, Document};
use tidegate_traffic::discovery::{Finder, Found, Lost, Next, Place};

/// The endpoints below a prefix, which is the config's key.
///
/// The value of a key is `host:port`, or JSON: `{"address": "host:port", "weight": 3}`, or as etcd's own client for Go
/// registers gRPC endpoints, `{"Addr": "host:port"}`. A key that goes, by a lease that runs out for instance, takes its endpoint
/// with it; that there is none left is not believed.
pub struct EtcdEndpoints(Etcd);

impl EtcdEndpoints {
    /// A finder that is not connected yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(Etcd::new(config))
    }

    async fn wait(&mut self) -> Result<Found, Lost> {
        let document = self.0.next().await.map_err(|error| Lost(error.message))?;
        let found = read(&document);
        if found.places.is_empty() {
            return Err(Lost(found.wrong.join("; ")));
        }
        Ok(found)
    }
}

impl Finder for EtcdEndpoints {
    fn next(&mut self) -> Next<'_> {
        Box::pin(self.wait())
    }
}

impl fmt::Debug for EtcdEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EtcdEndpoints").field(&self.0.name()).finish()
    }
}

fn read(document: &Document) -> Found {
    let mut found = Found::default();
    for part in &document.parts {
        match place(&part.text) {
            Some(place) => found.places.push(place),
            None => found
                .wrong
                .push(format!("the value of {} in etcd is neither host:port nor JSON with an address", part.name)),
        }
    }
    // Two keys of one endpoint are one.
    found.places.sort();
    found.places.dedup_by(|a, b| (&a.host, a.port) == (&b.host, b.port));
    found
}

fn place(value: &[u8]) -> Option<Place> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.starts_with('{') {
        return at(text, 1);
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let address = value.get("address").or_else(|| value.get("Addr"))?.as_str()?;
    let weight = match value.get("weight") {
        None | Some(Value::Null) => 1,
        Some(weight) => weight.as_u64().and_then(|weight| u16::try_from(weight).ok())?.into(),
    };
    at(address, weight)
}

fn at(address: &str, weight: u32) -> Option<Place> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fits = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    let host = match bare {
        Some(bare) => bare,
        // An IPv6 address without brackets could be read in two ways.
        None if host.contains(':') => return None,
        None => host,
    };
    fits(host).then(|| Place { host: host.to_owned(), port, weight })
}

#[cfg(test)]
mod tests {
    use super::{Place, place};

    fn at(host: &str, port: u16, weight: u32) -> Option<Place> {
        Some(Place { host: host.into(), port, weight })
    }

    #[test]
    fn values_are_addresses_or_json() {
        let of = |text: &str| place(text.as_bytes());
        assert_eq!(of("10.0.0.1:50051\n"), at("10.0.0.1", 50051, 1));
        assert_eq!(of("[fd00::1]:80"), at("fd00::1", 80, 1));
        assert_eq!(of(r#"{"address": "shop-1:80", "weight": 3, "zone": "b"}"#), at("shop-1", 80, 3));
        assert_eq!(of(r#"{"Op":0,"Addr":"10.0.0.1:50051","Metadata":null}"#), at("10.0.0.1", 50051, 1));
        let wrong = ["", "shop", "shop:0", "shop:99999", ":80", "fd00::1:80", "http://shop:80", "{", "{}", "[]"];
        assert!(wrong.iter().all(|text| of(text).is_none()));
        assert_eq!(of(r#"{"address": "shop:80", "weight": -1}"#), None);
    }
}
