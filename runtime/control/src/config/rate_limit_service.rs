//! `rate_limit_service`: limits for others, with the rules of envoyproxy/ratelimit.

mod rules;

use super::rate_limits::keys;
use super::stores::{self, Declared};
use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tidegate_gateway::config::{Listener, Place};
use tidegate_limiter::config::{Algorithm, Config, Headers, OnFailure};

/// Keys of each table, where the config does not say.
const DEFAULT_KEYS: usize = 65_536;

/// The rate limit service for others.
#[derive(Clone, PartialEq, Eq)]
pub struct RateLimitService {
    /// What it serves. Its password is secret.
    pub config: Config,
    /// The store that it counts in, by its name; `None`: this process.
    pub store: Option<String>,
    /// Files and folders with its rules.
    pub files: Vec<PathBuf>,
    /// `rate_limit_service.bind` in the file.
    pub bind_place: Place,
    /// `rate_limit_service.resp` in the file.
    pub resp_place: Place,
}

/// Without secrets, and without the rules, which may be many.
impl fmt::Debug for RateLimitService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitService")
            .field("bind", &self.config.bind)
            .field("resp", &self.config.resp)
            .field("store", &self.store)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

pub(super) fn read(
    fields: &mut Fields<'_>,
    folder: &Path,
    stores: &[Declared],
    listeners: &[Listener],
    cx: &mut Context,
) -> Option<RateLimitService> {
    let node = fields.node("rate_limit_service", cx)?;
    let mut fields = Fields::of(node, "`rate_limit_service`", cx)?;
    let bind = fields.optional("bind", cx, value::bind);
    let resp = fields.optional("resp", cx, value::bind);
    let password = fields.optional("resp_password", cx, value::text);
    let files = fields.node("config", cx).map(|node| rules::read_all(node, folder, cx));
    let store = fields.optional("store", cx, value::name).filter(|store| store.value != stores::LOCAL);
    let algorithm = fields.word("algorithm", cx, &ALGORITHMS).unwrap_or_default();
    let keys = fields.optional("keys", cx, keys);
    let headers = fields.word("headers", cx, &HEADERS).unwrap_or_default();
    let on_failure = fields.word("on_failure", cx, &ON_FAILURE);
    let (config_at, password_at) = (fields.key_span("config"), fields.key_span("resp_password"));
    let span = fields.span();
    fields.finish(cx);
    if let Some(store) = &store
        && !stores.iter().any(|known| known.name == store.value)
    {
        cx.unknown_name("store", store, stores.iter().map(|store| store.name.as_str()));
    }
    if let Some(store) = &store
        && stores.iter().any(|known| known.name == store.value && known.is_service)
    {
        let message = format!("`{}` is a rate limit service itself", store.value);
        cx.error_with(store.span, message, |d| d.label("it counts in this process, or in Redis"));
    }
    if let (None, Some(on_failure)) = (&store, &on_failure) {
        let _ = on_failure;
        cx.error(span, "`on_failure` of `rate_limit_service` has no meaning without a `store`");
    }
    if bind.is_none() && resp.is_none() {
        cx.error(span, "`rate_limit_service` needs `bind`, for Envoy, or `resp`, for clients of Redis");
    }
    match (&bind, &files) {
        (Some(bind), None) => cx.error(bind.span, "`rate_limit_service` with `bind` needs `config`: files with rules"),
        (None, Some(_)) if resp.is_some() => {
            cx.error(config_at, "`config` has no meaning without `bind`: `CL.THROTTLE` brings its limit along");
        }
        _ => {}
    }
    if password.is_some() && resp.is_none() {
        cx.error(password_at, "`resp_password` has no meaning without `resp`");
    }
    warn_of_all(bind.as_ref(), cx);
    warn_of_all(resp.as_ref().filter(|_| password.is_none()), cx);
    check_binds(bind.as_ref(), resp.as_ref(), listeners, cx);
    let (files, domains) = files.unwrap_or_default();
    let place = |at: &Option<Located<SocketAddr>>| at.as_ref().map_or(span, |at| at.span).place();
    Some(RateLimitService {
        bind_place: place(&bind),
        resp_place: place(&resp),
        config: Config {
            bind: bind.map(|bind| bind.value),
            resp: resp.map(|resp| resp.value),
            resp_password: password.map(|password| password.value),
            algorithm,
            keys: keys.map_or(DEFAULT_KEYS, |keys| keys.value),
            headers,
            on_failure: on_failure.unwrap_or_default(),
            domains,
        },
        store: store.map(|store| store.value),
        files,
    })
}

const ALGORITHMS: [(&str, Algorithm); 3] = [
    ("sliding_window", Algorithm::SlidingWindow),
    ("token_bucket", Algorithm::TokenBucket),
    ("fixed_window", Algorithm::FixedWindow),
];

const HEADERS: [(&str, Headers); 3] =
    [("never", Headers::Never), ("refused", Headers::Refused), ("always", Headers::Always)];

const ON_FAILURE: [(&str, OnFailure); 3] =
    [("error", OnFailure::Error), ("open", OnFailure::Open), ("closed", OnFailure::Closed)];

/// Whoever reaches it can use limits up.
fn warn_of_all(bind: Option<&Located<SocketAddr>>, cx: &mut Context) {
    if let Some(bind) = bind.filter(|bind| bind.value.ip().is_unspecified()) {
        let message = format!("`{}`: everybody who can connect can use limits up", bind.value);
        cx.warn_with(bind.span, message, |d| d.help("bind an address that only the mesh can reach"));
    }
}

/// Two that listen at one place.
fn check_binds(
    bind: Option<&Located<SocketAddr>>,
    resp: Option<&Located<SocketAddr>>,
    listeners: &[Listener],
    cx: &mut Context,
) {
    let mut seen: Vec<(SocketAddr, Span)> =
        listeners.iter().map(|listener| (listener.bind, listener.place.into())).collect();
    for at in [bind, resp].into_iter().flatten().filter(|at| at.value.port() != 0) {
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == at.value) {
            let (source, first) = (cx.source.clone(), *first);
            cx.error_with(at.span, format!("`{}` is bound twice", at.value), |d| {
                d.label("again here").related(&source, first, "first here")
            });
        }
        seen.push((at.value, at.span));
    }
}
