//! Short links as rows.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    fault::Fault,
    generated::shop::v1::Link,
    store::clock::{self, tick},
};

/// Adds a link under `code`, or under one of our own if it is empty.
pub(crate) fn insert(tx: &Transaction<'_>, now: i64, code: String, url: String) -> Result<Link, Fault> {
    let mut serial: i64 =
        tx.prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM links")?.query_row([], |row| row.get(0))?;
    let stamp = tick(tx, now)?;
    let chosen = !code.is_empty();
    let mut link = Link { code, url, visits: 0, create_time: Some(clock::timestamp(stamp)) };
    loop {
        if !chosen {
            link.code = made_code(serial);
        }
        let added = tx
            .prepare_cached(
                "INSERT INTO links (id, code, url, created_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (code) DO NOTHING",
            )?
            .execute(params![serial, link.code, link.url, stamp])?;
        match (added, chosen) {
            (1, _) => return Ok(link),
            (_, true) => {
                return Err(Fault::Exists { kind: "Link", name: link.code });
            }
            // Somebody chose the very code that we would make next.
            (_, false) => serial += 1,
        }
    }
}

/// One link.
pub(crate) fn get(tx: &Transaction<'_>, code: &str) -> Result<Link, Fault> {
    read(tx, "SELECT code, url, visits, created_at FROM links WHERE code = ?1", code)
}

/// One link, with one visit more.
pub(crate) fn visit(tx: &Transaction<'_>, code: &str) -> Result<Link, Fault> {
    read(tx, "UPDATE links SET visits = visits + 1 WHERE code = ?1 RETURNING code, url, visits, created_at", code)
}

fn read(tx: &Transaction<'_>, sql: &str, code: &str) -> Result<Link, Fault> {
    tx.prepare_cached(sql)?
        .query_row([code], |row| {
            Ok(Link {
                code: row.get(0)?,
                url: row.get(1)?,
                visits: row.get(2)?,
                create_time: Some(clock::timestamp(row.get(3)?)),
            })
        })
        .optional()?
        .ok_or_else(|| Fault::NotFound { kind: "Link", name: code.to_owned() })
}

/// Six characters for each serial, no two alike: a multiplication modulo 62⁶ by a factor prime to it scatters
/// neighbours. It hides nothing; it only keeps codes short, equally long and apart.
fn made_code(serial: i64) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const SPACE: u128 = 62_u128.pow(6);
    const FACTOR: u128 = 35_104_476_161;
    let mut rest = u128::from(serial.unsigned_abs()) * FACTOR % SPACE;
    let mut code = [0_u8; 6];
    for place in code.iter_mut().rev() {
        *place = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    code.iter().copied().map(char::from).collect()
}
