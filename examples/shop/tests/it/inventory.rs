use prost_types::Duration;
use tidegate_shop::generated::shop::v1::{
    BatchGetStockRequest, GetStockRequest, Money, PutStockRequest, ReleaseRequest, ReserveRequest, Stock,
    inventory_client::InventoryClient,
};

use crate::support::{invalid, not_found, precondition, refusal, shop};

fn socks() -> Stock {
    Stock {
        sku: "socks/wool/39-42".to_owned(),
        title: "Wool socks".to_owned(),
        price: Some(Money { currency: "EUR".to_owned(), minor_units: 1_290 }),
        on_hand: 10,
        reserved: 0,
        reorder_point: Some(0),
        lead_time: Some(Duration { seconds: 3_600, nanos: 500_000_000 }),
        weight_kg: 0.1,
        gtin: vec![0, 255, 7],
        attributes: None,
    }
}

#[tokio::test]
async fn stock_that_is_put_is_got_alone_and_in_a_batch() {
    let mut inventory = InventoryClient::new(shop());
    let put = inventory.put_stock(PutStockRequest { stock: Some(socks()) }).await.unwrap().into_inner();
    assert_eq!(put, socks());
    let get = GetStockRequest { sku: socks().sku };
    assert_eq!(inventory.get_stock(get).await.unwrap().into_inner(), socks());

    let skus = |skus: &[&str]| BatchGetStockRequest { skus: skus.iter().map(|sku| (*sku).to_owned()).collect() };
    let batch = inventory.batch_get_stock(skus(&["socks/wool/39-42", "mugs/tide", "socks/wool/39-42"])).await;
    let stocks = batch.unwrap().into_inner().stocks;
    let mug = inventory.get_stock(GetStockRequest { sku: "mugs/tide".to_owned() }).await.unwrap().into_inner();
    assert_eq!(stocks, [socks(), mug, socks()]);

    assert_eq!(
        refusal(inventory.batch_get_stock(skus(&["a", "mugs/tide", "b/c"])).await),
        not_found("Stock", "a, b/c")
    );
    assert_eq!(refusal(inventory.batch_get_stock(skus(&[])).await), invalid(&[("skus", "must be 1 to 100")]));
}

#[tokio::test]
async fn a_reservation_takes_what_is_available_and_no_more() {
    let mut inventory = InventoryClient::new(shop());
    inventory.put_stock(PutStockRequest { stock: Some(socks()) }).await.unwrap();
    let reserve = |quantity| ReserveRequest { sku: socks().sku, quantity, idempotency_key: String::new() };
    let seven = inventory.reserve(reserve(7)).await.unwrap().into_inner();
    assert_eq!(seven, Stock { reserved: 7, ..socks() });
    assert_eq!(
        refusal(inventory.reserve(reserve(4)).await),
        precondition("OUT_OF_STOCK", "socks/wool/39-42", "4 asked for, 3 available")
    );
    let ten = inventory.reserve(reserve(3)).await.unwrap().into_inner();
    assert_eq!(ten, Stock { reserved: 10, ..socks() });

    assert_eq!(refusal(inventory.reserve(reserve(0)).await), invalid(&[("quantity", "must be at least 1")]));
    let nowhere = ReserveRequest { sku: "socks".to_owned(), quantity: 1, ..Default::default() };
    assert_eq!(refusal(inventory.reserve(nowhere).await), not_found("Stock", "socks"));

    let fewer = PutStockRequest { stock: Some(Stock { on_hand: 9, ..socks() }) };
    assert_eq!(
        refusal(inventory.put_stock(fewer).await),
        precondition("STOCK_RESERVED", "socks/wool/39-42", "10 are reserved, so 9 cannot be all there are")
    );
    let more = PutStockRequest { stock: Some(Stock { on_hand: 11, ..socks() }) };
    let put = inventory.put_stock(more).await.unwrap().into_inner();
    assert_eq!(put, Stock { on_hand: 11, reserved: 10, ..socks() });
}

#[tokio::test]
async fn what_was_set_aside_is_put_back_and_a_key_does_either_once() {
    let mut inventory = InventoryClient::new(shop());
    inventory.put_stock(PutStockRequest { stock: Some(socks()) }).await.unwrap();
    let key = |key: &str| key.to_owned();
    let reserve = ReserveRequest { sku: socks().sku, quantity: 6, idempotency_key: key("saga-1") };
    let release = ReleaseRequest { sku: socks().sku, quantity: 4, idempotency_key: key("saga-1") };
    for _ in 0..2 {
        let six = inventory.reserve(reserve.clone()).await.unwrap().into_inner();
        assert_eq!(six, Stock { reserved: 6, ..socks() });
    }
    for _ in 0..2 {
        let two = inventory.release(release.clone()).await.unwrap().into_inner();
        assert_eq!(two, Stock { reserved: 2, ..socks() });
    }
    assert_eq!(
        refusal(inventory.release(ReleaseRequest { quantity: 3, ..release.clone() }).await),
        precondition(
            "IDEMPOTENCY_KEY_REUSED",
            "saga-1",
            "the idempotency key \"saga-1\" came with another request before"
        )
    );
    assert_eq!(
        refusal(inventory.release(ReleaseRequest { quantity: 3, idempotency_key: key(""), ..release }).await),
        precondition("NOT_RESERVED", "socks/wool/39-42", "3 asked for, 2 reserved")
    );
}

#[tokio::test]
async fn every_bad_field_of_stock_is_named() {
    let mut inventory = InventoryClient::new(shop());
    let stock = Stock {
        sku: "socks//wool".to_owned(),
        price: Some(Money { currency: "USD".to_owned(), minor_units: -1 }),
        on_hand: -1,
        ..socks()
    };
    assert_eq!(
        refusal(inventory.put_stock(PutStockRequest { stock: Some(stock) }).await),
        invalid(&[
            ("stock.sku", "must be 1 to 8 segments of a-z, 0-9, '.', '_', '-', joined by /"),
            ("stock.price.currency", "must be EUR"),
            ("stock.price.minor_units", "must be 0 to 1000000000000"),
            ("stock.on_hand", "must be 0 to 1000000000000"),
        ])
    );
}
