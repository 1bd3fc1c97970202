//! The messages of Apollo's HTTP API that are used here, with the fields that are used.
//!
//! Source: `ApolloConfig`, `ApolloConfigNotification`, `ServiceDTO` of apollo-core 2.4.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A namespace at its release.
#[derive(Debug, Deserialize)]
pub(crate) struct Release {
    #[serde(default)]
    pub(crate) configurations: BTreeMap<String, String>,
    #[serde(default, rename = "releaseKey")]
    pub(crate) key: String,
}

/// What the long poll is asked: the last release that is known of a namespace.
#[derive(Debug, Serialize)]
pub(crate) struct Asked<'a> {
    #[serde(rename = "namespaceName")]
    pub(crate) namespace: &'a str,
    #[serde(rename = "notificationId")]
    pub(crate) id: i64,
}

/// What it answers: that there is another one.
#[derive(Debug, Deserialize)]
pub(crate) struct Notification {
    #[serde(rename = "namespaceName")]
    pub(crate) namespace: String,
    #[serde(rename = "notificationId")]
    pub(crate) id: i64,
    #[serde(default)]
    pub(crate) messages: Option<Messages>,
}

/// Which releases caused it. Given back when the namespace is read, so that a config service with a cache
/// knows that its own is too old.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Messages {
    #[serde(default)]
    details: BTreeMap<String, i64>,
}

/// A config service, as a meta server names it.
#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    #[serde(rename = "homepageUrl")]
    pub(crate) url: String,
}
