//! What a page of the order listing costs, early and late, at any number of orders; for the program `shop-keyset`.

use std::{
    fmt, io,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, StatementStatus, TransactionBehavior, params};

use crate::{
    fault::Fault,
    generated::shop::v1::OrderStatus,
    store::{
        self, clock,
        listing::{self, Effort, Filter},
        orders, transact,
    },
};

/// The one tenant of the measurement.
const TENANT: &str = "acme";

/// Statuses that orders are spread over, evenly.
const STATUSES: u64 = 4;

/// Orders changed between any two pages of the reader among moving orders.
const MOVES_PER_PAGE: u64 = 3;

/// What was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// Orders in the database, all of one tenant.
    pub orders: u64,
    /// Orders of one page.
    pub page_size: usize,
    /// How long it took to fill the database.
    pub filled: Duration,
    /// SQLite's plan for the walk with a status.
    pub plan_status: Vec<String>,
    /// SQLite's plan for the walk without.
    pub plan_tenant: Vec<String>,
    /// Pages of the walk with a status, then of the one without.
    pub costs: Vec<PageCost>,
    /// Virtual machine steps of the last of those pages with a status, had it been read by OFFSET.
    pub offset_vm_steps: i64,
    /// A reader of one status, from the first page to the last, while orders move.
    pub moving: Moving,
}

/// What one page cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageCost {
    /// Whether the listing was of one status.
    pub by_status: bool,
    /// Which page, from 1.
    pub page: u64,
    /// Orders on it.
    pub orders: usize,
    /// Steps of SQLite's virtual machine: each row visited takes several, always as many.
    pub vm_steps: i64,
    /// Rows visited by scanning a table from its beginning.
    pub full_scan_steps: i64,
    /// Sorts.
    pub sorts: i64,
    /// Wall time.
    pub took: Duration,
}

/// What a reader saw while orders moved, were placed and left the filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moving {
    /// Pages read.
    pub pages: u64,
    /// Changes made between them.
    pub changes: u64,
    /// Orders that matched throughout.
    pub stayed: u64,
    /// Of those, returned exactly once.
    pub once: u64,
    /// Of those, never returned.
    pub lost: u64,
    /// Of all orders, returned more than once.
    pub doubled: u64,
    /// Returned although placed after the first page.
    pub early: u64,
}

/// Fills a database in the new file `path` with `orders` orders, so that one status has more than `pages` pages; reads the
/// pages numbered `marks` by walking to them, and then all of them while orders move.
///
/// # Errors
/// If the database fails, or `orders` is too few for `pages`.
pub fn measure(path: &Path, orders: u64, pages: u64, marks: &[u64]) -> io::Result<Report> {
    // One page more, so that the last of `pages` is a full one like any other.
    let page_size = usize::try_from(orders / STATUSES / (pages + 1)).unwrap_or(usize::MAX);
    if page_size == 0 {
        return Err(io::Error::other("fewer orders than that many pages take"));
    }
    run(path, orders, page_size, marks).map_err(io::Error::other)
}

fn run(path: &Path, orders: u64, page_size: usize, marks: &[u64]) -> Result<Report, Fault> {
    let begun = Instant::now();
    let mut db = fill(path, orders)?;
    let filled = begun.elapsed();

    let one = filter(OrderStatus::Paid);
    let all = filter(OrderStatus::Unspecified);
    let plan = |db: &mut Connection, filter: &Filter| {
        transact(db, TransactionBehavior::Deferred, |tx| Ok(listing::explain(tx, filter)?))
    };
    let (plan_status, plan_tenant) = (plan(&mut db, &one)?, plan(&mut db, &all)?);
    let mut costs = walk(&mut db, &one, page_size, marks)?;
    costs.extend(walk(&mut db, &all, page_size, marks)?);
    let last = marks.iter().copied().max().unwrap_or(1);
    Ok(Report {
        orders,
        page_size,
        filled,
        plan_status,
        plan_tenant,
        costs,
        offset_vm_steps: by_offset(&db, page_size, last)?,
        moving: among_moving(&mut db, orders, page_size)?,
    })
}

fn filter(status: OrderStatus) -> Filter {
    Filter { tenant_id: TENANT.to_owned(), status }
}

/// Orders 1..=`orders`, statuses by turns, their places in the listing scattered over the table.
fn fill(path: &Path, orders: u64) -> Result<Connection, Fault> {
    let db = store::connect(Some(path))?;
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "cache_size", -262_144)?;
    db.execute_batch("DROP INDEX orders_by_status; DROP INDEX orders_by_tenant")?;
    db.execute(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO orders
         SELECT i, ?2, i % 4 + 1, 1000000 + (i * 48271) % ?1, 'customers/c' || i % 1000, i % 100000, 1, x''
         FROM n",
        params![orders as i64, TENANT],
    )?;
    db.execute("UPDATE clock SET stamp = ?1", [2_000_000 + orders as i64])?;
    db.execute_batch(store::SCHEMA)?;
    Ok(db)
}

/// Reads page after page, by token as a caller would, and notes the cost of those in `marks`.
fn walk(db: &mut Connection, filter: &Filter, page_size: usize, marks: &[u64]) -> Result<Vec<PageCost>, Fault> {
    let last = marks.iter().copied().max().unwrap_or(1);
    let mut costs = Vec::with_capacity(marks.len());
    let mut position = None;
    for number in 1..=last {
        let begun = Instant::now();
        let page = transact(db, TransactionBehavior::Deferred, |tx| listing::page(tx, filter, position, page_size))?;
        let took = begun.elapsed();
        if marks.contains(&number) {
            let Effort { vm_steps, full_scan_steps, sorts } = page.effort;
            costs.push(PageCost {
                by_status: filter.status != OrderStatus::Unspecified,
                page: number,
                orders: page.orders.len(),
                vm_steps,
                full_scan_steps,
                sorts,
                took,
            });
        }
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    Ok(costs)
}

/// The same page as the `number`th, the way that we do not read it.
fn by_offset(db: &Connection, page_size: usize, number: u64) -> Result<i64, Fault> {
    let mut statement = db.prepare(
        "SELECT id, updated_at, status, customer, total, item_count FROM orders \
         WHERE tenant_id = ?1 AND status = ?2 ORDER BY updated_at, id LIMIT ?3 OFFSET ?4",
    )?;
    let size = page_size as i64;
    let offset = (number as i64 - 1) * size;
    let mut rows = statement.query(params![TENANT, OrderStatus::Paid as i32, size, offset])?;
    while rows.next()?.is_some() {}
    drop(rows);
    Ok(i64::from(statement.get_status(StatementStatus::VmStep)))
}

/// Reads one status to the end while orders keep moving, leave the status, and are placed; counts what was seen.
fn among_moving(db: &mut Connection, orders: u64, page_size: usize) -> Result<Moving, Fault> {
    let filter = filter(OrderStatus::Paid);
    let slots = orders as usize + 1;
    let mut stayed: Vec<bool> = (0..slots).map(|id| id % 4 + 1 == 2).collect();
    stayed[0] = false;
    let mut seen = vec![0_u8; slots];
    let mut moving = Moving::default();
    let mut random = Random(orders);
    let mut position = None;
    loop {
        let page = transact(db, TransactionBehavior::Deferred, |tx| listing::page(tx, &filter, position, page_size))?;
        moving.pages += 1;
        for order in &page.orders {
            match seen.get_mut(order.id as usize) {
                Some(count) => *count = count.saturating_add(1),
                None => moving.early += 1,
            }
        }
        position = page.next;
        if position.is_none() {
            break;
        }
        transact(db, TransactionBehavior::Immediate, |tx| {
            for turn in 0..MOVES_PER_PAGE {
                let id = random.next() % orders + 1;
                let leaves = turn == 0;
                let order = orders::change(tx, 0, id as i64, |order| {
                    if leaves {
                        order.set_status(OrderStatus::Cancelled);
                    }
                    Ok(())
                })?;
                stayed[id as usize] &= !leaves;
                moving.changes += 1;
                if turn == 1 {
                    orders::insert(tx, 0, order)?;
                }
            }
            Ok(clock::last(tx)?)
        })?;
    }
    for (stayed, seen) in stayed.iter().zip(&seen) {
        moving.stayed += u64::from(*stayed);
        moving.once += u64::from(*stayed && *seen == 1);
        moving.lost += u64::from(*stayed && *seen == 0);
        moving.doubled += u64::from(*seen > 1);
    }
    Ok(moving)
}

/// SplitMix64: the same numbers in every run.
struct Random(u64);

// === impl Random ===

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

// === impl Report ===

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} orders of one tenant in four statuses, pages of {}; filled in {:.1} s",
            self.orders,
            self.page_size,
            self.filled.as_secs_f64()
        )?;
        writeln!(f, "\nEXPLAIN QUERY PLAN")?;
        for (name, plan) in [("one status", &self.plan_status), ("all", &self.plan_tenant)] {
            writeln!(f, "  {name:<11} {}", plan.join("; "))?;
        }
        writeln!(
            f,
            "\n{:<11} {:>7} {:>7} {:>9} {:>10} {:>6} {:>9}",
            "listing", "page", "orders", "VM steps", "full scan", "sorts", "µs"
        )?;
        for cost in &self.costs {
            writeln!(
                f,
                "{:<11} {:>7} {:>7} {:>9} {:>10} {:>6} {:>9}",
                if cost.by_status { "one status" } else { "all" },
                cost.page,
                cost.orders,
                cost.vm_steps,
                cost.full_scan_steps,
                cost.sorts,
                cost.took.as_micros()
            )?;
        }
        writeln!(f, "by OFFSET the last of these pages would take {} VM steps", self.offset_vm_steps)?;
        let moving = &self.moving;
        writeln!(
            f,
            "\na reader of one status among {} changes, {} pages: {} orders stayed, {} seen once, {} lost, {} doubled, {} too early",
            moving.changes, moving.pages, moving.stayed, moving.once, moving.lost, moving.doubled, moving.early
        )
    }
}
