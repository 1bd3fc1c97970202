//! Stock that comes as a stream.

use std::pin::Pin;

use prost::Message;
use tokio_stream::Stream;
use tonic::{Status, Streaming};

use super::{PIECES_MAX, checked};
use crate::{
    check::Check,
    fault::Fault,
    generated::shop::v1::{ImportStockResponse, Stock, StockChange, StockChanged, stock_changed::Outcome},
    store::{Store, inventory as rows},
};

/// SKUs of one import.
const IMPORT_MAX: usize = 10_000;

/// Bytes of one import, as messages.
const IMPORT_BYTES_MAX: usize = 16 << 20;

/// What a caller of AdjustStock gets.
pub(super) type Changed = Pin<Box<dyn Stream<Item = Result<StockChanged, Status>> + Send>>;

/// Takes all that comes, then writes all of it in one transaction.
pub(super) async fn import(store: &Store, mut messages: Streaming<Stock>) -> Result<ImportStockResponse, Status> {
    let (mut stocks, mut bytes) = (Vec::new(), 0);
    while let Some(mut stock) = messages.message().await? {
        bytes += stock.encoded_len();
        if stocks.len() == IMPORT_MAX || bytes > IMPORT_BYTES_MAX {
            let most = format!("an import has at most {IMPORT_MAX} SKUs and {} MiB", IMPORT_BYTES_MAX >> 20);
            return Err(Fault::Exhausted(most).into());
        }
        checked(&format!("messages[{}]", stocks.len()), &mut stock)?;
        stocks.push(stock);
    }
    let written = store.write(move |tx| {
        let mut done = ImportStockResponse::default();
        for stock in stocks {
            let known = rows::find(tx, &stock.sku)?.is_some();
            rows::put(tx, stock)?;
            *(if known { &mut done.replaced } else { &mut done.added }) += 1;
        }
        Ok(done)
    });
    Ok(written.await?)
}

/// Does one change after the other; the next is taken when the answer to the last has been.
pub(super) fn adjust(store: Store, mut messages: Streaming<StockChange>) -> Changed {
    Box::pin(async_stream::try_stream! {
        while let Some(change) = messages.message().await? {
            let outcome = match apply(&store, &change).await {
                Ok(on_hand) => Outcome::OnHand(on_hand),
                Err(fault @ (Fault::NotFound { .. } | Fault::Invalid(_) | Fault::Precondition { .. })) => {
                    Outcome::Refusal(fault.into())
                }
                Err(fault) => Err(fault)?,
            };
            yield StockChanged { sku: change.sku, outcome: Some(outcome) };
        }
    })
}

async fn apply(store: &Store, change: &StockChange) -> Result<i64, Fault> {
    let StockChange { sku, delta } = change.clone();
    Check::default().that(delta != 0, "delta", "must not be 0").done()?;
    store.write(move |tx| rows::adjust(tx, &sku, delta, PIECES_MAX)).await
}
