//! Stock as rows: the counts are columns, the rest a document.

use prost::Message;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{fault::Fault, generated::shop::v1::Stock};

/// One SKU, if the shop carries it.
pub(crate) fn find(tx: &Transaction<'_>, sku: &str) -> Result<Option<Stock>, Fault> {
    let row: Option<(i64, i64, Vec<u8>)> = tx
        .prepare_cached("SELECT on_hand, reserved, document FROM stock WHERE sku = ?1")?
        .query_row([sku], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((on_hand, reserved, document)) = row else {
        return Ok(None);
    };
    let mut stock = Stock::decode(document.as_slice())?;
    stock.sku = sku.to_owned();
    (stock.on_hand, stock.reserved) = (on_hand, reserved);
    Ok(Some(stock))
}

/// One SKU.
pub(crate) fn get(tx: &Transaction<'_>, sku: &str) -> Result<Stock, Fault> {
    find(tx, sku)?.ok_or_else(|| not_found(sku))
}

/// Adds `stock`, whose fields are checked, or replaces what was known of it; reservations stay.
pub(crate) fn put(tx: &Transaction<'_>, stock: Stock) -> Result<Stock, Fault> {
    let reserved = find(tx, &stock.sku)?.map_or(0, |known| known.reserved);
    if stock.on_hand < reserved {
        return Err(Fault::Precondition {
            reason: "STOCK_RESERVED",
            subject: stock.sku,
            description: format!("{reserved} are reserved, so {} cannot be all there are", stock.on_hand),
        });
    }
    let stock = Stock { reserved, ..stock };
    let document = Stock { sku: String::new(), on_hand: 0, reserved: 0, ..stock.clone() };
    tx.prepare_cached(
        "INSERT INTO stock (sku, on_hand, document) VALUES (?1, ?2, ?3) \
         ON CONFLICT (sku) DO UPDATE SET on_hand = excluded.on_hand, document = excluded.document",
    )?
    .execute(params![stock.sku, stock.on_hand, document.encode_to_vec()])?;
    Ok(stock)
}

/// Sets `quantity` (at least 1) aside if that many are available.
pub(crate) fn reserve(tx: &Transaction<'_>, sku: &str, quantity: i64) -> Result<Stock, Fault> {
    let mut stock = get(tx, sku)?;
    let available = stock.on_hand - stock.reserved;
    if quantity > available {
        return Err(Fault::Precondition {
            reason: "OUT_OF_STOCK",
            subject: stock.sku,
            description: format!("{quantity} asked for, {available} available"),
        });
    }
    stock.reserved += quantity;
    tx.prepare_cached("UPDATE stock SET reserved = ?2 WHERE sku = ?1")?.execute(params![sku, stock.reserved])?;
    Ok(stock)
}

/// Puts back `quantity` (at least 1) of what was set aside.
pub(crate) fn release(tx: &Transaction<'_>, sku: &str, quantity: i64) -> Result<Stock, Fault> {
    let mut stock = get(tx, sku)?;
    if quantity > stock.reserved {
        return Err(Fault::Precondition {
            reason: "NOT_RESERVED",
            description: format!("{quantity} asked for, {} reserved", stock.reserved),
            subject: stock.sku,
        });
    }
    stock.reserved -= quantity;
    tx.prepare_cached("UPDATE stock SET reserved = ?2 WHERE sku = ?1")?.execute(params![sku, stock.reserved])?;
    Ok(stock)
}

/// Counts `delta` pieces in, or out if it is less than 0; returns how many there are then, `most` at most.
pub(crate) fn adjust(tx: &Transaction<'_>, sku: &str, delta: i64, most: i64) -> Result<i64, Fault> {
    let stock = get(tx, sku)?;
    let refused = |reason, description| Fault::Precondition { reason, subject: sku.to_owned(), description };
    let on_hand = stock.on_hand.saturating_add(delta);
    if on_hand < stock.reserved {
        let free = stock.on_hand - stock.reserved;
        return Err(refused("OUT_OF_STOCK", format!("{} cannot leave, {free} are not reserved", delta.unsigned_abs())));
    }
    if on_hand > most {
        return Err(refused("TOO_MANY", format!("there cannot be more than {most}")));
    }
    tx.prepare_cached("UPDATE stock SET on_hand = ?2 WHERE sku = ?1")?.execute(params![sku, on_hand])?;
    Ok(on_hand)
}

/// That the shop does not carry it.
pub(crate) fn not_found(sku: &str) -> Fault {
    Fault::NotFound { kind: "Stock", name: sku.to_owned() }
}
