//! One request on a connection of its own, bounded in time and size.
//!
//! A request a minute needs no pool, and a new connection is never a dead one.

use crate::failure::Failure;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// When a machine that is gone is noticed, while it holds a request: after 10 s and three times 5 s.
const ALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5)).with_retries(3);
/// The largest answer: the most that a config may have, with its characters escaped.
const LARGEST: usize = 4 * tidegate_source::MAX_BYTES;

/// A request.
pub(crate) struct Get<'a> {
    /// What is asked, for messages: `the login`.
    pub(crate) asked: &'static str,
    /// `host:port`
    pub(crate) authority: &'a str,
    /// Path and query, escaped.
    pub(crate) target: &'a str,
    pub(crate) headers: HeaderMap,
    /// How long the answer may take once there is a connection.
    pub(crate) within: Duration,
    /// With which it is asked over TLS.
    pub(crate) tls: Option<&'a TlsConnector>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

// === impl Get ===

impl Get<'_> {
    /// Asks.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(crate) async fn send(self) -> Result<Answer, Failure> {
        let Self { asked, authority, within, tls, .. } = self;
        let broken = |error: &dyn std::error::Error| Failure::Broken { asked, reason: innermost(error) };
        let late = |within| move |_| Failure::NoAnswer { asked, within };
        let stream = timeout(CONNECT, TcpStream::connect(authority)).await.map_err(late(CONNECT))?;
        let stream = stream.map_err(|error| Failure::Unreachable { reason: innermost(&error) })?;
        // Without it the answer is late at worst.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&ALIVE);
        let Some(tls) = tls else {
            let answer = timeout(within, self.exchange(stream)).await.map_err(late(within))?;
            return answer.map_err(|error| broken(&*error));
        };
        let unreachable = |error: &dyn std::error::Error| Failure::Unreachable { reason: innermost(error) };
        // The name in the certificate: the host without its port, an address without its brackets.
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned());
        let name = name.map_err(|error| unreachable(&error))?;
        let stream = timeout(CONNECT, tls.connect(name, stream)).await.map_err(late(CONNECT))?;
        let stream = stream.map_err(|error| unreachable(&error))?;
        let answer = timeout(within, self.exchange(stream)).await.map_err(late(within))?;
        answer.map_err(|error| broken(&*error))
    }

    async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::get(self.target).body(Empty::<Bytes>::new())?;
        *request.headers_mut() = self.headers;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.authority.parse()?);
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        headers.insert(header::USER_AGENT, header::HeaderValue::from_static("tidegate"));
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
            Ok(Answer { status: head.status, body })
        };
        tokio::select! {
            answer = answer => answer,
            // One that ends well has delivered the answer.
            Err(error) = connection => Err(error.into()),
        }
    }
}

/// The cause at the end of the chain: `Connection refused` rather than `client error`.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
