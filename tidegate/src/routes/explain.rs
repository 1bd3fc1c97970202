//! `tidegate routes test`: what becomes of a request, and why.

use clap::Args;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use tidegate_gateway::Peer;
use tidegate_gateway::snapshot::{Explanation, Snapshot};

#[derive(Debug, Args)]
pub(super) struct Question {
    /// Method and path, as in `GET /v1/orders/7?view=full`; or a whole URL, for its host.
    #[arg(value_name = "REQUEST", value_parser = request_line)]
    line: (Method, Uri),

    /// A header, as in `x-user-id: 7`. Can be given several times.
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// The address of the client: decides whether the listener trusts it.
    #[arg(long, value_name = "ADDRESS")]
    peer: Option<IpAddr>,

    /// The listener that it comes by, as the config binds it, if there are several.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listener: Option<SocketAddr>,
}

fn request_line(text: &str) -> Result<(Method, Uri), String> {
    const EXPECTED: &str = "expected a method and a path, such as `GET /v1/orders/7`";
    let (method, uri) = text.trim().split_once(' ').ok_or(EXPECTED)?;
    let method = method.parse().map_err(|_| EXPECTED)?;
    let uri = uri.trim();
    if !uri.starts_with('/') && !uri.contains("://") {
        return Err(EXPECTED.into());
    }
    Ok((method, uri.parse().map_err(|error| format!("`{uri}` is no path: {error}"))?))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("expected a name and a value, such as `x-user-id: 7`")?;
    let name = name.trim().parse().map_err(|_| format!("`{}` is no name of a header", name.trim()))?;
    let value = value.trim().parse().map_err(|_| "the value has characters that no header may have".to_owned())?;
    Ok((name, value))
}

/// The decision, as text.
pub(super) fn answer(snapshot: &Snapshot, question: &Question) -> String {
    let peer = match question.peer {
        Some(address) => Peer::new(SocketAddr::new(address, 0)),
        None => Peer::unknown(),
    };
    let mut listeners = snapshot.config.listeners.iter();
    let listener = listeners.find(|listener| question.listener.is_none_or(|bind| listener.bind == bind));
    let peer = match listener {
        Some(listener) => peer.with_trust(&listener.trust),
        None => peer,
    };
    write(&question.line, &snapshot.explain(head(question), &peer))
}

fn head(question: &Question) -> request::Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    (head.method, head.uri) = question.line.clone();
    for (name, value) in &question.headers {
        head.headers.append(name.clone(), value.clone());
    }
    head
}

/// The name of a line stands in a column of this width.
const WIDTH: usize = 10;

fn write((method, uri): &(Method, Uri), explanation: &Explanation) -> String {
    let mut text = format!("{method} {uri}\n");
    let mut line = |name: &str, value: &str| {
        // A string takes whatever is written.
        let _ = writeln!(text, "  {name:WIDTH$}{value}");
    };
    for name in &explanation.removed {
        line("ignored", &format!("header `{name}`: the peer is not trusted with it"));
    }
    if let Some(path) = &explanation.normal_path {
        line("path", &format!("{path} (in normal form, for plain routes)"));
    }
    match &explanation.route {
        Ok(taken) => {
            let rpc = taken.rpc.as_ref().map(|rpc| format!(" → {rpc}")).unwrap_or_default();
            let host = if taken.host == "*" { String::new() } else { format!(" on {}", taken.host) };
            line("route", &format!("{}{host}{rpc}", taken.path));
        }
        Err(answer) => line("route", &format!("none → {answer}")),
    }
    for said in &explanation.canary {
        line("canary", &format!("{} → {}: {}", said.rule, said.to, said.why));
    }
    if !explanation.canary.is_empty() && !explanation.canary.iter().any(|said| said.holds) {
        line("canary", "no rule takes it");
    }
    if explanation.has_plan {
        line("", "(the share of a plan is that of its first step here; the admin API has the present one)");
    }
    if explanation.route.is_ok() {
        line("upstream", explanation.upstream.as_deref().unwrap_or("none: the gateway answers"));
    }
    for passed in &explanation.passed {
        let host = if passed.host == "*" { String::new() } else { format!(" on {}", passed.host) };
        line("passed by", &format!("{}{host}: {}", passed.route, passed.why));
    }
    text
}
