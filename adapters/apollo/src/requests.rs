//! The requests of Apollo's HTTP API, and what their answers mean.

use crate::address::Address;
use crate::config::Config;
use crate::failure::Failure;
use crate::http::{Answer, Get};
use crate::messages::{Asked, Notification, Release, Service};
use crate::namespace::Namespace;
use crate::signature;
use crate::tls::Means;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::time::Duration;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long Apollo may hold the long poll: a minute, unless it is told otherwise, and a margin.
const HOLD: Duration = Duration::from_secs(75);
/// What stands for itself in paths and queries (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Asks one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requests<'a> {
    pub(crate) config: &'a Config,
    pub(crate) server: &'a Address,
    pub(crate) means: &'a Means,
}

/// What came of reading a namespace.
#[derive(Debug)]
pub(crate) enum Read {
    Release(Release),
    /// It is the one that is known.
    Same,
    /// There is no such namespace, or nothing of it was ever released.
    Nothing,
}

// === impl Requests ===

impl Requests<'_> {
    /// Where the config services are. `None` if the server does not know the question.
    pub(crate) async fn services(self) -> Result<Option<Vec<Address>>, Failure> {
        const ASKED: &str = "the search for config services";
        let target = format!("/services/config?appId={}", escape(&self.config.app));
        let answer = self.get(ASKED, &target, ANSWER).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let services: Vec<Service> = self.json(ASKED, &answer)?;
        Ok(Some(services.iter().filter_map(|service| Address::of_url(&service.url, self.config.scheme())).collect()))
    }

    /// Reads a namespace.
    pub(crate) async fn read(self, namespace: &Namespace) -> Result<Read, Failure> {
        const ASKED: &str = "reading";
        let Config { app, cluster, .. } = self.config;
        let mut target = format!("/configs/{}/{}/{}", escape(app), escape(cluster), escape(&namespace.name));
        let mut separator = '?';
        if let Some(found) = &namespace.found {
            target.push_str(&format!("?releaseKey={}", escape(&found.key)));
            separator = '&';
        }
        if let Some(messages) = &namespace.messages {
            let messages = serde_json::to_string(messages).expect("invariant: names and numbers are JSON");
            target.push_str(&format!("{separator}messages={}", escape(&messages)));
        }
        let answer = self.get(ASKED, &target, ANSWER).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(Read::Same),
            StatusCode::NOT_FOUND => Ok(Read::Nothing),
            _ => self.json(ASKED, &answer).map(Read::Release),
        }
    }

    /// Waits for releases, for about a minute; nothing if there was none.
    pub(crate) async fn notifications(self, namespaces: &[Namespace]) -> Result<Vec<Notification>, Failure> {
        const ASKED: &str = "the long poll";
        let known = namespaces.iter().map(|namespace| Asked { namespace: &namespace.name, id: namespace.id });
        let known = serde_json::to_string(&known.collect::<Vec<_>>()).expect("invariant: names and numbers are JSON");
        let Config { app, cluster, .. } = self.config;
        let (app, cluster, known) = (escape(app), escape(cluster), escape(&known));
        let target = format!("/notifications/v2?appId={app}&cluster={cluster}&notifications={known}");
        let answer = self.get(ASKED, &target, HOLD).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Vec::new());
        }
        self.json(ASKED, &answer)
    }

    async fn get(self, asked: &'static str, target: &str, within: Duration) -> Result<Answer, Failure> {
        let Address { authority, base } = self.server;
        let target = format!("{base}{target}");
        let headers = self.signed(&target);
        let tls = self.means.tls()?;
        Get { asked, authority, target: &target, headers, within, tls }.send().await
    }

    /// The headers that show that we have the access key, if there is one.
    fn signed(self, target: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some(secret) = &self.config.secret else { return headers };
        let timestamp = (self.means.clock)().as_millis().to_string();
        let signature = signature::sign(&secret.0, &timestamp, target);
        let authorization = format!("Apollo {}:{signature}", self.config.app);
        // An app's id that is no header value is one that Apollo does not have: its answer will say so.
        if let (Ok(mut authorization), Ok(timestamp)) =
            (HeaderValue::try_from(authorization), HeaderValue::try_from(timestamp))
        {
            authorization.set_sensitive(true);
            headers.insert("authorization", authorization);
            headers.insert("timestamp", timestamp);
        }
        headers
    }

    fn json<T: DeserializeOwned>(self, asked: &'static str, answer: &Answer) -> Result<T, Failure> {
        match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body)
                .map_err(|error| Failure::Strange { asked, reason: error.to_string() }),
            StatusCode::UNAUTHORIZED => Err(Failure::Unauthorized { signed: self.config.secret.is_some() }),
            status => Err(Failure::Status { asked, status: status.as_u16() }),
        }
    }
}

fn escape(text: &str) -> impl Display + '_ {
    utf8_percent_encode(text, ESCAPED)
}
