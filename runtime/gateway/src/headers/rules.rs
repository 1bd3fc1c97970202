//! A policy, compiled: request headers → metadata, and metadata → response headers.

use super::{Nominated, check_value, is_origin, is_protocol};
use crate::answer::Refusal;
use crate::b3;
use crate::config::template::Facts;
use crate::config::{B3, Case, Mapping, MetadataPolicy, Preset, Template};
use crate::metadata::REQUEST_ID;
use crate::peer::Peer;
use crate::trust;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request;

const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-envoy-original-method");

/// grpc-gateway's prefixes.
const METADATA_PREFIX: &str = "grpc-metadata-";
const TRAILER_PREFIX: &str = "grpc-trailer-";
const PERMANENT_PREFIX: &str = "grpcgateway-";

/// A compiled [`MetadataPolicy`].
#[derive(Debug, Default)]
pub(crate) struct HeaderRules {
    exact: Vec<HeaderName>,
    prefixes: Vec<Box<str>>,
    suffixes: Vec<Box<str>>,
    map: Vec<Mapping>,
    set: Vec<(HeaderName, Template)>,
    preset: Option<Preset>,
    b3: Option<B3>,
}

/// Which part of an upstream's reply metadata is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Head,
    Trailers,
}

// === requests ===

impl HeaderRules {
    pub(crate) fn new(policy: &MetadataPolicy) -> Self {
        let MetadataPolicy { allow, map, set, preset, b3 } = policy;
        let mut rules = Self { map: map.clone(), set: set.clone(), preset: *preset, b3: *b3, ..Self::default() };
        for pattern in allow {
            let pattern = pattern.to_ascii_lowercase();
            if let Some(prefix) = pattern.strip_suffix('*') {
                rules.prefixes.push(prefix.into());
            } else if let Some(suffix) = pattern.strip_prefix('*') {
                rules.suffixes.push(suffix.into());
            } else if let Ok(name) = HeaderName::try_from(pattern) {
                rules.exact.push(name);
            }
        }
        rules
    }

    /// Copies the request headers that the policy lets pass into `metadata`, under the names that it gives
    /// them, and says what it says itself.
    ///
    /// Hop-by-hop headers, those that `Connection` names, what belongs to the protocols (`grpc-*`,
    /// `content-*`, `host`), our own (`tidegate-*`) and those in which the gateway says where a request came
    /// from never pass. What the policy maps or sets, no header says under that name.
    ///
    /// # Errors
    /// 400 for a value that metadata cannot carry, naming the header.
    pub(crate) fn copy_request(
        &self,
        head: &request::Parts,
        peer: &Peer,
        facts: &Facts<'_>,
        metadata: &mut HeaderMap,
    ) -> Result<(), Refusal> {
        let headers = &head.headers;
        let nominated = headers.get(header::CONNECTION).map(|_| Nominated::new(headers));
        for (name, value) in headers {
            if nominated.as_ref().is_some_and(|nominated| nominated.holds(name)) {
                continue;
            }
            if let Some(mapping) = self.map.iter().find(|mapping| mapping.header == *name) {
                map(mapping, value, metadata)?;
                continue;
            }
            if self.preset == Some(Preset::GrpcGateway)
                && let Some(key) = self.key_of_grpc_gateway(name, peer)
                && check_value(&key, value).is_ok()
            {
                metadata.append(key, value.clone());
            }
            if self.passes(name) && !self.writes(name) {
                check_value(name, value)?;
                metadata.append(name.clone(), value.clone());
            }
        }
        self.say(head, facts, metadata);
        Ok(())
    }

    /// The key that grpc-gateway gives a header. What metadata cannot carry is left out, as it does.
    fn key_of_grpc_gateway(&self, name: &HeaderName, peer: &Peer) -> Option<HeaderName> {
        let text = name.as_str();
        if let Some(key) = text.strip_prefix(METADATA_PREFIX) {
            let key = HeaderName::try_from(key).ok()?;
            let free = !is_protocol(key.as_str()) && !is_origin(key.as_str()) && !self.writes(&key);
            return (free && trust::may_say(&key, peer)).then_some(key);
        }
        is_permanent(text).then(|| HeaderName::try_from(format!("{PERMANENT_PREFIX}{text}")).ok()).flatten()
    }

    fn passes(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        let allowed = self.exact.contains(name)
            || self.prefixes.iter().any(|prefix| text.starts_with(&**prefix))
            || self.suffixes.iter().any(|suffix| text.ends_with(&**suffix));
        allowed && !is_protocol(text) && !is_origin(text)
    }

    /// Whether the policy itself says what has this key.
    fn writes(&self, key: &HeaderName) -> bool {
        self.map.iter().any(|mapping| mapping.metadata == *key) || self.set.iter().any(|(set, _)| set == key)
    }

    /// What requests have whatever their headers say.
    fn say(&self, head: &request::Parts, facts: &Facts<'_>, metadata: &mut HeaderMap) {
        for mapping in &self.map {
            if mapping.header == REQUEST_ID {
                metadata.insert(mapping.metadata.clone(), facts.request_id.clone());
            } else if let Some(default) = &mapping.default
                && !metadata.contains_key(&mapping.metadata)
            {
                metadata.insert(mapping.metadata.clone(), default.clone());
            }
        }
        if self.preset == Some(Preset::Envoy) {
            let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
            let values = [(ORIGINAL_PATH, path), (ORIGINAL_METHOD, head.method.as_str())];
            for (name, value) in values {
                if let Ok(value) = HeaderValue::from_str(value) {
                    metadata.insert(name, value);
                }
            }
        }
        self.set(facts, metadata);
    }

    fn set(&self, facts: &Facts<'_>, metadata: &mut HeaderMap) {
        if let Some(form) = self.b3 {
            b3::emit(metadata, form);
        }
        for (name, template) in &self.set {
            match template.value(facts) {
                Some(value) => drop(metadata.insert(name.clone(), value)),
                None => drop(metadata.remove(name)),
            }
        }
    }

    /// The same for a native call, whose headers are metadata already: an identity that only a trusted peer
    /// may say is not said under the name that it has as metadata either.
    pub(crate) fn apply_native(&self, peer: &Peer, facts: &Facts<'_>, metadata: &mut HeaderMap) {
        for mapping in &self.map {
            if !trust::may_say(&mapping.header, peer) {
                metadata.remove(&mapping.metadata);
            }
        }
        self.set(facts, metadata);
    }
}

/// Trimmed, and in the case that the mapping asks for. An empty value is none.
fn map(mapping: &Mapping, value: &HeaderValue, metadata: &mut HeaderMap) -> Result<(), Refusal> {
    if mapping.header == REQUEST_ID {
        return Ok(());
    }
    let bytes = value.as_bytes().trim_ascii();
    if bytes.is_empty() {
        return Ok(());
    }
    check_value(&mapping.header, value)?;
    if mapping.metadata.as_str().ends_with("-bin") {
        check_value(&mapping.metadata, value)?;
    }
    let changed = match mapping.case {
        Case::AsItIs if bytes.len() == value.len() => None,
        Case::AsItIs => Some(bytes.to_vec()),
        Case::Lower => Some(bytes.to_ascii_lowercase()),
        Case::Upper => Some(bytes.to_ascii_uppercase()),
    };
    let changed = changed.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
    metadata.append(mapping.metadata.clone(), changed.unwrap_or_else(|| value.clone()));
    Ok(())
}

/// HTTP's own headers, as grpc-gateway knows them (`isPermanentHTTPHeader` of its `runtime/context.go`), but
/// for the host, which is `x-forwarded-host`.
fn is_permanent(name: &str) -> bool {
    matches!(
        name,
        "accept"
            | "accept-charset"
            | "accept-language"
            | "accept-ranges"
            | "authorization"
            | "cache-control"
            | "content-type"
            | "cookie"
            | "date"
            | "expect"
            | "from"
            | "if-match"
            | "if-modified-since"
            | "if-none-match"
            | "if-schedule-tag-match"
            | "if-unmodified-since"
            | "max-forwards"
            | "origin"
            | "pragma"
            | "referer"
            | "user-agent"
            | "via"
            | "warning"
    )
}

// === replies ===

impl HeaderRules {
    /// Copies an upstream's metadata (headers, or the trailers of a unary reply) into response headers.
    pub(crate) fn copy_reply(&self, metadata: &HeaderMap, part: Part, headers: &mut HeaderMap) {
        for (key, value) in metadata {
            let text = key.as_str();
            let of_content = matches!(text, "content-disposition" | "content-language" | "content-location");
            if !of_content && is_protocol(text) {
                continue;
            }
            if let Some(mapping) = self.map.iter().find(|mapping| mapping.metadata == *key) {
                // Its id is the gateway's to say.
                if mapping.header != REQUEST_ID {
                    headers.append(mapping.header.clone(), value.clone());
                }
                continue;
            }
            let name = match (self.preset, part) {
                (Some(Preset::GrpcGateway), Part::Head) => HeaderName::try_from(format!("{METADATA_PREFIX}{text}")),
                (Some(Preset::GrpcGateway), Part::Trailers) => HeaderName::try_from(format!("{TRAILER_PREFIX}{text}")),
                _ => Ok(key.clone()),
            };
            if let Ok(name) = name {
                headers.append(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
