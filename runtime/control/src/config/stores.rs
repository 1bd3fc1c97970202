//! `stores`: where limits are kept that gateways share.

use super::CertificateFile;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::Entry;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use tidegate_gateway::config::{self as gateway, Place};

/// How long a question waits for its answer, where the config does not say.
const DEFAULT_BUDGET: Duration = Duration::from_millis(5);
/// The same of a rate limit service, which may ask a store itself: as long as Envoy waits.
const DEFAULT_SERVICE_BUDGET: Duration = Duration::from_millis(20);
/// The longest time to connect, where the config does not say.
const DEFAULT_CONNECT: Duration = Duration::from_secs(1);
/// What keys begin with, where the config does not say.
const DEFAULT_PREFIX: &str = "tidegate:";
/// The word for this process as a store.
pub(super) const LOCAL: &str = "local";

/// Longer than this nobody waits to be limited.
const LONGEST_BUDGET: Duration = Duration::from_secs(1);
const LONGEST_PREFIX: usize = 64;
const LONGEST_DOMAIN: usize = 256;
const MOST_NODES: u64 = 10_000;

/// A store of limits.
#[derive(Clone, PartialEq, Eq)]
pub struct Store {
    /// What limits are made of.
    pub store: gateway::Store,
    /// Where it is. User and password in it are secret.
    pub url: String,
    /// Which domain is asked, if it is a rate limit service; of those nothing below but TLS, `budget` and `connect` counts.
    pub domain: Option<String>,
    /// Whose certificates are believed if it is reached by TLS; without it, whom the system believes.
    pub ca: Option<CertificateFile>,
    /// Our own certificate and its key, if servers ask for one.
    pub identity: Option<(CertificateFile, CertificateFile)>,
    /// What keys in it begin with.
    pub prefix: String,
    /// How long a question waits for its answer, in whole milliseconds. A request waits at most for two.
    pub budget: Duration,
    /// The longest time to connect.
    pub connect: Duration,
    /// Requests for one key are one question.
    pub combine: bool,
    /// A server that drops keys when its memory is full may be used.
    pub evicting: bool,
    /// Limits begin whole, rather than used up, where the store lost its data or was never used.
    pub forgiving: bool,
    /// `stores.<name>.url` in the file.
    pub url_place: Place,
}

impl Store {
    /// The same wherever it stands in its file.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        self.store.place = Place::default();
        self.url_place = Place::default();
        self.files_mut().for_each(|file| file.place = Place::default());
        self
    }

    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &CertificateFile> {
        self.ca.iter().chain(self.identity.iter().flat_map(|(certificate, key)| [certificate, key]))
    }

    pub(crate) fn files_mut(&mut self) -> impl Iterator<Item = &mut CertificateFile> {
        self.ca.iter_mut().chain(self.identity.iter_mut().flat_map(|(certificate, key)| [certificate, key]))
    }
}

/// Without secrets.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("store", &self.store)
            .field("url", &super::redact::url(&self.url))
            .field("domain", &self.domain)
            .field("prefix", &self.prefix)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// A store that the file declares.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    /// It is a rate limit service, which has rules of its own.
    pub(super) is_service: bool,
    /// `None` if something is wrong with it; its name is known all the same.
    pub(super) config: Option<Store>,
}

pub(super) fn read(fields: &mut Fields<'_>, folder: &Path, cx: &mut Context) -> Vec<Declared> {
    let Some(node) = fields.node("stores", cx) else { return Vec::new() };
    let Some(names) = Fields::of(node, "`stores`", cx) else { return Vec::new() };
    names.entries().iter().map(|entry| declared(entry, folder, cx)).collect()
}

fn declared(entry: &Entry, folder: &Path, cx: &mut Context) -> Declared {
    if let Err(wrong) = value::name(&entry.key) {
        cx.error_with(entry.key_span, format!("`{}` cannot name a store", entry.key), |d| d.label(wrong.hint));
    } else if entry.key == LOCAL {
        cx.error_with(entry.key_span, "`local` cannot name a store", |d| d.label("it is the word for this process"));
    }
    let (kind, config) = store(entry, folder, cx);
    Declared { name: entry.key.clone(), is_service: kind == Some(Kind::Service), config }
}

/// What its URL leads to, and the store if nothing is wrong with it.
fn store(entry: &Entry, folder: &Path, cx: &mut Context) -> (Option<Kind>, Option<Store>) {
    let Some(mut fields) = Fields::of(&entry.value, "a store", cx) else { return (None, None) };
    let url = fields.required("url", cx, value::text);
    let domain = fields.optional("domain", cx, domain);
    let kind = url.as_ref().map(|url| Kind::of(&url.value));
    if let Some(kind) = kind {
        check_kind(kind, &fields, cx);
    }
    let ca = fields.optional("ca", cx, value::text);
    let cert = fields.optional("cert", cx, value::text);
    let key = fields.optional("key", cx, value::text);
    let prefix = fields.optional("prefix", cx, prefix);
    let secret = fields.optional("secret", cx, value::text);
    let nodes = fields.optional("nodes", cx, nodes);
    let budget = fields.optional("budget", cx, budget);
    let connect = fields.optional("connect_timeout", cx, value::duration);
    let flag = |fields: &mut Fields<'_>, key, cx: &mut Context| fields.optional(key, cx, value::boolean);
    let combine = flag(&mut fields, "combine", cx);
    let evicting = flag(&mut fields, "evicting", cx);
    let begins = [("used_up", false), ("whole", true)];
    let forgiving = fields.word("after_loss", cx, &begins).unwrap_or(false);
    fields.finish(cx);
    let file = |path: Located<String>| CertificateFile {
        path: folder.join(path.value),
        pem: Vec::new(),
        place: path.span.place(),
    };
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((file(cert), file(key))),
        (Some(one), None) | (None, Some(one)) => {
            cx.error_with(one.span, "`cert` and `key` go together", |d| d.label("the other one is missing"));
            None
        }
        (None, None) => None,
    };
    let is_service = kind == Some(Kind::Service);
    let default_budget = if is_service { DEFAULT_SERVICE_BUDGET } else { DEFAULT_BUDGET };
    let Some(url) = url.filter(|_| domain.is_some() || !is_service) else { return (kind, None) };
    let store = Store {
        store: gateway::Store {
            name: entry.key.clone(),
            secret: secret.map(|secret| secret.value).unwrap_or_default(),
            nodes: nodes.map(|nodes| nodes.value),
            place: entry.key_span.place(),
        },
        url: url.value,
        domain: domain.map(|domain| domain.value),
        ca: ca.map(file),
        identity,
        prefix: prefix.map_or_else(|| DEFAULT_PREFIX.to_owned(), |prefix| prefix.value),
        budget: budget.map_or(default_budget, |budget| budget.value),
        connect: connect.map_or(DEFAULT_CONNECT, |connect| connect.value),
        combine: combine.is_none_or(|combine| combine.value),
        evicting: evicting.is_some_and(|evicting| evicting.value),
        forgiving,
        url_place: url.span.place(),
    };
    (kind, Some(store))
}

/// What a URL leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Redis, Valkey, or nothing that is known: the program says what is wrong with it.
    Counters,
    /// A rate limit service.
    Service,
}

impl Kind {
    fn of(url: &str) -> Self {
        if url.starts_with("rls://") || url.starts_with("rlss://") { Self::Service } else { Self::Counters }
    }
}

/// What only one kind of store has.
fn check_kind(kind: Kind, fields: &Fields<'_>, cx: &mut Context) {
    if kind == Kind::Counters {
        if fields.has("domain") {
            cx.error_with(fields.key_span("domain"), "`domain` is for a rate limit service", |d| {
                d.label("its URL is `rls://host:port`")
            });
        }
        return;
    }
    if !fields.has("domain") {
        cx.error_with(fields.key_span("url"), "a rate limit service needs `domain`", |d| {
            d.label("which of its rules are meant: `domain: edge`")
        });
    }
    for key in ["prefix", "secret", "combine", "evicting", "after_loss"] {
        if fields.has(key) {
            let message = format!("`{key}` has no meaning for a rate limit service");
            cx.error_with(fields.key_span(key), message, |d| d.label("it is for Redis: remove it"));
        }
    }
}

fn domain(text: &str) -> Result<String, Wrong> {
    let fits = (1..=LONGEST_DOMAIN).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("a domain", "from 1 to 256 bytes, without control characters"))
    }
}

fn prefix(text: &str) -> Result<String, Wrong> {
    let fits = (1..=LONGEST_PREFIX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{' && byte != b'}');
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("a prefix", "up to 64 visible ASCII characters but `{` and `}`"))
    }
}

fn nodes(text: &str) -> Result<u64, Wrong> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(nodes) if plain && (1..=MOST_NODES).contains(&nodes) => Ok(nodes),
        _ => Err(Wrong::new("a number of gateways", format!("from `1` to `{MOST_NODES}`"))),
    }
}

fn budget(text: &str) -> Result<Duration, Wrong> {
    let budget = value::duration(text)?;
    if budget > LONGEST_BUDGET || !budget.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(Wrong::new("a budget of time", "whole milliseconds, from `1ms` to `1s`: requests wait for it"));
    }
    Ok(budget)
}
