//! Where the config of a run is kept, and how it changes there.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tidegate_source_rig::apollo::Apollo;
use tidegate_source_rig::etcd::Etcd;

/// The key in etcd.
const KEY: &str = "/tidegate/tidegate.yaml";
/// The namespace in Apollo.
const NAMESPACE: &str = "tidegate.yaml";

/// A file, or a server that keeps configs.
#[derive(Debug)]
pub(super) enum Place {
    File(PathBuf),
    Etcd(Etcd),
    Apollo(Apollo),
}

impl Place {
    /// A key of an etcd of our own.
    pub(super) fn etcd() -> Result<Self> {
        Etcd::start().map(Self::Etcd).context("etcd is not installed: `cargo xtask servers` does it")
    }

    /// A namespace of an Apollo of our own.
    pub(super) fn apollo() -> Result<Self> {
        let apollo = Apollo::start(&[NAMESPACE]).map(Self::Apollo);
        apollo.context("Apollo's server is not installed: `cargo xtask servers` does it")
    }

    /// What `tidegate run` has to be told to read it.
    pub(super) fn arguments(&self) -> Vec<String> {
        match self {
            Self::File(path) => vec!["-c".into(), path.display().to_string()],
            Self::Etcd(etcd) => vec!["--from".into(), format!("etcd://{}{KEY}", etcd.address())],
            Self::Apollo(apollo) => vec!["--from".into(), format!("apollo://{}/gateway/{NAMESPACE}", apollo.address())],
        }
    }

    /// Puts this text there, at once.
    pub(super) fn write(&mut self, text: &str) -> Result<()> {
        match self {
            Self::File(path) => {
                let beside = path.with_extension("new");
                fs::write(&beside, text)?;
                fs::rename(beside, path)?;
            }
            Self::Etcd(etcd) => etcd.put(KEY, text),
            Self::Apollo(apollo) => apollo.put(NAMESPACE, text),
        }
        Ok(())
    }
}
