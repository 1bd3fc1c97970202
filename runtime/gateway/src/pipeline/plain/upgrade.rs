//! Connections that shall become something else.

use crate::answer::{Answer, Refusal};
use crate::config::{Forward, Upgrade};
use http::header::{CONNECTION, HeaderMap, UPGRADE};
use http::{Method, Version, request};
use tidegate_upstream::Protocol;

/// What the client asks its connection to become, if the route lets it.
///
/// `h2c` is no wish that must be met (RFC 9113 has done away with it), and clients that offer it take a
/// plain answer.
///
/// # Errors
/// 403: the route does not let it.
pub(super) fn asked(head: &request::Parts, forward: &Forward, protocol: Protocol) -> Result<Option<Upgrade>, Refusal> {
    if head.version != Version::HTTP_11 || !head.headers.contains_key(UPGRADE) || !says_upgrade(&head.headers) {
        return Ok(None);
    }
    let Some(text) = single(&head.headers) else { return Err(refused("several protocols")) };
    if text.eq_ignore_ascii_case(b"h2c") {
        return Ok(None);
    }
    let asked = named(&head.headers).filter(|upgrade| forward.upgrades.contains(upgrade));
    match asked {
        Some(upgrade) if head.method == Method::GET && protocol == Protocol::H1 => Ok(Some(upgrade)),
        _ => {
            let name: String = String::from_utf8_lossy(text).chars().take(32).collect();
            Err(refused(&name))
        }
    }
}

fn refused(what: &str) -> Refusal {
    Refusal::new(Answer::UpgradeRefused, format!("this route does not change the protocol to {what}"))
}

/// The protocol that `Upgrade` names, alone.
pub(super) fn named(headers: &HeaderMap) -> Option<Upgrade> {
    let text = single(headers)?;
    [Upgrade::WebSocket].into_iter().find(|upgrade| text.eq_ignore_ascii_case(upgrade.name().as_bytes()))
}

fn single(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(UPGRADE).iter();
    let value = values.next()?.as_bytes().trim_ascii();
    (values.next().is_none() && !value.contains(&b',')).then_some(value)
}

fn says_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    values.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}
