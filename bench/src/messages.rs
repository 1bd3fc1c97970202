//! The messages of `proto/tidegate/bench/v1/items.proto`, as prost would generate them.

use std::collections::BTreeMap;

/// `tidegate.bench.v1.Address`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Address {
    /// `street`
    #[prost(string, tag = "1")]
    pub street: String,
    /// `city`
    #[prost(string, tag = "2")]
    pub city: String,
    /// `country`
    #[prost(string, tag = "3")]
    pub country: String,
}

/// `tidegate.bench.v1.Item`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Item {
    /// `id`
    #[prost(string, tag = "1")]
    pub id: String,
    /// `title`
    #[prost(string, tag = "2")]
    pub title: String,
    /// `status`, a number of `tidegate.bench.v1.Status`
    #[prost(int32, tag = "3")]
    pub status: i32,
    /// `quantity`
    #[prost(int32, tag = "4")]
    pub quantity: i32,
    /// `price_cents`
    #[prost(int64, tag = "5")]
    pub price_cents: i64,
    /// `weight`
    #[prost(double, tag = "6")]
    pub weight: f64,
    /// `available`
    #[prost(bool, tag = "7")]
    pub available: bool,
    /// `created_at`
    #[prost(message, optional, tag = "8")]
    pub created_at: Option<prost_types::Timestamp>,
    /// `origin`
    #[prost(message, optional, tag = "9")]
    pub origin: Option<Address>,
    /// `tags`
    #[prost(string, repeated, tag = "10")]
    pub tags: Vec<String>,
    /// `labels`
    #[prost(btree_map = "string, string", tag = "11")]
    pub labels: BTreeMap<String, String>,
    /// `notes`
    #[prost(string, tag = "12")]
    pub notes: String,
}

/// `tidegate.bench.v1.GetItemRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetItemRequest {
    /// `id`
    #[prost(string, tag = "1")]
    pub id: String,
}

/// `tidegate.bench.v1.ListItemsRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ListItemsRequest {
    /// `page_size`
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// `page_token`
    #[prost(string, tag = "2")]
    pub page_token: String,
}

/// `tidegate.bench.v1.ListItemsReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListItemsReply {
    /// `items`
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<Item>,
    /// `next_page_token`
    #[prost(string, tag = "2")]
    pub next_page_token: String,
}
