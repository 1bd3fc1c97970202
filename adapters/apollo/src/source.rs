//! The source: reads what has to be read, then waits for the next release.

use crate::config::Config;
use crate::failure::Failure;
use crate::namespace::Namespace;
use crate::requests::{Read, Requests};
use crate::servers::Servers;
use crate::tls::Means;
use std::time::Duration;
use tidegate_source::{ConfigSource, Document, MAX_BYTES, Next, Part, Revision, SourceError};
use tokio::time::sleep;

/// The time since 1970, as others know it. Signatures carry it.
pub type WallClock = fn() -> Duration;

/// The pause after a long poll that was answered without a reason; each further one doubles it. A server that
/// does not hold it is not asked without end.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest of these pauses.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A config in Apollo.
///
/// When a server fails, all namespaces are read anew at the next one; it is an error only if none of them can be
/// used.
#[derive(Debug)]
pub struct Apollo {
    config: Config,
    name: String,
    means: Means,
    servers: Servers,
    /// What went wrong, one server after the other, since one of them could be used.
    failures: Vec<String>,
    /// At each of them nobody was there.
    nobody: bool,
    namespaces: Vec<Namespace>,
    /// What was told last: the parts, or which namespaces there are not.
    told: Option<Result<Vec<Part>, Vec<String>>>,
    /// Long polls that brought nothing, one after the other.
    in_vain: u32,
}

// === impl Apollo ===

impl Apollo {
    /// A source that is not connected yet.
    #[must_use]
    pub fn new(config: Config, clock: WallClock) -> Self {
        let name = config.name();
        let means = Means::new(clock, config.tls.as_ref());
        let namespaces = config.namespaces.iter().cloned().map(Namespace::new).collect();
        let servers = Servers::default();
        Self { config, name, means, servers, failures: Vec::new(), nobody: true, namespaces, told: None, in_vain: 0 }
    }

    async fn wait(&mut self) -> Result<Document, SourceError> {
        loop {
            if let Err(failure) = self.read().await {
                self.lost(&failure)?;
                continue;
            }
            if let Some(news) = self.news() {
                self.in_vain = 0;
                self.can_be_used();
                return news;
            }
            if self.in_vain > 0 {
                sleep(PAUSE.saturating_mul(1 << (self.in_vain - 1).min(16)).min(PAUSE_MAX)).await;
            }
            if let Err(failure) = self.poll().await {
                self.lost(&failure)?;
            }
            self.in_vain = self.in_vain.saturating_add(1);
        }
    }

    /// Reads the namespaces that are not up to date.
    async fn read(&mut self) -> Result<(), Failure> {
        let Self { config, servers, means, .. } = self;
        for namespace in self.namespaces.iter_mut().filter(|namespace| namespace.stale) {
            let server = servers.present(config, means).await?;
            let requests = Requests { config, server: &server, means };
            match requests.read(namespace).await? {
                Read::Same => namespace.stale = false,
                Read::Nothing => namespace.take(None),
                Read::Release(release) => namespace.take(Some(release)),
            }
        }
        let mut bytes = 0;
        for namespace in &self.namespaces {
            bytes += namespace.found.as_ref().map_or(0, |found| found.text.len());
            if bytes > MAX_BYTES {
                return Err(Failure::TooLarge { namespace: namespace.name.clone(), most: MAX_BYTES });
            }
        }
        Ok(())
    }

    /// Waits for a release; comes back without one after about a minute.
    async fn poll(&mut self) -> Result<(), Failure> {
        let Self { config, servers, means, namespaces, .. } = self;
        let server = servers.present(config, means).await?;
        let requests = Requests { config, server: &server, means };
        let notifications = requests.notifications(namespaces).await?;
        for notification in notifications {
            let known = namespaces.iter_mut().find(|namespace| namespace.name == notification.namespace);
            if let Some(namespace) = known {
                namespace.notice(notification.id, notification.messages);
            }
        }
        self.can_be_used();
        Ok(())
    }

    /// Forgives what the server, and others before it, have failed at.
    fn can_be_used(&mut self) {
        self.failures.clear();
        self.nobody = true;
        self.servers.succeeded();
    }

    /// What is known, if it differs from what was told last. Counts as told then.
    fn news(&mut self) -> Option<Result<Document, SourceError>> {
        let missing: Vec<String> =
            self.namespaces.iter().filter(|namespace| namespace.found.is_none()).map(|it| it.name.clone()).collect();
        let found = self.namespaces.iter().filter_map(|it| it.found.as_ref().map(|found| (&it.name, found)));
        let parts = found.clone().map(|(name, found)| Part { name: name.clone(), text: found.text.clone().into() });
        let state = if missing.is_empty() { Ok(parts.collect()) } else { Err(missing) };
        if self.told.as_ref() == Some(&state) {
            return None;
        }
        self.told = Some(state.clone());
        let keys: Vec<&str> = found.map(|(_, found)| found.key.as_str()).collect();
        let revision = Revision::new(keys.join("+"));
        Some(match state {
            Ok(parts) => Ok(Document { revision, parts }),
            Err(missing) => Err(self.absent(&missing)),
        })
    }

    fn absent(&self, missing: &[String]) -> SourceError {
        let Config { app, cluster, .. } = &self.config;
        let (server, missing) = (self.servers.shown(&self.config), missing.join(", "));
        let message = format!("apollo at {server}: app {app}, cluster {cluster} has no release of {missing}");
        SourceError::absent(message)
    }

    /// Whoever is asked next is another server. An error if all of them failed, one after the other; what is
    /// read after it is told.
    fn lost(&mut self, failure: &Failure) -> Result<(), SourceError> {
        self.failures.push(format!("apollo at {}: {failure}", self.servers.shown(&self.config)));
        self.nobody &= matches!(failure, Failure::Unreachable { .. });
        for namespace in &mut self.namespaces {
            *namespace = Namespace::new(std::mem::take(&mut namespace.name));
        }
        if !self.servers.failed(&self.config) {
            return Ok(());
        }
        self.told = None;
        let nobody = std::mem::replace(&mut self.nobody, true);
        let failures = std::mem::take(&mut self.failures).join("; ");
        Err(if nobody { SourceError::unreachable(failures) } else { SourceError::away(failures) })
    }
}

impl ConfigSource for Apollo {
    fn name(&self) -> &str {
        &self.name
    }

    fn again(&mut self) {
        self.told = None;
        // Read anew, whatever was announced so far.
        self.namespaces.iter_mut().for_each(|namespace| namespace.stale = true);
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(self.wait())
    }
}
