//! Stock that comes as a stream.

use tidegate_shop::{
    Routes,
    generated::{
        google::rpc,
        shop::v1::{
            BatchGetStockRequest, GetStockRequest, ImportStockResponse, Money, ReserveRequest, Stock, StockChange,
            StockChanged, inventory_client::InventoryClient, stock_changed::Outcome,
        },
    },
};
use tokio::sync::mpsc;
use tokio_stream::{iter, wrappers::ReceiverStream};
use tonic::Code;

use crate::support::{Refusal, invalid, not_found, precondition, refusal, shop};

fn stock(sku: &str, on_hand: i64) -> Stock {
    let price = Some(Money { currency: "EUR".to_owned(), minor_units: 100 });
    Stock { sku: sku.to_owned(), price, on_hand, ..Default::default() }
}

fn change(sku: &str, delta: i64) -> StockChange {
    StockChange { sku: sku.to_owned(), delta }
}

fn on_hand(sku: &str, pieces: i64) -> StockChanged {
    StockChanged { sku: sku.to_owned(), outcome: Some(Outcome::OnHand(pieces)) }
}

async fn pieces(inventory: &mut InventoryClient<Routes>, sku: &str) -> i64 {
    inventory.get_stock(GetStockRequest { sku: sku.to_owned() }).await.unwrap().into_inner().on_hand
}

#[tokio::test]
async fn an_import_adds_and_replaces_all() {
    let mut inventory = InventoryClient::new(shop());
    let stocks = [stock("new/a", 1), stock("mugs/tide", 2), stock("new/b", 3), stock("new/a", 4)];
    let done = inventory.import_stock(iter(stocks.clone())).await.unwrap().into_inner();
    assert_eq!(done, ImportStockResponse { added: 2, replaced: 2 });
    let skus = ["new/a", "mugs/tide", "new/b"].map(str::to_owned).to_vec();
    let there = inventory.batch_get_stock(BatchGetStockRequest { skus }).await.unwrap().into_inner().stocks;
    assert_eq!(there, [stocks[3].clone(), stocks[1].clone(), stocks[2].clone()]);
    let none = inventory.import_stock(iter([])).await.unwrap().into_inner();
    assert_eq!(none, ImportStockResponse::default());
}

#[tokio::test]
async fn an_import_with_one_bad_message_changes_nothing() {
    let mut inventory = InventoryClient::new(shop());
    let reserve = ReserveRequest { sku: "mugs/tide".to_owned(), quantity: 5, ..Default::default() };
    inventory.reserve(reserve).await.unwrap();
    assert_eq!(
        refusal(inventory.import_stock(iter([stock("new/a", 1), stock("", -1), stock("x", 1)])).await),
        invalid(&[
            ("messages[1].sku", "must be 1 to 8 segments of a-z, 0-9, '.', '_', '-', joined by /"),
            ("messages[1].on_hand", "must be 0 to 1000000000000"),
        ])
    );
    assert_eq!(
        refusal(inventory.import_stock(iter([stock("new/a", 1), stock("mugs/tide", 4)])).await),
        precondition("STOCK_RESERVED", "mugs/tide", "5 are reserved, so 4 cannot be all there are")
    );
    let get = GetStockRequest { sku: "new/a".to_owned() };
    assert_eq!(refusal(inventory.get_stock(get).await), not_found("Stock", "new/a"));
}

#[tokio::test]
async fn an_import_has_an_end() {
    let exhausted = Refusal {
        code: Code::ResourceExhausted,
        message: "an import has at most 10000 SKUs and 16 MiB".to_owned(),
        details: vec![],
    };
    let mut inventory = InventoryClient::new(shop());
    let many = (0..10_001).map(|number| stock(&format!("many/{number}"), 1));
    assert_eq!(refusal(inventory.import_stock(iter(many)).await), exhausted);
    let large = (0..17).map(|_| Stock { gtin: vec![0; 1 << 20], ..stock("large", 1) });
    assert_eq!(refusal(inventory.import_stock(iter(large)).await), exhausted);
}

#[tokio::test]
async fn each_change_is_answered_before_the_next_is_sent() {
    let mut inventory = InventoryClient::new(shop());
    let (sender, changes) = mpsc::channel(1);
    let mut answers = inventory.adjust_stock(ReceiverStream::new(changes)).await.unwrap().into_inner();
    for (delta, pieces) in [(5, 1005), (-1, 1004), (-1004, 0)] {
        sender.send(change("mugs/tide", delta)).await.unwrap();
        assert_eq!(answers.message().await.unwrap(), Some(on_hand("mugs/tide", pieces)));
    }
    drop(sender);
    assert_eq!(answers.message().await.unwrap(), None);
    assert_eq!(pieces(&mut inventory, "mugs/tide").await, 0);
}

#[tokio::test]
async fn a_refused_change_changes_nothing_and_does_not_end_the_stream() {
    let mut inventory = InventoryClient::new(shop());
    let reserve = ReserveRequest { sku: "posters/gate".to_owned(), quantity: 2, ..Default::default() };
    inventory.reserve(reserve).await.unwrap();
    let changes = [
        change("posters/gate", -2),
        change("posters/gate", 0),
        change("nowhere", 1),
        change("posters/gate", i64::MAX),
        change("posters/gate", i64::MIN),
        change("posters/gate", -1),
    ];
    let mut answers = inventory.adjust_stock(iter(changes)).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(StockChanged { sku, outcome }) = answers.message().await.unwrap() {
        seen.push(match outcome.unwrap() {
            Outcome::OnHand(pieces) => (sku, 0, pieces.to_string()),
            Outcome::Refusal(rpc::Status { code, message, details }) => {
                assert!(!details.is_empty());
                (sku, code, message)
            }
        });
    }
    let expected = [
        ("posters/gate", 9, "2 cannot leave, 1 are not reserved"),
        ("posters/gate", 3, "delta: must not be 0"),
        ("nowhere", 5, "Stock \"nowhere\" does not exist"),
        ("posters/gate", 9, "there cannot be more than 1000000000000"),
        ("posters/gate", 9, "9223372036854775808 cannot leave, 1 are not reserved"),
        ("posters/gate", 0, "2"),
    ];
    assert_eq!(seen, expected.map(|(sku, code, message)| (sku.to_owned(), code, message.to_owned())));
}
