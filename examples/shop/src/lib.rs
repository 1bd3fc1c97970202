//! A small shop as real gRPC services: customers, orders, inventory, payments, shipping, short links, faults. The
//! demo's other side.
//!
//! Owns the shop's API (`proto/shop/v1`, with `google.api.http` rules that use most of what the mapping has), the
//! services over one SQLite database, health and reflection beside them, and the [tour] that walks through them over HTTP.
//!
//! Does not translate, listen for HTTP/1 or know the gateway: what it serves is plain gRPC, by tonic, as anybody's
//! services would be.
//!
//! Invariant: a listing returns each order that stays in it exactly once, however orders move meanwhile; see
//! `ListOrders` in `proto/shop/v1/orders.proto`.
//!
//! ```no_run
//! # async fn demo() -> std::io::Result<()> {
//! let shop = tidegate_shop::Shop::start(None, "127.0.0.1:0".parse().unwrap())?;
//! println!("gRPC on {}", shop.addr());
//! shop.shutdown().await
//! # }
//! ```

pub mod generated;
pub mod keyset;
pub mod protos;
pub mod tour;

#[cfg(feature = "codegen")]
pub mod codegen;

mod check;
mod fault;
mod server;
mod services;
mod store;
mod version;

pub use self::{
    protos::PROTO_FILES,
    server::{Routes, Running, Shop, ShopConfig},
    services::Clock,
    version::{VERSION_HEADER, Version, Versioned},
};
