//! The way between a client and a server, with an address that stays.

use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to a server that may change, and cuts them when told to.
#[derive(Debug)]
pub struct Relay {
    address: String,
    to: Arc<Mutex<Option<String>>>,
    cut: watch::Sender<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    /// One that leads to `to`.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let to = Arc::new(Mutex::new(Some(to.to_owned())));
        let (cut, cuts) = watch::channel(0);
        let task = tokio::spawn(serve(listener, Arc::clone(&to), cuts));
        Self { address, to, cut, task }
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Cuts all connections, and leads new ones there; `None` ends them at once.
    ///
    /// # Panics
    /// Another thread panicked while it did the same.
    pub fn lead(&self, to: Option<&str>) {
        *self.to.lock().expect("no panic") = to.map(str::to_owned);
        self.cut.send_modify(|cut| *cut += 1);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, to: Arc<Mutex<Option<String>>>, cuts: watch::Receiver<u64>) {
    while let Ok((client, _)) = listener.accept().await {
        let to = to.lock().expect("no panic").clone();
        let Some(to) = to else { continue };
        let mut cuts = cuts.clone();
        cuts.mark_unchanged();
        tokio::spawn(async move {
            tokio::select! {
                _ = cuts.changed() => {}
                _ = pass(client, &to) => {}
            }
        });
    }
}

async fn pass(mut client: TcpStream, to: &str) -> io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
