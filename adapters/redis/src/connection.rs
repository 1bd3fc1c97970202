//! One connection to one server.

use std::fmt;
use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::failure::Failure;
use crate::resp::{self, Value};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection on which commands are answered in their order.
pub(crate) struct Connection {
    address: String,
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
}

impl Connection {
    /// Connects to `host:port`, over TLS if there is a connector.
    pub(crate) async fn open(address: &str, tls: Option<&TlsConnector>) -> Result<Self, Failure> {
        let unreachable = |reason: String| Failure::Unreachable { address: address.to_owned(), reason };
        let stream = TcpStream::connect(address).await.map_err(|error| unreachable(plain(&error)))?;
        // A question is a small packet, and somebody waits for it.
        stream.set_nodelay(true).map_err(|error| unreachable(plain(&error)))?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(connector) => {
                let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host).map_err(|error| unreachable(error.to_string()))?;
                let stream = connector.connect(name, stream).await;
                Box::new(stream.map_err(|error| unreachable(format!("TLS: {error}")))?)
            }
        };
        Ok(Self { address: address.to_owned(), stream, input: BytesMut::new(), output: BytesMut::new() })
    }

    /// `host:port`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends what `write` writes and waits for so many replies. If it is dropped before, the connection is of no use.
    pub(crate) async fn ask(
        &mut self,
        replies: usize,
        write: impl FnOnce(&mut BytesMut),
    ) -> Result<Vec<Value>, Failure> {
        self.send(write).await?;
        let mut values = Vec::with_capacity(replies);
        while values.len() < replies {
            values.push(self.reply().await?);
        }
        Ok(values)
    }

    /// Sends what `write` writes; its replies come after those of what was sent before. If it is dropped before its end,
    /// the connection is of no use.
    pub(crate) async fn send(&mut self, write: impl FnOnce(&mut BytesMut)) -> Result<(), Failure> {
        self.output.clear();
        write(&mut self.output);
        let sent = self.stream.write_all(&self.output).await;
        let sent = match sent {
            Ok(()) => self.stream.flush().await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| self.broken(&error))
    }

    /// The next reply. May be dropped: nothing of it is lost.
    pub(crate) async fn reply(&mut self) -> Result<Value, Failure> {
        loop {
            match resp::take(&mut self.input) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => self.read().await?,
                Err(reason) => {
                    return Err(Failure::Strange { address: self.address.clone(), reason: reason.to_owned() });
                }
            }
        }
    }

    /// One command; an error that it is answered with is a failure.
    pub(crate) async fn command(&mut self, parts: &[&[u8]]) -> Result<Value, Failure> {
        let mut values = self.ask(1, |out| resp::command(out, parts)).await?;
        match values.pop() {
            Some(Value::Error(said)) => Err(Failure::of_reply(&self.address, &said)),
            Some(value) => Ok(value),
            None => Err(Failure::Strange { address: self.address.clone(), reason: "no reply".to_owned() }),
        }
    }

    async fn read(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) => Err(self.broken(&io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Comes back when the server has ended the connection, or says something that nobody asked for.
    pub(crate) async fn ended(&mut self) {
        // Whatever comes: nothing was asked.
        drop(self.stream.read_buf(&mut self.input).await);
    }

    fn broken(&self, error: &io::Error) -> Failure {
        Failure::Broken { address: self.address.clone(), reason: plain(error) }
    }
}

/// Without the number of the error.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "reset by the server".to_owned(),
        io::ErrorKind::UnexpectedEof => "ended by the server".to_owned(),
        _ => error.to_string(),
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}
