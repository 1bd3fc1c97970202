//! The order listing: pages by keyset over a key that moves, each order exactly once.
//!
//! The key is `(updated_at, id)` and every change moves an order to the end of it. A plain keyset walk over such a
//! key returns a moved order twice (if it ends at "now") or never (if it ends at the time it began). So a listing
//! walks the places that orders had when it began, up to `as_of`, and picks up those that moved away before it got
//! to them from the log of moves:
//!
//! ```text
//!        returned            ahead                    after the listing began
//!   ├──────────────────┼───────────────────┤ as_of ├──────────────────────────▶ updated_at
//!                   cursor  ╰── an order ── moves ──────────────▶ × not walked
//!                             └ the log says where from: the cursor or later, so it is owed
//! ```
//!
//! Between two pages of one listing its cursor stands still, so for each move that the log has gained since the page
//! before, one comparison tells whether the order was returned already (it moved from before the cursor), is owed
//! (from the cursor or after it, up to `as_of`), or has been settled by an earlier move or is newer than the listing
//! (from after `as_of`). The walk and the log are read in one transaction. Nothing is kept per reader: the token
//! carries the position.
//!
//! Cost of a page: the orders it returns, and the moves since the page before. No page costs more for being late.

mod token;

#[cfg(test)]
mod tests;

use rusqlite::{CachedStatement, OptionalExtension, StatementStatus, Transaction, named_params};

use crate::{
    fault::Fault,
    generated::shop::v1::{OrderStatus, OrderSummary},
    store::{clock, orders},
};

/// Moves that one page looks at for each order it may return; bounds the work of a page however much moved.
const MOVES_PER_ORDER: usize = 4;

/// The walk with a status, over `orders_by_status`.
const WALK_STATUS: &str = "\
    SELECT id, updated_at, status, customer, total, item_count FROM orders \
    WHERE tenant_id = :tenant AND status = :status \
      AND (updated_at, id) >= (:from_updated_at, :from_id) AND updated_at <= :as_of \
    ORDER BY updated_at, id LIMIT :limit";

/// The walk over all of a tenant, over `orders_by_tenant`.
const WALK_TENANT: &str = "\
    SELECT id, updated_at, status, customer, total, item_count FROM orders \
    WHERE tenant_id = :tenant \
      AND (updated_at, id) >= (:from_updated_at, :from_id) AND updated_at <= :as_of \
    ORDER BY updated_at, id LIMIT :limit";

/// What moved since the page before. A stamp is one change of one order, so a page may end between any two.
const MOVES: &str = "\
    SELECT moved_at, order_id, from_updated_at, from_status FROM order_moves \
    WHERE tenant_id = :tenant AND moved_at > :seen ORDER BY moved_at, order_id LIMIT :limit";

/// Which orders a listing is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Whose.
    pub(crate) tenant_id: String,
    /// Only these; `Unspecified` is all.
    pub(crate) status: OrderStatus,
}

/// How far a reader is; what a page token carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The last stamp when the listing began: the end of the walk.
    as_of: i64,
    /// The log of moves is settled up to this stamp.
    seen: i64,
    /// `(updated_at, id)` of the first place not yet walked: one beyond the last order, so that a page does not
    /// visit that order again.
    cursor: (i64, i64),
}

/// One page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Moved orders that were owed, then the walk.
    pub(crate) orders: Vec<OrderSummary>,
    /// Where the next page begins; none after the last.
    pub(crate) next: Option<Position>,
    /// What SQLite did for it.
    pub(crate) effort: Effort,
}

/// SQLite's own count of its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Steps of the virtual machine; each row visited takes several, always as many.
    pub(crate) vm_steps: i64,
    /// Rows visited by scanning a table from its beginning.
    pub(crate) full_scan_steps: i64,
    /// Sorts.
    pub(crate) sorts: i64,
}

/// A move, as logged.
struct Move {
    moved_at: i64,
    order_id: i64,
    from_updated_at: i64,
    from_status: i32,
}

// === impl Filter ===

impl Filter {
    fn admits(&self, status: i32) -> bool {
        self.status == OrderStatus::Unspecified || self.status as i32 == status
    }
}

// === impl Position ===

impl Position {
    /// The beginning of a listing that starts when `stamp` is the last one given.
    fn first(stamp: i64) -> Self {
        Self { as_of: stamp, seen: stamp, cursor: (i64::MIN, i64::MIN) }
    }

    /// Whether an order at `place` has yet to be walked.
    fn owes(&self, place: (i64, i64)) -> bool {
        place >= self.cursor && place.0 <= self.as_of
    }

    /// Reads a page token.
    ///
    /// # Errors
    /// `Invalid` if it is damaged or was made for another filter.
    pub(crate) fn from_token(token: &str, filter: &Filter) -> Result<Self, Fault> {
        token::decode(token, filter)
    }

    /// Writes it as a page token.
    pub(crate) fn to_token(self, filter: &Filter) -> String {
        token::encode(self, filter)
    }
}

// === impl Effort ===

impl Effort {
    /// Adds what `statement` did since it was last asked.
    fn add(&mut self, statement: &CachedStatement<'_>) {
        self.vm_steps += i64::from(statement.reset_status(StatementStatus::VmStep));
        self.full_scan_steps += i64::from(statement.reset_status(StatementStatus::FullscanStep));
        self.sorts += i64::from(statement.reset_status(StatementStatus::Sort));
    }
}

/// Reads the page at `position` (none: the first) of at most `limit` orders.
///
/// A page may be short, even empty, while `next` is there: so much moved that catching up is a page of its own.
///
/// # Errors
/// `Invalid` for a position from another database or from before the log of moves begins.
pub(crate) fn page(
    tx: &Transaction<'_>,
    filter: &Filter,
    position: Option<Position>,
    limit: usize,
) -> Result<Page, Fault> {
    let stamp = clock::last(tx)?;
    let mut position = position.unwrap_or(Position::first(stamp));
    if position.seen > stamp {
        return Err(token::unfit("it is not of this shop"));
    }
    if position.seen < cut_through(tx, filter)? {
        return Err(token::unfit("it is more than a day of changes old; list again from the first page"));
    }
    let mut page = Page { orders: Vec::with_capacity(limit), next: None, effort: Effort::default() };
    let settled = catch_up(tx, filter, &mut position, limit, &mut page)?;
    // The walk sees no move that the log has not settled: both are of one transaction.
    let finished = settled && walk(tx, filter, &mut position, limit, &mut page)?;
    page.next = (!finished).then_some(position);
    Ok(page)
}

/// The stamp of the last move that the tenant's log no longer holds.
fn cut_through(tx: &Transaction<'_>, filter: &Filter) -> rusqlite::Result<i64> {
    let cut = tx
        .prepare_cached("SELECT through FROM order_moves_cut WHERE tenant_id = ?1")?
        .query_row([&filter.tenant_id], |row| row.get(0))
        .optional()?;
    Ok(cut.unwrap_or(i64::MIN))
}

/// Returns the orders that moved before the walk got to them; `true` once the whole log is settled.
fn catch_up(
    tx: &Transaction<'_>,
    filter: &Filter,
    position: &mut Position,
    limit: usize,
    page: &mut Page,
) -> Result<bool, Fault> {
    let most = limit * MOVES_PER_ORDER;
    let mut statement = tx.prepare_cached(MOVES)?;
    let moves = statement
        .query_map(
            named_params! { ":tenant": filter.tenant_id, ":seen": position.seen, ":limit": most as i64 },
            |row| {
                Ok(Move {
                    moved_at: row.get(0)?,
                    order_id: row.get(1)?,
                    from_updated_at: row.get(2)?,
                    from_status: row.get(3)?,
                })
            },
        )?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    page.effort.add(&statement);

    for moved in &moves {
        if page.orders.len() == limit {
            return Ok(false);
        }
        position.seen = moved.moved_at;
        if filter.admits(moved.from_status)
            && position.owes((moved.from_updated_at, moved.order_id))
            && let Some(order) = orders::summary(tx, moved.order_id)?
            && filter.admits(order.status)
        {
            page.orders.push(order);
        }
    }
    Ok(moves.len() < most)
}

/// Fills the page from the walk; `true` if that was its end.
fn walk(
    tx: &Transaction<'_>,
    filter: &Filter,
    position: &mut Position,
    limit: usize,
    page: &mut Page,
) -> Result<bool, Fault> {
    let room = limit - page.orders.len();
    let any = filter.status == OrderStatus::Unspecified;
    let mut statement = tx.prepare_cached(if any { WALK_TENANT } else { WALK_STATUS })?;
    let (status, (from_updated_at, from_id)) = (filter.status as i32, position.cursor);
    // One more than there is room for tells whether this is the last page.
    let more = room as i64 + 1;
    let mut params: Vec<(&str, &dyn rusqlite::ToSql)> = vec![
        (":tenant", &filter.tenant_id),
        (":from_updated_at", &from_updated_at),
        (":from_id", &from_id),
        (":as_of", &position.as_of),
        (":limit", &more),
    ];
    if !any {
        params.push((":status", &status));
    }
    let mut rows = statement.query(params.as_slice())?;
    let mut finished = true;
    let mut taken = 0;
    while let Some(row) = rows.next()? {
        if taken == room {
            finished = false;
            break;
        }
        taken += 1;
        let (updated_at, id): (i64, i64) = (row.get(1)?, row.get(0)?);
        position.cursor = (updated_at, id.saturating_add(1));
        page.orders.push(orders::read_summary(row)?);
    }
    drop(rows);
    page.effort.add(&statement);
    Ok(finished)
}

/// SQLite's plan for the walk of `filter`, one line per step.
pub(crate) fn explain(tx: &Transaction<'_>, filter: &Filter) -> rusqlite::Result<Vec<String>> {
    let any = filter.status == OrderStatus::Unspecified;
    let walk = if any { WALK_TENANT } else { WALK_STATUS };
    let mut statement = tx.prepare(&format!("EXPLAIN QUERY PLAN {walk}"))?;
    // Unbound parameters are NULL; the plan is the same.
    let plan = statement.raw_query();
    plan.mapped(|row| row.get(3)).collect()
}
