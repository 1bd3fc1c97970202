//! Page tokens: a position, bound to its filter. Opaque to callers, and no secret: who makes one up gets a place in
//! a listing that the call would show anyway.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Filter, Position};
use crate::fault::Fault;

/// First byte of the layout below; another layout takes another.
const VERSION: u8 = 1;

/// Version, four numbers, check: all fixed.
const LENGTH: usize = 1 + 4 * 8 + 8;

/// `version ‖ as_of ‖ seen ‖ cursor ‖ check(filter, all before)`, numbers big-endian, in unpadded base64url.
pub(super) fn encode(position: Position, filter: &Filter) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(VERSION);
    for number in [position.as_of, position.seen, position.cursor.0, position.cursor.1] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    let check = check(filter, &bytes);
    bytes.extend_from_slice(&check.to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The inverse of [`encode`] for the same filter; anything else is refused.
pub(super) fn decode(token: &str, filter: &Filter) -> Result<Position, Fault> {
    let damaged = || unfit("it is damaged, or of another tenant or status");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_not_base64| damaged())?;
    let bytes: [u8; LENGTH] = bytes.try_into().map_err(|_length| damaged())?;
    let (content, sum) = bytes.split_at(LENGTH - 8);
    if content[0] != VERSION || sum != check(filter, content).to_be_bytes() {
        return Err(damaged());
    }
    let number = |index: usize| {
        let at = 1 + index * 8;
        let mut buffer = [0; 8];
        buffer.copy_from_slice(&content[at..at + 8]);
        i64::from_be_bytes(buffer)
    };
    let position = Position { as_of: number(0), seen: number(1), cursor: (number(2), number(3)) };
    if position.seen < position.as_of || position.cursor.0 > position.as_of {
        return Err(damaged());
    }
    Ok(position)
}

/// What a caller is told of a token that does not fit.
pub(super) fn unfit(why: &str) -> Fault {
    Fault::invalid("page_token", format!("does not fit: {why}"))
}

/// FNV-1a over the filter and the content: finds damage and mix-ups, which is all it is for.
fn check(filter: &Filter, content: &[u8]) -> u64 {
    let status = (filter.status as i32).to_be_bytes();
    let length = (filter.tenant_id.len() as u64).to_be_bytes();
    [&length, filter.tenant_id.as_bytes(), &status, content]
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
