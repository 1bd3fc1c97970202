//! `shop.v1.Inventory`.

mod streams;

use tonic::{Request, Response, Status, Streaming, async_trait};

use super::Context;
use crate::{
    check::Check,
    fault::{Fault, Violation},
    generated::shop::v1::{
        BatchGetStockRequest, BatchGetStockResponse, GetStockRequest, ImportStockResponse, Money, PutStockRequest,
        ReleaseRequest, ReserveRequest, Stock, StockChange, inventory_server,
    },
    store::{answered, inventory as rows, orders::CURRENCY, orders::money},
};

/// SKUs of one batch.
const BATCH_MAX: usize = 100;

/// Prices stay below this (minor units), so that no total of an order overflows.
const PRICE_MAX: i64 = 1_000_000_000_000;

/// Pieces of one SKU.
const PIECES_MAX: i64 = 1_000_000_000_000;

/// The service.
pub(crate) struct Inventory(pub(crate) Context);

// === impl Inventory ===

#[async_trait]
impl inventory_server::Inventory for Inventory {
    type AdjustStockStream = streams::Changed;

    async fn get_stock(&self, request: Request<GetStockRequest>) -> Result<Response<Stock>, Status> {
        let sku = request.into_inner().sku;
        let found = self.0.store.read(move |tx| rows::get(tx, &sku)).await?;
        Ok(Response::new(found))
    }

    async fn put_stock(&self, request: Request<PutStockRequest>) -> Result<Response<Stock>, Status> {
        let mut stock = request.into_inner().stock.ok_or_else(|| Fault::invalid("stock", "must be there"))?;
        checked("stock", &mut stock)?;
        let put = self.0.store.write(move |tx| rows::put(tx, stock)).await?;
        Ok(Response::new(put))
    }

    async fn batch_get_stock(
        &self,
        request: Request<BatchGetStockRequest>,
    ) -> Result<Response<BatchGetStockResponse>, Status> {
        let skus = request.into_inner().skus;
        Check::default()
            .that((1..=BATCH_MAX).contains(&skus.len()), "skus", format!("must be 1 to {BATCH_MAX}"))
            .done()?;
        let stocks = self
            .0
            .store
            .read(move |tx| {
                let mut missing = Vec::new();
                let mut stocks = Vec::with_capacity(skus.len());
                for sku in skus {
                    match rows::find(tx, &sku)? {
                        Some(stock) => stocks.push(stock),
                        None => missing.push(sku),
                    }
                }
                if missing.is_empty() { Ok(stocks) } else { Err(rows::not_found(&missing.join(", "))) }
            })
            .await?;
        Ok(Response::new(BatchGetStockResponse { stocks }))
    }

    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<Stock>, Status> {
        let (request, now) = (request.into_inner(), self.0.now());
        check_quantity(request.quantity, &request.idempotency_key)?;
        let reserved = self.0.store.write(move |tx| {
            let done = ("Reserve", request.idempotency_key.as_str());
            answered::once(tx, now, done, &request, || rows::reserve(tx, &request.sku, request.quantity))
        });
        Ok(Response::new(reserved.await?))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<Stock>, Status> {
        let (request, now) = (request.into_inner(), self.0.now());
        check_quantity(request.quantity, &request.idempotency_key)?;
        let released = self.0.store.write(move |tx| {
            let done = ("Release", request.idempotency_key.as_str());
            answered::once(tx, now, done, &request, || rows::release(tx, &request.sku, request.quantity))
        });
        Ok(Response::new(released.await?))
    }

    async fn import_stock(&self, request: Request<Streaming<Stock>>) -> Result<Response<ImportStockResponse>, Status> {
        Ok(Response::new(streams::import(&self.0.store, request.into_inner()).await?))
    }

    async fn adjust_stock(
        &self,
        request: Request<Streaming<StockChange>>,
    ) -> Result<Response<Self::AdjustStockStream>, Status> {
        Ok(Response::new(streams::adjust(self.0.store.clone(), request.into_inner())))
    }
}

fn check_quantity(quantity: i64, key: &str) -> Result<(), Fault> {
    Check::default().that(quantity >= 1, "quantity", "must be at least 1").key("idempotency_key", key).done()
}

/// Checks what callers say of a SKU; `at` is where they said it. The price gets the shop's currency.
fn checked(at: &str, stock: &mut Stock) -> Result<(), Fault> {
    let price = stock.price.take().unwrap_or_default();
    check_stock(at, stock, &price)?;
    stock.price = Some(money(price.minor_units));
    Ok(())
}

fn check_stock(at: &str, stock: &Stock, price: &Money) -> Result<(), Fault> {
    Check::default()
        .sku(format!("{at}.sku"), &stock.sku)
        .text(&format!("{at}.title"), &stock.title, 0, 120)
        .that(
            price.currency.is_empty() || price.currency == CURRENCY,
            format!("{at}.price.currency"),
            format!("must be {CURRENCY}"),
        )
        .that(
            (0..=PRICE_MAX).contains(&price.minor_units),
            format!("{at}.price.minor_units"),
            format!("must be 0 to {PRICE_MAX}"),
        )
        .that((0..=PIECES_MAX).contains(&stock.on_hand), format!("{at}.on_hand"), format!("must be 0 to {PIECES_MAX}"))
        .done()
}

/// Checks the lines of an order against what the shop carries; returns the prices, in the order of `skus`.
pub(super) fn prices(tx: &rusqlite::Transaction<'_>, skus: &[&str]) -> Result<Vec<i64>, Fault> {
    let mut violations = Vec::new();
    let mut prices = Vec::with_capacity(skus.len());
    for (index, sku) in skus.iter().enumerate() {
        match rows::find(tx, sku)? {
            Some(stock) => prices.push(stock.price.map_or(0, |price| price.minor_units)),
            None => violations.push(Violation {
                field: format!("order.items[{index}].sku"),
                description: format!("{sku:?} is not in the inventory"),
            }),
        }
    }
    if violations.is_empty() { Ok(prices) } else { Err(Fault::Invalid(violations)) }
}
