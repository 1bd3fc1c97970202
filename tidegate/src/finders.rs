//! Who finds endpoints that come and go: DNS, and etcd.

use crate::source::{self, Place};
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
            Discovery::Dns(name) => {
                let question = Question::Addresses { host: name.host.clone(), port: name.port };
                Box::new(Dns::new(question, Servers::System))
            }
            Discovery::Srv(name) => Box::new(Dns::new(Question::Service(name.clone()), Servers::System)),
            Discovery::Etcd(key) => Box::new(EtcdEndpoints::new(self.etcd(key)?)),
        })
    }
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
