//! Requests that may come twice and are to be done once, told by the key that their caller gave them.

use prost::Message;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::fault::Fault;

/// Does `job`, or answers as it did when `request` came to `method` under `key` before; an empty key is no key.
///
/// What was answered is kept with what `job` wrote or not at all: `tx` commits both. A `job` that fails is not
/// remembered.
///
/// # Errors
/// Those of `job`; `Precondition` if another request came under `key`.
pub(crate) fn once<Q: Message, A: Message + Default>(
    tx: &Transaction<'_>,
    now: i64,
    (method, key): (&str, &str),
    request: &Q,
    job: impl FnOnce() -> Result<A, Fault>,
) -> Result<A, Fault> {
    if key.is_empty() {
        return job();
    }
    let request = request.encode_to_vec();
    let known: Option<(Vec<u8>, Vec<u8>)> = tx
        .prepare_cached("SELECT request, answer FROM answered WHERE method = ?1 AND key = ?2")?
        .query_row([method, key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match known {
        Some((before, answer)) if before == request => Ok(A::decode(answer.as_slice())?),
        Some(_) => Err(Fault::Precondition {
            reason: "IDEMPOTENCY_KEY_REUSED",
            subject: key.to_owned(),
            description: format!("the idempotency key {key:?} came with another request before"),
        }),
        None => {
            let answer = job()?;
            tx.prepare_cached("INSERT INTO answered (method, key, at, request, answer) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![method, key, now, request, answer.encode_to_vec()])?;
            Ok(answer)
        }
    }
}
