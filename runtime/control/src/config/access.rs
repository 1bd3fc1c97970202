//! `admin` and `telemetry`: what operators look at.

use crate::fields::{Context, Fields};
use crate::value;
use crate::yaml::Kind;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tidegate_gateway::config::Place;
use tidegate_telemetry::access_log::Format;

/// Where the admin port is if `admin` does not say.
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

/// The admin port: metrics and health.
#[derive(Clone, PartialEq, Eq)]
pub struct Admin {
    /// Port 0 takes a free one.
    pub bind: SocketAddr,
    /// What callers must send as `authorization: Bearer …`; always set where `bind` is not a loopback
    /// address. The health endpoints do not ask for it.
    pub token: Option<String>,
    /// `admin.bind` in the file.
    pub place: Place,
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// The form of a line.
    pub format: Format,
    /// Where the lines go.
    pub to: AccessLogTarget,
    /// `telemetry.access_log` in the file; the default place if it is not there.
    pub place: Place,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The end of this file.
    File(PathBuf),
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { format: Format::Json, to: AccessLogTarget::Stdout, place: Place::default() }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "(secret)");
        f.debug_struct("Admin").field("bind", &self.bind).field("token", &token).field("place", &self.place).finish()
    }
}

/// `None` if the file has no `admin`, or one that is wrong.
pub(super) fn admin(fields: &mut Fields<'_>, cx: &mut Context) -> Option<Admin> {
    let node = fields.node("admin", cx)?;
    let mut fields = Fields::of(node, "`admin`", cx)?;
    let place = fields.span();
    let bind = fields.optional("bind", cx, value::bind);
    let token = fields.optional("token", cx, value::text);
    let has_token = token.is_some();
    fields.finish(cx);
    let (bind, span) = bind.map_or((DEFAULT_ADMIN, place), |bind| (bind.value, bind.span));
    if !bind.ip().is_loopback() && !has_token {
        cx.error_with(span, format!("the admin port on {bind} is open to others"), |diagnostic| {
            diagnostic
                .label("not a loopback address")
                .help("bind it to 127.0.0.1, or set `admin.token`, for example to \"${TIDEGATE_ADMIN_TOKEN}\"")
        });
    }
    Some(Admin { bind, token: token.map(|token| token.value), place: span.place() })
}

/// `telemetry`: `None` if the access log is off.
pub(super) fn telemetry(fields: &mut Fields<'_>, folder: &Path, cx: &mut Context) -> Option<AccessLog> {
    let Some(node) = fields.node("telemetry", cx) else { return Some(AccessLog::default()) };
    let mut fields = Fields::of(node, "`telemetry`", cx)?.not_yet(&["otlp"]);
    let log = fields.node("access_log", cx);
    fields.finish(cx);
    let Some(log) = log else { return Some(AccessLog::default()) };
    if matches!(&log.kind, Kind::Scalar(text) if text == "off" || text == "false") {
        return None;
    }
    if let Kind::Scalar(_) = &log.kind {
        cx.error_with(log.span, "`access_log` must be `off` or a mapping", |diagnostic| {
            diagnostic.label("write `off` or `{ format: json, to: stdout }`")
        });
        return None;
    }
    let mut fields = Fields::of(log, "`access_log`", cx)?;
    let place = fields.span().place();
    let format = fields.word("format", cx, &[("json", Format::Json), ("text", Format::Text)]);
    let to = fields.optional("to", cx, value::text).map(|to| match to.value.as_str() {
        "stdout" => AccessLogTarget::Stdout,
        "stderr" => AccessLogTarget::Stderr,
        file => AccessLogTarget::File(folder.join(file)),
    });
    fields.finish(cx);
    let default = AccessLog::default();
    Some(AccessLog { format: format.unwrap_or(default.format), to: to.unwrap_or(default.to), place })
}
