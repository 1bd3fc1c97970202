//! Orders as rows: placed, read, changed. Every change moves the order to the end of the listing.

use prost::Message;
use rusqlite::{CachedStatement, OptionalExtension, Row, Transaction, named_params, params};

use crate::{
    fault::Fault,
    generated::shop::v1::{Money, Order, OrderSummary},
    store::clock,
};

/// The one currency of the shop.
pub(crate) const CURRENCY: &str = "EUR";

/// An amount of the shop's currency.
pub(crate) fn money(minor_units: i64) -> Money {
    Money { currency: CURRENCY.to_owned(), minor_units }
}

/// Places `order`, whose fields are checked and priced; returns it with its id and times.
pub(crate) fn insert(tx: &Transaction<'_>, now: i64, mut order: Order) -> Result<Order, Fault> {
    let stamp = clock::tick(tx, now)?;
    order.create_time = Some(clock::timestamp(stamp));
    order.update_time = order.create_time;
    // No order is ever removed, so no id comes twice.
    order.id = tx.prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM orders")?.query_row([], |row| row.get(0))?;
    write(
        &mut tx.prepare_cached(
            "INSERT INTO orders (id, tenant_id, status, updated_at, customer, total, item_count, document) \
             VALUES (:id, :tenant, :status, :updated_at, :customer, :total, :item_count, :document)",
        )?,
        stamp,
        &order,
    )?;
    Ok(order)
}

/// One order, whole.
pub(crate) fn get(tx: &Transaction<'_>, id: i64) -> Result<Order, Fault> {
    tx.prepare_cached("SELECT id, tenant_id, status, updated_at, customer, total, document FROM orders WHERE id = ?1")?
        .query_row([id], |row| {
            Ok((
                Order {
                    id: row.get(0)?,
                    tenant_id: row.get(1)?,
                    status: row.get(2)?,
                    update_time: Some(clock::timestamp(row.get(3)?)),
                    customer: row.get(4)?,
                    total: Some(money(row.get(5)?)),
                    ..Default::default()
                },
                row.get::<_, Vec<u8>>(6)?,
            ))
        })
        .optional()?
        .map(|(mut order, document)| {
            order.merge(document.as_slice())?;
            Ok(order)
        })
        .unwrap_or_else(|| Err(not_found(id)))
}

/// Lets `change` change an order; what it did is kept, and the order moved, only if it returns `Ok`.
pub(crate) fn change(
    tx: &Transaction<'_>,
    now: i64,
    id: i64,
    change: impl FnOnce(&mut Order) -> Result<(), Fault>,
) -> Result<Order, Fault> {
    let mut order = get(tx, id)?;
    change(&mut order)?;
    let stamp = clock::tick(tx, now)?;
    order.update_time = Some(clock::timestamp(stamp));
    write(
        &mut tx.prepare_cached(
            "UPDATE orders SET tenant_id = :tenant, status = :status, updated_at = :updated_at, \
             customer = :customer, total = :total, item_count = :item_count, document = :document WHERE id = :id",
        )?,
        stamp,
        &order,
    )?;
    Ok(order)
}

/// Up to `most` orders of a tenant that changed after the stamp `since`, in the order of their last change; each whole,
/// with the stamp of that change.
pub(crate) fn changed_since(
    tx: &Transaction<'_>,
    tenant_id: &str,
    since: i64,
    most: i64,
) -> Result<Vec<(i64, Order)>, Fault> {
    let mut statement = tx.prepare_cached(
        "SELECT updated_at, id FROM orders WHERE tenant_id = ?1 AND updated_at > ?2 ORDER BY updated_at LIMIT ?3",
    )?;
    let rows = statement.query_map(params![tenant_id, since, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (stamp, id) = row?;
        Ok((stamp, get(tx, id)?))
    })
    .collect()
}

/// What the listing shows of one order, if there is such an order.
pub(crate) fn summary(tx: &Transaction<'_>, id: i64) -> Result<Option<OrderSummary>, Fault> {
    Ok(tx
        .prepare_cached("SELECT id, updated_at, status, customer, total, item_count FROM orders WHERE id = ?1")?
        .query_row([id], read_summary)
        .optional()?)
}

/// Reads a row of `id, updated_at, status, customer, total, item_count`.
pub(crate) fn read_summary(row: &Row<'_>) -> rusqlite::Result<OrderSummary> {
    Ok(OrderSummary {
        id: row.get(0)?,
        update_time: Some(clock::timestamp(row.get(1)?)),
        status: row.get(2)?,
        customer: row.get(3)?,
        total: Some(money(row.get(4)?)),
        item_count: row.get(5)?,
    })
}

/// That there is no such order.
pub(crate) fn not_found(id: i64) -> Fault {
    Fault::NotFound { kind: "Order", name: id.to_string() }
}

/// Columns for what the listing needs, the document for the rest.
fn write(statement: &mut CachedStatement<'_>, stamp: i64, order: &Order) -> Result<(), Fault> {
    let document = Order {
        items: order.items.clone(),
        labels: order.labels.clone(),
        payment: order.payment.clone(),
        cancel_reason: order.cancel_reason.clone(),
        create_time: order.create_time,
        ..Default::default()
    };
    statement.execute(named_params! {
        ":id": order.id,
        ":tenant": order.tenant_id,
        ":status": order.status,
        ":updated_at": stamp,
        ":customer": order.customer,
        ":total": order.total.as_ref().map_or(0, |total| total.minor_units),
        ":item_count": order.items.len() as i64,
        ":document": document.encode_to_vec(),
    })?;
    Ok(())
}
