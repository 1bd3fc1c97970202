//! The whole pipeline in front of real tonic services in the same process, streaming included.

use crate::rig::{gateway, request, send};
use serde_json::{Value, json};
use std::sync::Arc;
use tidegate_gateway::{Gateway, Single};
use tidegate_shop::{PROTO_FILES, Routes, Shop, ShopConfig};
use tidegate_upstream::InProcess;

const SERVICES: [&str; 4] = ["shop.v1.Customers", "shop.v1.Orders", "shop.v1.Inventory", "shop.v1.ShortLinks"];

fn shop() -> (Arc<Gateway>, Single<InProcess<Routes>>) {
    let shop = Shop::open(ShopConfig::default()).expect("a shop in memory");
    (gateway(PROTO_FILES, &SERVICES, |_| {}), Single(InProcess::new(shop.routes())))
}

async fn ask(line: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let (gateway, shop) = shop();
    let seen = send(&gateway, &shop, request(line, headers, body)).await;
    (seen.status, seen.body)
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn a_customer_is_created_and_read_back() {
    let (gateway, shop) = shop();
    let body = r#"{"id":"hopper","displayName":"Grace Hopper","email":"grace@example.com"}"#;
    let created = send(&gateway, &shop, request("POST /v1/customers", &[], body)).await;
    assert_eq!((created.status, &parse(&created.body)["displayName"]), (200, &json!("Grace Hopper")));
    let read = send(&gateway, &shop, request("GET /v1/customers/hopper", &[], "")).await;
    assert_eq!(read, created);
}

#[tokio::test]
async fn a_service_that_says_no_is_heard_with_its_details() {
    let (status, body) = ask("GET /v1/orders/999999", &[], "").await;
    let body = parse(&body);
    assert_eq!((status, &body["code"]), (404, &json!(5)));
    assert_eq!(body["details"][0]["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
}

#[tokio::test]
async fn a_listing_streams_in_lines() {
    let (status, body) = ask("GET /v1/tenants/acme/orders:export", &[("accept", "application/x-ndjson")], "").await;
    assert_eq!(status, 200, "{body}");
    let ids: Vec<Value> = body.lines().map(|line| parse(line)["id"].clone()).collect();
    assert!(ids.len() > 1 && ids.iter().all(Value::is_string), "{ids:?}");
}
