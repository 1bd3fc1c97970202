//! Shipments as rows: what is asked for is a column, the rest a document.

use prost::Message;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    fault::Fault,
    generated::shop::v1::{Shipment, ShipmentStatus},
    store::clock,
};

/// Keeps a new shipment; returns it with its name and times.
pub(crate) fn insert(tx: &Transaction<'_>, now: i64, mut shipment: Shipment) -> Result<Shipment, Fault> {
    let open: Option<i64> = tx
        .prepare_cached("SELECT id FROM shipments WHERE order_id = ?1 AND status <> ?2")?
        .query_row(params![shipment.order_id, ShipmentStatus::Cancelled as i32], |row| row.get(0))
        .optional()?;
    if let Some(open) = open {
        return Err(Fault::Precondition {
            reason: "ALREADY_SHIPPING",
            subject: format!("orders/{}", shipment.order_id),
            description: format!("order {} goes with {}", shipment.order_id, name(open)),
        });
    }
    shipment.create_time = Some(clock::timestamp(clock::tick(tx, now)?));
    shipment.update_time = shipment.create_time;
    let id = tx.prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM shipments")?.query_row([], |row| row.get(0))?;
    shipment.name = name(id);
    tx.prepare_cached("INSERT INTO shipments (id, order_id, status, document) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id, shipment.order_id, shipment.status, document(&shipment)])?;
    Ok(shipment)
}

/// One shipment by its name.
pub(crate) fn get(tx: &Transaction<'_>, name: &str) -> Result<Shipment, Fault> {
    let not_found = || Fault::NotFound { kind: "Shipment", name: name.to_owned() };
    let (order_id, status, document): (i64, i32, Vec<u8>) = tx
        .prepare_cached("SELECT order_id, status, document FROM shipments WHERE id = ?1")?
        .query_row([number(name).ok_or_else(not_found)?], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .ok_or_else(not_found)?;
    let mut shipment = Shipment::decode(document.as_slice())?;
    name.clone_into(&mut shipment.name);
    (shipment.order_id, shipment.status) = (order_id, status);
    Ok(shipment)
}

/// Gives a shipment another status.
pub(crate) fn turn(
    tx: &Transaction<'_>,
    now: i64,
    mut shipment: Shipment,
    status: ShipmentStatus,
) -> Result<Shipment, Fault> {
    shipment.set_status(status);
    shipment.update_time = Some(clock::timestamp(clock::tick(tx, now)?));
    tx.prepare_cached("UPDATE shipments SET status = ?2, document = ?3 WHERE id = ?1")?.execute(params![
        number(&shipment.name),
        shipment.status,
        document(&shipment)
    ])?;
    Ok(shipment)
}

fn name(id: i64) -> String {
    format!("shipments/{id}")
}

/// The number in a name as [`name`] writes it.
fn number(written: &str) -> Option<i64> {
    let id = written.strip_prefix("shipments/")?.parse().ok()?;
    (name(id) == written).then_some(id)
}

fn document(shipment: &Shipment) -> Vec<u8> {
    Shipment { name: String::new(), order_id: 0, status: 0, ..shipment.clone() }.encode_to_vec()
}
