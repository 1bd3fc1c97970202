//! Reads what was released, and waits for the next release.
//!
//! ```text
//! read every namespace ──► tell ──► /notifications/v2 holds the request until a namespace is released
//!          ▲                                                │                 (or for a minute)
//!          └────────────────────────────────────────────────┘
//! ```

use crate::Address;
use crate::http::{encode, get};
use hyper::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tidegate_source::{ConfigSource, Document, MAX_BYTES, Next, Part, Revision, SourceError};
use tokio::time::sleep;

/// How long reading one namespace may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a poll may take: a config service holds it for 60 s.
const POLL_PATIENCE: Duration = Duration::from_secs(90);
/// The shortest time from a poll that was answered to the next: a service that answers always at once is asked
/// twice a second, as Apollo's own client does.
const GAP: Duration = Duration::from_millis(500);

/// The namespaces of one app and cluster. A namespace in the form `yaml` is a part of the config; of one of
/// properties each value is a part, in the order of their keys.
pub struct ApolloSource {
    address: Address,
    name: String,
    /// By namespace, what was told of it last: the number of the notification, and its messages.
    notified: BTreeMap<String, (i64, Value)>,
    /// By namespace; empty before the first read.
    read: BTreeMap<String, Release>,
    /// Something was released since `read`.
    stale: bool,
    given: Option<Vec<Part>>,
    told: Option<SourceError>,
}

/// What was released of a namespace.
struct Release {
    key: String,
    parts: Vec<Part>,
}

// === impl ApolloSource ===

impl ApolloSource {
    /// Nothing is asked yet. Must be used within a runtime.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            name: format!("apollo {address}"),
            address,
            notified: BTreeMap::new(),
            read: BTreeMap::new(),
            stale: true,
            given: None,
            told: None,
        }
    }

    async fn changed(&mut self) -> Result<Document, SourceError> {
        loop {
            if !self.stale {
                self.poll().await.inspect_err(|_| {
                    self.given = None;
                    self.stale = true;
                })?;
            }
            if !self.stale {
                continue;
            }
            match self.read_all().await {
                Ok(document) => {
                    self.stale = false;
                    self.told = None;
                    if self.given.as_ref() != Some(&document.parts) {
                        self.given = Some(document.parts.clone());
                        return Ok(document);
                    }
                }
                Err(error) => {
                    self.given = None;
                    // What is not there is waited for; told once.
                    self.stale = !error.absent;
                    if !error.absent || self.told.as_ref() != Some(&error) {
                        self.told = Some(error.clone());
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Waits until something is released.
    async fn poll(&mut self) -> Result<(), SourceError> {
        let notification = |namespace: &String| {
            let number = self.notified.get(namespace).map_or(-1, |(number, _)| *number);
            json!({ "namespaceName": namespace, "notificationId": number })
        };
        let notifications: Vec<Value> = self.address.namespaces.iter().map(notification).collect();
        let Address { server, app, cluster, .. } = &self.address;
        let known = encode(&Value::from(notifications).to_string());
        let target = format!("/notifications/v2?appId={app}&cluster={cluster}&notifications={known}");
        let (status, body) = get(server, &target, POLL_PATIENCE).await.map_err(|why| self.away(&why))?;
        match status {
            StatusCode::NOT_MODIFIED => return Ok(()),
            StatusCode::OK => {}
            _ => return Err(self.away(&format!("a poll is answered with {status}"))),
        }
        let released = serde_json::from_slice::<Vec<Value>>(&body);
        for one in released.map_err(|_| self.away("a poll is answered with something else than notifications"))? {
            let (name, number) = (one["namespaceName"].as_str(), one["notificationId"].as_i64());
            let (Some(name), Some(number)) = (name, number) else { continue };
            self.notified.insert(name.to_owned(), (number, one["messages"].clone()));
        }
        // Before the pause: if this future is dropped in it, what was heard is read all the same.
        self.stale = true;
        if self.given.is_some() {
            sleep(GAP).await;
        }
        Ok(())
    }

    /// Reads all namespaces.
    async fn read_all(&mut self) -> Result<Document, SourceError> {
        for namespace in self.address.namespaces.clone() {
            let release = self.read(&namespace).await?;
            self.read.insert(namespace, release);
        }
        let releases = || self.address.namespaces.iter().filter_map(|namespace| self.read.get(namespace));
        let keys: Vec<&str> = releases().map(|release| release.key.as_str()).collect();
        let parts: Vec<Part> = releases().flat_map(|release| release.parts.iter().cloned()).collect();
        if parts.is_empty() {
            return Err(SourceError::absent(format!("{}: nothing is released in it", self.name)));
        }
        let document = Document { revision: Revision::new(keys.join(",")), parts };
        if document.bytes() > MAX_BYTES {
            let message = format!("{}: it has {} bytes; {MAX_BYTES} is the most", self.name, document.bytes());
            return Err(SourceError::absent(message));
        }
        Ok(document)
    }

    async fn read(&self, namespace: &str) -> Result<Release, SourceError> {
        let Address { server, app, cluster, .. } = &self.address;
        // So that a config service with a cache gives nothing older than what it notified of.
        let messages = match self.notified.get(namespace) {
            Some((_, messages)) if !messages.is_null() => format!("?messages={}", encode(&messages.to_string())),
            _ => String::new(),
        };
        let target = format!("/configs/{app}/{cluster}/{namespace}{messages}");
        let (status, body) = get(server, &target, PATIENCE).await.map_err(|why| self.away(&why))?;
        if status == StatusCode::NOT_FOUND {
            let message = format!("{}: the namespace `{namespace}` is not released", self.name);
            return Err(SourceError::absent(message));
        }
        if status != StatusCode::OK {
            return Err(self.away(&format!("the namespace `{namespace}` is answered with {status}")));
        }
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|_| self.away(&format!("the namespace `{namespace}` is answered with no JSON")))?;
        let key = answer["releaseKey"].as_str().unwrap_or_default().to_owned();
        let empty = Map::new();
        let configurations = answer["configurations"].as_object().unwrap_or(&empty);
        Ok(Release { key, parts: parts(namespace, configurations) })
    }

    fn away(&self, why: &str) -> SourceError {
        SourceError::away(format!("{}: {why}", self.name))
    }
}

/// Apollo keeps a text under the key `content`.
fn parts(namespace: &str, configurations: &Map<String, Value>) -> Vec<Part> {
    let text = |value: &Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    if namespace.ends_with(".yaml") || namespace.ends_with(".yml") {
        let content = configurations.get("content").map(text);
        return content.into_iter().map(|text| Part { name: namespace.to_owned(), text }).collect();
    }
    let sorted: BTreeMap<&String, &Value> = configurations.iter().collect();
    sorted.into_iter().map(|(key, value)| Part { name: format!("{namespace}/{key}"), text: text(value) }).collect()
}

impl ConfigSource for ApolloSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn again(&mut self) {
        self.given = None;
        self.told = None;
        self.stale = true;
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(self.changed())
    }
}

impl std::fmt::Debug for ApolloSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApolloSource").field("address", &self.address).finish_non_exhaustive()
    }
}
