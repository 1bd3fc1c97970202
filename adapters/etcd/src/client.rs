//! A connection to one member: login, reading, watching, transactions, leases.

use crate::config::Config;
use crate::failure::{Failure, innermost};
use crate::messages::{
    AUTHENTICATE, AuthenticateRequest, AuthenticateResponse, KeyValue, LEASE_GRANT, LEASE_KEEP_ALIVE,
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse, RANGE, RangeRequest,
    RangeResponse, TXN, TxnRequest, TxnResponse, WATCH, WatchCreate, WatchKind, WatchRequest,
};
use crate::watching::Watching;
use http::uri::PathAndQuery;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use tidegate_source::MAX_BYTES;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Keys of one answer. etcd's values have at most 1.5 MiB, unless it is told otherwise.
const PAGE: i64 = 32;
/// The largest answer: a page, and room.
const LARGEST: usize = 64 << 20;
/// Who a user without a name is, in messages.
const NOBODY: &str = "a client without credentials";
/// Questions on their way: to watch, and whether the other side lives.
const ASKED: usize = 4;

/// A connection to one member.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    config: Arc<Config>,
    /// How long an answer may take.
    patience: Duration,
    grpc: Grpc<Channel>,
    token: Option<MetadataValue<Ascii>>,
}

/// All keys at one revision.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) values: Vec<KeyValue>,
    pub(crate) revision: i64,
}

// === impl Client ===

impl Client {
    /// Connects, and logs in if there are credentials.
    pub(crate) async fn connect(config: &Arc<Config>, endpoint: &str, patience: Duration) -> Result<Self, Failure> {
        let address = address(config, endpoint)?;
        let connecting = timeout(CONNECT, address.connect()).await;
        let channel = connecting
            .map_err(|_| Failure::NoAnswer { asked: "the connection", within: CONNECT })?
            .map_err(|error| Failure::unreachable(&error))?;
        let grpc = Grpc::new(channel).max_decoding_message_size(LARGEST);
        let mut client = Self { config: Arc::clone(config), patience, grpc, token: None };
        client.login().await?;
        Ok(client)
    }

    /// The token holds as long as it is used, and belongs to this connection's time: each connection gets
    /// its own, so that one that has expired is never met.
    async fn login(&mut self) -> Result<(), Failure> {
        let Some(credentials) = &self.config.credentials else { return Ok(()) };
        let request = AuthenticateRequest { name: credentials.user.clone(), password: credentials.password.clone() };
        let answer: AuthenticateResponse = match self.unary(AUTHENTICATE, "the login", request).await {
            Ok(answer) => answer,
            // Credentials that nobody asks for are no error: they may be set before etcd's auth is enabled.
            Err(Failure::Other { reason, .. }) if reason == "authentication is not enabled" => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let token = MetadataValue::try_from(answer.token);
        let reason = "the token is no header value".to_owned();
        self.token = Some(token.map_err(|_| Failure::Other { asked: "the login", reason })?);
        Ok(())
    }

    /// Reads all keys, at one revision.
    pub(crate) async fn read(&mut self) -> Result<State, Failure> {
        let (mut first, behind) = self.config.range();
        let mut state = State { values: Vec::new(), revision: 0 };
        let mut bytes = 0;
        loop {
            let (range_end, revision) = (behind.clone(), state.revision);
            let request = RangeRequest { key: first, range_end, limit: PAGE, revision, keys_only: false };
            let answer: RangeResponse = self.unary(RANGE, "reading", request).await?;
            // Later pages are of the revision of the first one.
            if state.revision == 0 {
                state.revision = answer.header.unwrap_or_default().revision;
            }
            bytes += answer.kvs.iter().map(|pair| pair.key.len() + pair.value.len()).sum::<usize>();
            if bytes > MAX_BYTES {
                return Err(self.too_large());
            }
            state.values.extend(answer.kvs);
            match state.values.last() {
                Some(last) if answer.more => first = [&last.key[..], b"\0"].concat(),
                _ => return Ok(state),
            }
        }
    }

    /// Watches the keys from a revision on, that one included.
    pub(crate) async fn watch(&mut self, from: i64) -> Result<Watching, Failure> {
        const ASKED_FOR: &str = "watching";
        let (key, range_end) = self.config.range();
        let (ask, questions) = mpsc::channel(ASKED);
        let create = WatchKind::Create(WatchCreate { key, range_end, start_revision: from });
        // Cannot fail: the channel is new.
        let _ = ask.try_send(WatchRequest { kind: Some(create) });
        let mut request = self.request(ReceiverStream::new(questions));
        // A member that has lost the others ends the watch instead of keeping quiet.
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let path = PathAndQuery::from_static(WATCH);
        let answers = within(self.patience, ASKED_FOR, async {
            self.grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            self.grpc.streaming(request, path, ProstCodec::default()).await
        });
        let answers = answers.await?.map_err(|status| self.failure(&status, ASKED_FOR))?;
        let mut watching = Watching::new(ask, answers.into_inner());
        within(self.patience, ASKED_FOR, watching.created()).await??;
        Ok(watching)
    }

    /// Does all of a transaction or, if something does not compare, all of the other one.
    pub(crate) async fn txn(&mut self, asked: &'static str, request: TxnRequest) -> Result<TxnResponse, Failure> {
        self.unary(TXN, asked, request).await
    }

    /// A lease of so many seconds.
    pub(crate) async fn grant(&mut self, ttl: i64) -> Result<i64, Failure> {
        let granted: LeaseGrantResponse = self.unary(LEASE_GRANT, "a lease", LeaseGrantRequest { ttl }).await?;
        Ok(granted.id)
    }

    /// Makes a lease last its whole time from now on; gives the seconds that it has, 0 if it is over.
    pub(crate) async fn keep_alive(&mut self, id: i64) -> Result<i64, Failure> {
        const ASKED: &str = "keeping the lease";
        let request = self.request(tokio_stream::once(LeaseKeepAliveRequest { id }));
        let path = PathAndQuery::from_static(LEASE_KEEP_ALIVE);
        let answer = within(self.patience, ASKED, async {
            self.grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            let answers = self.grpc.streaming(request, path, ProstCodec::default()).await?;
            answers.into_inner().message().await
        });
        let kept: Option<LeaseKeepAliveResponse> = answer.await?.map_err(|status| self.failure(&status, ASKED))?;
        Ok(kept.map_or(0, |kept| kept.ttl))
    }

    async fn unary<Q, A>(&mut self, path: &'static str, asked: &'static str, message: Q) -> Result<A, Failure>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let request = self.request(message);
        let path = PathAndQuery::from_static(path);
        let answer = within(self.patience, asked, async {
            self.grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            self.grpc.unary(request, path, ProstCodec::default()).await
        });
        answer.await?.map(Response::into_inner).map_err(|status| self.failure(&status, asked))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("token", token.clone());
        }
        request
    }

    fn failure(&self, status: &Status, asked: &'static str) -> Failure {
        let user = self.config.credentials.as_ref().map(|credentials| format!("user `{}`", credentials.user));
        let failure = Failure::of(status, asked, user.as_deref().unwrap_or(NOBODY), &self.config.key);
        // In TLS 1.3 a server that lacks a certificate says so after the handshake, if the connection still stands.
        let is_anonymous = self.config.tls.as_ref().is_some_and(|tls| tls.identity.is_none());
        match failure {
            Failure::Other { asked, reason } if is_anonymous && status.source().is_some() => {
                Failure::Other { asked, reason: format!("{reason} (etcd may want a certificate of ours)") }
            }
            failure => failure,
        }
    }

    fn too_large(&self) -> Failure {
        Failure::TooLarge { key: self.config.key.clone(), most: MAX_BYTES }
    }
}

fn address(config: &Config, endpoint: &str) -> Result<Endpoint, Failure> {
    let wrong = |error: tonic::transport::Error| Failure::Address(innermost(&error));
    let Some(tls) = &config.tls else { return Endpoint::from_shared(format!("http://{endpoint}")).map_err(wrong) };
    // The name in the certificate: the host without its port, an address without its brackets.
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let mut client = ClientTlsConfig::new()
        .domain_name(host.trim_start_matches('[').trim_end_matches(']'))
        .ca_certificate(Certificate::from_pem(&tls.ca));
    if let Some((certificate, key)) = &tls.identity {
        client = client.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{endpoint}")).map_err(wrong)?;
    endpoint.tls_config(client).map_err(|error| Failure::Certificates(innermost(&error)))
}

/// Waits for an answer, but not for ever.
async fn within<T>(patience: Duration, asked: &'static str, answer: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(patience, answer).await.map_err(|_| Failure::NoAnswer { asked, within: patience })
}
