//! The stamps of changes: wall time in microseconds, made strictly growing.

use prost_types::Timestamp;
use rusqlite::Transaction;

const MICROS: i64 = 1_000_000;

/// Gives the next change its stamp: `now` (microseconds since 1970), or just after the last stamp if the wall clock
/// has not moved on since, or went back.
pub(crate) fn tick(tx: &Transaction<'_>, now: i64) -> rusqlite::Result<i64> {
    tx.prepare_cached("UPDATE clock SET stamp = max(?1, stamp + 1) RETURNING stamp")?.query_row([now], |row| row.get(0))
}

/// The stamp of the last change that `tx` can see; 0 in a new database.
pub(crate) fn last(tx: &Transaction<'_>) -> rusqlite::Result<i64> {
    tx.prepare_cached("SELECT stamp FROM clock")?.query_row([], |row| row.get(0))
}

/// A stamp as the API shows it.
pub(crate) fn timestamp(stamp: i64) -> Timestamp {
    Timestamp { seconds: stamp.div_euclid(MICROS), nanos: (stamp.rem_euclid(MICROS) * 1_000) as i32 }
}

/// The last stamp that is not after `time`, if there are such stamps.
pub(crate) fn stamp(time: &Timestamp) -> Option<i64> {
    let nanos = (0..1_000_000_000).contains(&time.nanos).then_some(i64::from(time.nanos))?;
    time.seconds.checked_mul(MICROS)?.checked_add(nanos / 1_000)
}
