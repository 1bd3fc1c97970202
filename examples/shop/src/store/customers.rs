//! Customers as rows: a key and a document.

use prost::Message;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    fault::Fault,
    generated::shop::v1::Customer,
    store::clock::{self, tick},
};

/// Adds a customer whose fields are checked.
pub(crate) fn insert(tx: &Transaction<'_>, now: i64, mut customer: Customer) -> Result<Customer, Fault> {
    customer.name = format!("customers/{}", customer.id);
    customer.create_time = Some(clock::timestamp(tick(tx, now)?));
    customer.update_time = customer.create_time;
    let added = tx
        .prepare_cached("INSERT INTO customers VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![customer.id, customer.encode_to_vec()])?;
    if added == 0 {
        return Err(Fault::Exists { kind: "Customer", name: customer.id });
    }
    Ok(customer)
}

/// One customer.
pub(crate) fn get(tx: &Transaction<'_>, id: &str) -> Result<Customer, Fault> {
    let document: Option<Vec<u8>> = tx
        .prepare_cached("SELECT document FROM customers WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let document = document.ok_or_else(|| not_found(id))?;
    Ok(Customer::decode(document.as_slice())?)
}

/// Lets `change` change a customer; kept only if it returns `Ok`.
pub(crate) fn change(
    tx: &Transaction<'_>,
    now: i64,
    id: &str,
    change: impl FnOnce(&mut Customer) -> Result<(), Fault>,
) -> Result<Customer, Fault> {
    let mut customer = get(tx, id)?;
    change(&mut customer)?;
    customer.update_time = Some(clock::timestamp(tick(tx, now)?));
    tx.prepare_cached("UPDATE customers SET document = ?2 WHERE id = ?1")?
        .execute(params![id, customer.encode_to_vec()])?;
    Ok(customer)
}

/// Removes a customer.
pub(crate) fn delete(tx: &Transaction<'_>, id: &str) -> Result<(), Fault> {
    let removed = tx.prepare_cached("DELETE FROM customers WHERE id = ?1")?.execute([id])?;
    if removed == 0 {
        return Err(not_found(id));
    }
    Ok(())
}

fn not_found(id: &str) -> Fault {
    Fault::NotFound { kind: "Customer", name: id.to_owned() }
}
