//! `admin`: what operators look at.

use crate::fields::{Context, Fields};
use crate::value;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use tidegate_gateway::config::Place;

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
