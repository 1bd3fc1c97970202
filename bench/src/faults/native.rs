//! Native calls, told as the same calls of REST are: so the ledger need not know which they were.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use serde_json::json;

use super::traffic::{Ask, Length};
use crate::messages::{GetItemRequest, Item, ListItemsRequest};
use crate::scenario::Scenario;

const UNAVAILABLE: u16 = 14;

/// A unary call: of the POST or of the GET.
pub(super) fn ask(id: String, post: bool) -> Ask {
    if post {
        call(Scenario::Post, &Item { id, ..Item::default() })
    } else {
        call(Scenario::Grpc, &GetItemRequest { id })
    }
}

/// A call of a server stream.
pub(super) fn stream(length: Length) -> Ask {
    call(Scenario::Stream, &ListItemsRequest { page_size: length as i32, page_token: "slow".to_owned() })
}

fn call(scenario: Scenario, message: &impl Message) -> Ask {
    Ask { method: "POST", target: scenario.grpc_path().to_owned(), body: frame(message), native: true }
}

/// A message with gRPC's five bytes before it.
pub(super) fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

/// The status and the body of the same answer of REST.
pub(super) fn as_rest(status: u16, code: u16, body: &[u8]) -> (u16, String) {
    let item = body.get(5..).and_then(|message| Item::decode(message).ok());
    match (status, code, item) {
        (200, 0, Some(Item { id, title, price_cents, .. })) => {
            (200, format!(r#"{{"id":{},"title":{},"priceCents":"{price_cents}"}}"#, json!(id), json!(title)))
        }
        (200, UNAVAILABLE, _) => (503, r#"{"code":14,"message":""}"#.to_owned()),
        _ => (500, format!("HTTP {status}, gRPC {code}, {} bytes", body.len())),
    }
}

/// The last line of the same stream of REST.
pub(super) fn last_line(status: u16, code: Option<u16>) -> String {
    match (status, code) {
        (200, Some(0)) => r#"{"id":"item"}"#.to_owned(),
        (200, Some(UNAVAILABLE)) => r#"{"code":14,"message":""}"#.to_owned(),
        _ => format!("HTTP {status}, gRPC {code:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_answers_are_told_as_those_of_rest() {
        let item = Item { id: "r-1".into(), title: "a".into(), price_cents: 1, ..Item::default() };
        let told = |code| as_rest(200, code, &frame(&item));
        assert_eq!(told(0), (200, r#"{"id":"r-1","title":"a","priceCents":"1"}"#.to_owned()));
        assert_eq!((told(14).0, told(13).0, as_rest(200, 0, b"").0), (503, 500, 500));
        assert_eq!(last_line(200, None), "HTTP 200, gRPC None");
    }
}
