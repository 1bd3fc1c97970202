//! Charges as rows: a number and a document.

use prost::Message;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{fault::Fault, generated::shop::v1::Charge, store::clock};

/// Keeps a new charge; returns it with its id and times.
pub(crate) fn insert(tx: &Transaction<'_>, now: i64, mut charge: Charge) -> Result<Charge, Fault> {
    charge.create_time = Some(clock::timestamp(clock::tick(tx, now)?));
    charge.update_time = charge.create_time;
    charge.id = tx.prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM charges")?.query_row([], |row| row.get(0))?;
    tx.prepare_cached("INSERT INTO charges (id, document) VALUES (?1, ?2)")?
        .execute(params![charge.id, charge.encode_to_vec()])?;
    Ok(charge)
}

/// One charge.
pub(crate) fn get(tx: &Transaction<'_>, id: i64) -> Result<Charge, Fault> {
    let document: Option<Vec<u8>> = tx
        .prepare_cached("SELECT document FROM charges WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let document = document.ok_or_else(|| Fault::NotFound { kind: "Charge", name: id.to_string() })?;
    Ok(Charge::decode(document.as_slice())?)
}

/// Lets `change` change a charge, which says whether it did; what it did is kept only if it returns `Ok`.
pub(crate) fn change(
    tx: &Transaction<'_>,
    now: i64,
    id: i64,
    change: impl FnOnce(&mut Charge) -> Result<bool, Fault>,
) -> Result<Charge, Fault> {
    let mut charge = get(tx, id)?;
    if change(&mut charge)? {
        charge.update_time = Some(clock::timestamp(clock::tick(tx, now)?));
        tx.prepare_cached("UPDATE charges SET document = ?2 WHERE id = ?1")?
            .execute(params![id, charge.encode_to_vec()])?;
    }
    Ok(charge)
}
