//! What the demo needs around it: the running shop, and a folder with `.proto` files and a config.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tempfile::TempDir;
use tidegate_shop::{PROTO_FILES, Running, Shop, ShopConfig, Version};
use tokio::sync::oneshot;

/// Where the versions of the shop listen.
#[derive(Clone, Copy, Debug)]
struct Shops {
    stable: SocketAddr,
    next: SocketAddr,
    broken: SocketAddr,
}

/// A set stage. Dropping it stops the shop and removes the folder.
#[derive(Debug)]
pub(super) struct Stage {
    config: PathBuf,
    shops: Shops,
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
        let shops = told.recv().unwrap_or_else(|_| Err(io::Error::other("the shop's thread ended")))?;
        let config = folder.path().join("tidegate.yaml");
        fs::write(&config, config_text(shops, gateway, admin, quiet))?;
        Ok(Self { config, shops, stop: Some(stop), thread: Some(thread), _folder: folder })
    }

    /// The config file.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Where the shop's services listen.
    pub(super) fn shop(&self) -> SocketAddr {
        self.shops.stable
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

/// The shop in its versions: one state, each version on a port of its own.
fn start_shops(address: SocketAddr) -> io::Result<(Vec<Running>, Shops)> {
    let shop = Shop::open(ShopConfig::default())?;
    let free = SocketAddr::new(address.ip(), 0);
    let stable = shop.serve(address)?;
    let (next, broken) = (shop.serve_version(Version::Next, free)?, shop.serve_version(Version::Broken, free)?);
    let shops = Shops { stable: stable.addr(), next: next.addr(), broken: broken.addr() };
    Ok((vec![stable, next, broken], shops))
}

/// Serves until the other end of `stopped` is dropped; tells the addresses, or why there are none.
fn serve_shop(address: SocketAddr, tell: &mpsc::Sender<io::Result<Shops>>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = tell.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        match start_shops(address) {
            Ok((running, shops)) => {
                let _ = tell.send(Ok(shops));
                let _ = stopped.await;
                for running in running {
                    if let Err(error) = running.shutdown().await {
                        tracing::warn!(%error, "the shop did not stop in order");
                    }
                }
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        }
    });
}

/// Users are told by a cookie. The plans are those of a demo: real ones hold for minutes and ask for more calls.
fn config_text(shops: Shops, gateway: SocketAddr, admin: SocketAddr, quiet: bool) -> String {
    let access_log = if quiet { "off" } else { "{ format: text, to: stderr }" };
    let Shops { stable, next, broken } = shops;
    let breaker = super::breaker::SETTINGS;
    let per_tenant = super::limits::SETTINGS;
    let criteria = "hold: 500ms, min_samples: 50, max_error_rate: 1%, max_p99_ratio: 20";
    format!(
        "drain: 1s
listeners:
  - {{ bind: {gateway}, limits: [per-ip] }}
admin: {{ bind: {admin} }}
connections: {{ max: 1000 }}
upstreams:
  shop:
    endpoints: ['{stable}']
    schema: {{ proto: [proto/] }}
  shop-next: {{ endpoints: ['{next}'], schema: {{ like: shop }} }}
  shop-broken: {{ endpoints: ['{broken}'], schema: {{ like: shop }} }}
routes:
  - service: shop.v1.Customers
    upstream: shop
    canary:
      - to: shop-broken
        name: broken
        hash: {{ cookie: shop-user, plan: {{ steps: [20%, 100%], {criteria} }} }}
  - {{ service: shop.v1.Orders, upstream: shop, limits: [per-tenant] }}
  - {{ service: shop.v1.Inventory, upstream: shop }}
  - {{ service: shop.v1.Payments, upstream: shop }}
  - {{ service: shop.v1.Shipping, upstream: shop }}
  - service: shop.v1.ShortLinks
    upstream: shop
    canary:
      - to: shop-next
        name: next
        hash: {{ cookie: shop-user, plan: {{ steps: [10%, 50%, 100%], {criteria} }} }}
  - {{ service: shop.v1.Faults, upstream: shop, breaker: {{ {breaker} }} }}
limits:
  per-ip: {{ key: peer, rate: 10000/s }}
  per-tenant: {{ {per_tenant} }}
telemetry:
  access_log: {access_log}
"
    )
}
