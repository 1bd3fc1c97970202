//! What the demo needs around it: the running shop, and a folder with `.proto` files and a config.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tempfile::TempDir;
use tidegate_shop::{PROTO_FILES, Shop};
use tokio::sync::oneshot;

/// A set stage. Dropping it stops the shop and removes the folder.
#[derive(Debug)]
pub(super) struct Stage {
    config: PathBuf,
    shop: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Stage {
    /// Starts the shop, in memory, on its own thread, and writes the files.
    ///
    /// # Errors
    /// No folder for temporary files, or the shop cannot listen.
    pub(super) fn set(shop: SocketAddr, gateway: SocketAddr, admin: SocketAddr, quiet: bool) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tidegate-demo-").tempdir()?;
        for (path, text) in PROTO_FILES {
            let path = folder.path().join("proto").join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs::write(path, text)?;
        }
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new().name("shop".into()).spawn(move || serve_shop(shop, &tell, stopped))?;
        let shop = told.recv().unwrap_or_else(|_| Err(io::Error::other("the shop's thread ended")))?;
        let config = folder.path().join("tidegate.yaml");
        fs::write(&config, config_text(shop, gateway, admin, quiet))?;
        Ok(Self { config, shop, stop: Some(stop), thread: Some(thread), _folder: folder })
    }

    /// The config file.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Where the shop's services listen.
    pub(super) fn shop(&self) -> SocketAddr {
        self.shop
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("error: the shop's thread panicked");
        }
    }
}

/// Serves until the other end of `stopped` is dropped; tells the address, or why there is none.
fn serve_shop(address: SocketAddr, tell: &mpsc::Sender<io::Result<SocketAddr>>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = tell.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        match Shop::start(None, address) {
            Ok(running) => {
                let _ = tell.send(Ok(running.addr()));
                let _ = stopped.await;
                if let Err(error) = running.shutdown().await {
                    tracing::warn!(%error, "the shop did not stop in order");
                }
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        }
    });
}

fn config_text(shop: SocketAddr, gateway: SocketAddr, admin: SocketAddr, quiet: bool) -> String {
    let access_log = if quiet { "off" } else { "{ format: text, to: stderr }" };
    format!(
        "drain: 1s
listeners:
  - bind: {gateway}
admin: {{ bind: {admin} }}
connections: {{ max: 1000 }}
upstreams:
  shop:
    endpoints: ['{shop}']
    schema: {{ proto: [proto/] }}
routes:
  - {{ service: shop.v1.Customers, upstream: shop }}
  - {{ service: shop.v1.Orders, upstream: shop }}
  - {{ service: shop.v1.Inventory, upstream: shop }}
  - {{ service: shop.v1.Payments, upstream: shop }}
  - {{ service: shop.v1.Shipping, upstream: shop }}
  - {{ service: shop.v1.ShortLinks, upstream: shop }}
  - {{ service: shop.v1.Faults, upstream: shop }}
telemetry:
  access_log: {access_log}
"
    )
}
