//! Who finds endpoints that come and go: DNS, and etcd.

use crate::source::{self, Place};
use std::net::SocketAddr;
use tidegate_control::endpoints::Finders;
use tidegate_dns::{Dns, Question, Servers};
use tidegate_etcd::EtcdEndpoints;
use tidegate_traffic::discovery::Finder;
use tidegate_upstream::Discovery;

/// Those that this program knows.
#[derive(Debug)]
pub(crate) struct Known {
    /// The etcd that the config is in, if it is in one.
    pub(crate) config: Option<Place>,
}

impl Finders for Known {
    fn open(&self, what: &Discovery) -> Result<Box<dyn Finder>, String> {
        Ok(match what {
            Discovery::Dns { name, servers } => {
                let question = Question::Addresses { host: name.host.clone(), port: name.port };
                Box::new(Dns::new(question, asked(servers)))
            }
            Discovery::Srv { name, servers } => Box::new(Dns::new(Question::Service(name.clone()), asked(servers))),
            Discovery::Etcd(key) => Box::new(EtcdEndpoints::new(self.etcd(key)?)),
        })
    }
}

/// Who is asked for names.
fn asked(servers: &[SocketAddr]) -> Servers {
    if servers.is_empty() { Servers::System } else { Servers::These(servers.to_vec()) }
}

impl Known {
    fn etcd(&self, key: &str) -> Result<tidegate_etcd::Config, String> {
        let place = match (key.starts_with('/'), &self.config) {
            (false, _) => key.parse()?,
            (true, Some(Place::Etcd(config))) => {
                Place::Etcd(tidegate_etcd::Config { key: key.to_owned(), ..config.clone() })
            }
            (true, _) => {
                return Err(format!(
                    "`etcd: {key}` is in the etcd that the config is in, and the config is in none: name one, \
                     `etcd://HOST:PORT{key}`"
                ));
            }
        };
        let Place::Etcd(config) = place else { return Err(format!("`{key}` is no place in etcd")) };
        source::opened(config, &|name| std::env::var_os(name)?.into_string().ok())
    }
}
