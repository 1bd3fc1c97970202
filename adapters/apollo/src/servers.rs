//! Whose turn it is to be asked.

use crate::address::Address;
use crate::config::Config;
use crate::failure::Failure;
use crate::requests::Requests;
use crate::tls::Means;

/// The servers that are configured, and the config services that they named.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    /// Of the configured ones.
    turn: usize,
    /// Those that are left to be asked, the present one last.
    services: Vec<Address>,
    /// Configured ones that failed, or all of whose config services did, since one could be used.
    failed: usize,
}

// === impl Servers ===

impl Servers {
    /// The one to ask; finds out if that is not known.
    pub(crate) async fn present(&mut self, config: &Config, means: &Means) -> Result<Address, Failure> {
        if let Some(service) = self.services.last() {
            return Ok(service.clone());
        }
        let server = self.configured(config);
        let found = if config.discover { Requests { config, server: &server, means }.services().await? } else { None };
        let mut services = found.unwrap_or_else(|| vec![server]);
        services.reverse();
        let first = services.last().cloned().ok_or(Failure::NoService { scheme: config.scheme() })?;
        self.services = services;
        Ok(first)
    }

    /// The one that was asked failed. After the last config service the next configured server is asked anew.
    /// True if there is nobody left who was not asked since one could be used.
    pub(crate) fn failed(&mut self, config: &Config) -> bool {
        self.services.pop();
        if !self.services.is_empty() {
            return false;
        }
        self.turn = self.turn.wrapping_add(1);
        self.failed += 1;
        if self.failed < config.servers.len() {
            return false;
        }
        self.failed = 0;
        true
    }

    /// The present one can be used.
    pub(crate) fn succeeded(&mut self) {
        self.failed = 0;
    }

    /// Who is meant when something failed.
    pub(crate) fn shown(&self, config: &Config) -> String {
        self.services.last().cloned().unwrap_or_else(|| self.configured(config)).authority
    }

    fn configured(&self, config: &Config) -> Address {
        let servers = &config.servers;
        Address::new(servers.get(self.turn % servers.len().max(1)).map_or("", String::as_str))
    }
}
