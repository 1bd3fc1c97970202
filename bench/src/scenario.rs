//! The traffic: what a client sends, what the upstream answers, what the client must get.

use anyhow::Context;
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use serde_json::{Value, json};

use crate::messages::{Address, GetItemRequest, Item, ListItemsReply, ListItemsRequest};

/// One kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// A GET with an id in the path; an object of about 200 bytes of JSON comes back.
    Get,
    /// A POST of 1 KiB of JSON, echoed.
    Post,
    /// A GET of a list of 100 objects, 32 KiB of JSON.
    List,
    /// A GET of a server stream of 100 messages, the list's objects.
    Stream,
    /// A native call over HTTP/2, untranslated: the GET's messages.
    Grpc,
    /// The GET with headers that a map may rename.
    Headers,
    /// A GET that goes on as it is, to an upstream of HTTP/1.1; the GET's object comes back.
    Plain,
}

/// Objects in a list and messages in a stream.
pub const MANY: usize = 100;

impl Scenario {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Post, Self::List, Self::Stream, Self::Grpc, Self::Headers, Self::Plain];

    /// The path of the gRPC method behind it.
    #[must_use]
    pub fn grpc_path(self) -> &'static str {
        match self {
            Self::Get | Self::Grpc | Self::Headers | Self::Plain => "/tidegate.bench.v1.Items/GetItem",
            Self::Post => "/tidegate.bench.v1.Items/CreateItem",
            Self::List => "/tidegate.bench.v1.Items/ListItems",
            Self::Stream => "/tidegate.bench.v1.Items/WatchItems",
        }
    }

    /// The scenario of a request target, as the floor tells them apart.
    #[must_use]
    pub fn of_target(post: bool, target: &str) -> Self {
        match target {
            _ if post => Self::Post,
            "/v1/items?pageSize=100" => Self::List,
            "/v1/items:watch?pageSize=100" => Self::Stream,
            _ => Self::Get,
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::Get | Self::Grpc | Self::Headers => "/v1/items/item-00000",
            Self::Plain => "/plain/item-00000",
            Self::Post => "/v1/items",
            Self::List => "/v1/items?pageSize=100",
            Self::Stream => "/v1/items:watch?pageSize=100",
        }
    }

    /// The HTTP/1.1 request, head and body.
    #[must_use]
    pub fn request(self) -> Vec<u8> {
        let target = self.target();
        if self != Self::Post {
            let more = match self {
                Self::Headers => "x-request-id: 0190f3c2\r\nx-env: prod\r\nx-user-id: 4711\r\n",
                _ => "",
            };
            return format!("GET {target} HTTP/1.1\r\nhost: bench.local\r\naccept: application/json\r\n{more}\r\n")
                .into_bytes();
        }
        let body = json_of(&big_item()).to_string();
        let length = body.len();
        format!(
            "POST {target} HTTP/1.1\r\nhost: bench.local\r\ncontent-type: application/json\r\n\
             accept: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// The gRPC frame of the request, as a gateway sends it upstream.
    #[must_use]
    pub fn grpc_request(self) -> Bytes {
        let list = ListItemsRequest { page_size: 100, page_token: String::new() };
        match self {
            Self::Get | Self::Grpc | Self::Headers | Self::Plain => {
                frame(&GetItemRequest { id: "item-00000".to_owned() })
            }
            Self::Post => frame(&big_item()),
            Self::List | Self::Stream => frame(&list),
        }
    }

    /// The gRPC frames of the answer, one per message.
    #[must_use]
    pub fn grpc_reply(self) -> Vec<Bytes> {
        match self {
            Self::Get | Self::Grpc | Self::Headers | Self::Plain => vec![frame(&small_item())],
            Self::Post => vec![frame(&big_item())],
            Self::List => vec![frame(&ListItemsReply {
                items: (0..MANY).map(item).collect(),
                next_page_token: "bmV4dA".to_owned(),
            })],
            Self::Stream => (0..MANY).map(|index| frame(&item(index))).collect(),
        }
    }

    /// The answer that the client must get, as ProtoJSON says.
    #[must_use]
    pub fn json_reply(self) -> Value {
        let items = || (0..MANY).map(|index| json_of(&item(index)));
        match self {
            Self::Get | Self::Grpc | Self::Headers | Self::Plain => json_of(&small_item()),
            Self::Post => json_of(&big_item()),
            Self::List => json!({"items": items().collect::<Value>(), "nextPageToken": "bmV4dA"}),
            Self::Stream => items().collect(),
        }
    }
}

/// What a native call was answered with, as JSON: one frame with an item in it.
pub(crate) fn json_of_frame(frame: &[u8]) -> anyhow::Result<Value> {
    let (_, message) = frame.split_at_checked(5).context("no frame")?;
    Ok(json_of(&Item::decode(message)?))
}

/// A message with gRPC's five bytes before it.
fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).expect("messages here are small"));
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

fn small_item() -> Item {
    Item { labels: [].into(), origin: None, tags: Vec::new(), ..item(0) }
}

fn item(index: usize) -> Item {
    let number = i32::try_from(index).expect("indices here are small");
    Item {
        id: format!("item-{index:05}"),
        title: format!("Stoneware mug, glazed, no. {index:03}"),
        status: 1 + number % 2,
        quantity: 10 + number,
        price_cents: 129_900 + i64::from(number),
        weight: 0.3125 + f64::from(number) / 8.0,
        available: true,
        created_at: Some(prost_types::Timestamp { seconds: 1_790_000_000 + i64::from(number), nanos: 123_000_000 }),
        origin: Some(Address { street: "Quay 7".to_owned(), city: "Rotterdam".to_owned(), country: "NL".to_owned() }),
        tags: vec!["kitchenware".to_owned(), "gift-wrapping".to_owned()],
        labels: [("colour".to_owned(), "blue".to_owned())].into(),
        notes: String::new(),
    }
}

fn big_item() -> Item {
    let words = "Fired twice at 1240 degrees, then \"seconded\" by hand; pack with straw. ";
    Item {
        labels: (0..8).map(|n| (format!("label-{n}"), format!("value {n}"))).collect(),
        tags: (0..8).map(|n| format!("tag-{n}")).collect(),
        notes: words.repeat(7).trim_end().to_owned(),
        ..item(7)
    }
}

/// ProtoJSON of an item, written down independently of any codec under test. All its fields that
/// lack presence are either set or must be left out.
fn json_of(item: &Item) -> Value {
    let statuses = ["STATUS_UNSPECIFIED", "STATUS_ACTIVE", "STATUS_ARCHIVED"];
    let status = statuses[usize::try_from(item.status).expect("statuses here are known")];
    let mut object = json!({
        "id": item.id,
        "title": item.title,
        "status": status,
        "quantity": item.quantity,
        "priceCents": item.price_cents.to_string(),
        "weight": item.weight,
        "available": item.available,
        "createdAt": item.created_at.as_ref().map(ToString::to_string),
    });
    if let Some(Address { street, city, country }) = &item.origin {
        object["origin"] = json!({"street": street, "city": city, "country": country});
    }
    if !item.tags.is_empty() {
        object["tags"] = json!(item.tags);
    }
    if !item.labels.is_empty() {
        object["labels"] = json!(item.labels);
    }
    if !item.notes.is_empty() {
        object["notes"] = json!(item.notes);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_those_that_the_reports_name() {
        let size = |scenario: Scenario| scenario.json_reply().to_string().len();
        assert!((150..250).contains(&size(Scenario::Get)), "{}", size(Scenario::Get));
        assert!((1000..1100).contains(&size(Scenario::Post)), "{}", size(Scenario::Post));
        assert!((31_000..34_000).contains(&size(Scenario::List)), "{}", size(Scenario::List));
        assert_eq!(Scenario::Stream.grpc_reply().len(), MANY);
    }

    #[test]
    fn a_request_is_recognised_by_its_target() {
        for scenario in [Scenario::Get, Scenario::Post, Scenario::List, Scenario::Stream] {
            let post = scenario == Scenario::Post;
            assert_eq!(Scenario::of_target(post, scenario.target()), scenario);
        }
    }
}
