//! What the tests share.

use tidegate_etcd::{Config, Credentials, Etcd};
use tidegate_source::ConfigSource;
use tidegate_source_rig::contract::Fixture;
use tidegate_source_rig::contract::soon;
use tidegate_source_rig::etcd;
use tidegate_traffic::ports::Answer;

/// etcd, and the folder `/tidegate/` in it.
pub(crate) struct Folder(pub(crate) etcd::Etcd);

impl Folder {
    /// `None` where etcd is not installed.
    pub(crate) fn new() -> Option<Self> {
        etcd::Etcd::start().map(Self)
    }
}

impl Fixture for Folder {
    const PREFIX: &str = "/tidegate/";
    const MANY: bool = true;

    fn source(&self) -> Box<dyn ConfigSource> {
        Box::new(source(&[self.0.address()], None))
    }

    fn write(&mut self, name: &str, content: Option<&str>) {
        let key = format!("{}{name}", Self::PREFIX);
        match content {
            Some(content) => self.0.put(&key, content),
            None => self.0.delete(&key),
        }
    }
}

/// A source that reads the folder.
pub(crate) fn source(endpoints: &[&str], credentials: Option<(&str, &str)>) -> Etcd {
    let credentials = credentials.map(|(user, password)| Credentials { user: user.into(), password: password.into() });
    let endpoints = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
    Etcd::new(Config { endpoints, key: Folder::PREFIX.into(), credentials, tls: None })
}

/// What a board answers that is there.
pub(crate) async fn soon_board<T>(about: &str, answer: Answer<'_, T>) -> T {
    soon(about, answer).await.unwrap_or_else(|error| panic!("{about}: {error}"))
}
