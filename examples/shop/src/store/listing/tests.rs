use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::{Connection, TransactionBehavior, params};

use super::{Filter, Page, Position, explain, page};
use crate::{
    fault::Fault,
    generated::shop::v1::{Order, OrderItem, OrderStatus},
    store::{self, orders, transact},
};

const HOUR: i64 = 3_600_000_000;

const STATUSES: [OrderStatus; 4] =
    [OrderStatus::Pending, OrderStatus::Paid, OrderStatus::Shipped, OrderStatus::Cancelled];

fn filter(status: OrderStatus) -> Filter {
    Filter { tenant_id: "acme".to_owned(), status }
}

fn write<T>(db: &mut Connection, job: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Fault>) -> T {
    transact(db, TransactionBehavior::Immediate, job).unwrap()
}

fn place(db: &mut Connection, now: i64, tenant: &str, status: OrderStatus) -> i64 {
    let order = Order {
        tenant_id: tenant.to_owned(),
        customer: "customers/ada".to_owned(),
        status: status as i32,
        items: vec![OrderItem::default()],
        ..Order::default()
    };
    write(db, |tx| orders::insert(tx, now, order)).id
}

fn shift(db: &mut Connection, now: i64, id: i64, status: Option<OrderStatus>) {
    write(db, |tx| {
        orders::change(tx, now, id, |order| {
            if let Some(status) = status {
                order.set_status(status);
            }
            Ok(())
        })
    });
}

fn read(db: &mut Connection, filter: &Filter, position: Option<Position>, limit: usize) -> Result<Page, Fault> {
    transact(db, TransactionBehavior::Deferred, |tx| page(tx, filter, position, limit))
}

fn ids(page: &Page) -> Vec<i64> {
    page.orders.iter().map(|order| order.id).collect()
}

/// What happens between two pages. Numbers choose among the orders there are.
#[derive(Clone, Debug)]
enum Event {
    Place(OrderStatus),
    PlaceElsewhere,
    Move(usize),
    Become(usize, OrderStatus),
    Page(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let status = prop::sample::select(&STATUSES[..]);
    prop_oneof![
        1 => status.clone().prop_map(Event::Place),
        1 => Just(Event::PlaceElsewhere),
        5 => any::<usize>().prop_map(Event::Move),
        3 => (any::<usize>(), status).prop_map(|(which, status)| Event::Become(which, status)),
        4 => (1_usize..5).prop_map(Event::Page),
    ]
}

/// What a reader saw.
#[derive(Debug, Default)]
struct Seen {
    /// How often each order was returned.
    returned: BTreeMap<i64, usize>,
    /// Orders that matched when the first page was read.
    at_first: BTreeSet<i64>,
    /// Of those, the ones that matched all the time.
    throughout: BTreeSet<i64>,
    /// Orders returned while they did not match.
    unfit: Vec<i64>,
}

/// Reads a listing to its end among `events`.
fn reader(status: OrderStatus, start: &[OrderStatus], events: Vec<Event>) -> Seen {
    let mut db = store::connect(None).unwrap();
    let filter = filter(status);
    let matches = |status: OrderStatus| filter.admits(status as i32);
    let mut all = Vec::new();
    let mut matching = BTreeSet::new();
    let mut seen = Seen::default();
    for (id, status) in (1..).zip(start) {
        // As imported rather than placed: three share a time, so the id counts as well.
        let values = params![id, *status as i32, 100 + id / 3];
        db.execute("INSERT INTO orders VALUES (?1, 'acme', ?2, ?3, 'customers/ada', 0, 1, x'')", values).unwrap();
        db.execute("UPDATE clock SET stamp = 200", []).unwrap();
        all.push(id);
        if matches(*status) {
            matching.insert(id);
        }
    }
    let mut position = None;
    let mut begun = false;
    // Whatever the events leave unread is read at the end, with nothing in between.
    let rest = std::iter::repeat_n(Event::Page(3), 1_000);
    for event in events.into_iter().chain(rest) {
        match event {
            Event::Place(status) => {
                let id = place(&mut db, 0, "acme", status);
                all.push(id);
                if matches(status) {
                    matching.insert(id);
                }
            }
            Event::PlaceElsewhere => {
                let id = place(&mut db, 0, "globex", OrderStatus::Paid);
                shift(&mut db, 0, id, None);
            }
            Event::Move(which) if !all.is_empty() => shift(&mut db, 0, all[which % all.len()], None),
            Event::Become(which, status) if !all.is_empty() => {
                let id = all[which % all.len()];
                shift(&mut db, 0, id, Some(status));
                if matches(status) {
                    matching.insert(id);
                } else {
                    matching.remove(&id);
                    seen.throughout.remove(&id);
                }
            }
            Event::Move(_) | Event::Become(..) => {}
            Event::Page(limit) => {
                if !begun {
                    (begun, seen.at_first, seen.throughout) = (true, matching.clone(), matching.clone());
                }
                let page = read(&mut db, &filter, position, limit).unwrap();
                assert!(page.orders.len() <= limit);
                for id in ids(&page) {
                    *seen.returned.entry(id).or_insert(0) += 1;
                    seen.unfit.extend((!matching.contains(&id)).then_some(id));
                }
                // As a caller would: through the token.
                let token = page.next.map(|next| next.to_token(&filter));
                position = token.map(|token| Position::from_token(&token, &filter).unwrap());
                if position.is_none() {
                    return seen;
                }
            }
        }
    }
    panic!("the listing did not end");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_order_that_stays_is_returned_once_and_none_twice_nor_any_that_came_later_or_left(
        status in prop::option::of(prop::sample::select(&STATUSES[..])),
        start in prop::collection::vec(prop::sample::select(&STATUSES[..]), 0..40),
        events in prop::collection::vec(event(), 0..120),
    ) {
        let seen = reader(status.unwrap_or_default(), &start, events);
        let doubled: Vec<_> = seen.returned.iter().filter(|(_, times)| **times > 1).collect();
        prop_assert_eq!(doubled, vec![]);
        let returned: BTreeSet<i64> = seen.returned.into_keys().collect();
        let lost: Vec<_> = seen.throughout.difference(&returned).collect();
        prop_assert_eq!(lost, Vec::<&i64>::new());
        let early: Vec<_> = returned.difference(&seen.at_first).collect();
        prop_assert_eq!(early, Vec::<&i64>::new());
        prop_assert_eq!(seen.unfit, Vec::<i64>::new());
    }
}

#[test]
fn an_order_that_moves_ahead_of_the_reader_comes_early_and_one_behind_it_not_again() {
    let mut db = store::connect(None).unwrap();
    let paid = filter(OrderStatus::Paid);
    let placed: Vec<i64> = (0..6).map(|_| place(&mut db, 0, "acme", OrderStatus::Paid)).collect();
    let first = read(&mut db, &paid, None, 2).unwrap();
    assert_eq!(ids(&first), [placed[0], placed[1]]);

    shift(&mut db, 0, placed[0], None);
    shift(&mut db, 0, placed[4], None);
    shift(&mut db, 0, placed[4], None);
    let late = place(&mut db, 0, "acme", OrderStatus::Paid);
    let second = read(&mut db, &paid, first.next, 2).unwrap();
    assert_eq!(ids(&second), [placed[4], placed[2]]);

    shift(&mut db, 0, placed[5], Some(OrderStatus::Shipped));
    let third = read(&mut db, &paid, second.next, 2).unwrap();
    assert_eq!((ids(&third), third.next), (vec![placed[3]], None));

    let again = read(&mut db, &paid, None, 10).unwrap();
    assert_eq!(ids(&again), [placed[1], placed[2], placed[3], placed[0], placed[4], late]);
}

#[test]
fn many_moves_are_caught_up_with_page_by_page() {
    let mut db = store::connect(None).unwrap();
    let all = filter(OrderStatus::Unspecified);
    let placed: Vec<i64> = (0..3).map(|_| place(&mut db, 0, "acme", OrderStatus::Paid)).collect();
    let first = read(&mut db, &all, None, 1).unwrap();
    // Nine moves of an order that was returned: more than a page of one looks at.
    for _ in 0..9 {
        shift(&mut db, 0, placed[0], None);
    }
    shift(&mut db, 0, placed[1], None);
    let mut pages = Vec::new();
    let mut position = first.next;
    while position.is_some() && pages.len() < 10 {
        let page = read(&mut db, &all, position, 1).unwrap();
        pages.push(ids(&page));
        position = page.next;
    }
    assert_eq!(pages, [vec![], vec![], vec![placed[1]], vec![placed[2]]]);
}

#[test]
fn the_walk_reads_a_covering_index_with_and_without_a_status() {
    let mut db = store::connect(None).unwrap();
    let mut plan = |status| write(&mut db, |tx| Ok(explain(tx, &filter(status))?));
    assert_eq!(
        (plan(OrderStatus::Paid), plan(OrderStatus::Unspecified)),
        (
            vec![
                "SEARCH orders USING COVERING INDEX orders_by_status \
                 (tenant_id=? AND status=? AND (updated_at,id)>(?,?) AND updated_at<?)"
                    .to_owned()
            ],
            vec![
                "SEARCH orders USING COVERING INDEX orders_by_tenant \
                 (tenant_id=? AND (updated_at,id)>(?,?) AND updated_at<?)"
                    .to_owned()
            ],
        )
    );
}

#[test]
fn a_token_outlives_a_quiet_night_but_not_the_log_that_it_needs() {
    let mut db = store::connect(None).unwrap();
    let all = filter(OrderStatus::Unspecified);
    let placed: Vec<i64> = (0..4).map(|_| place(&mut db, 0, "acme", OrderStatus::Paid)).collect();
    let first = read(&mut db, &all, None, 1).unwrap();
    let second = read(&mut db, &all, first.next, 1).unwrap();
    shift(&mut db, HOUR, placed[0], None);
    let third = read(&mut db, &all, second.next, 1).unwrap();
    assert_eq!(ids(&third), [placed[2]]);

    // 30 hours later the move of placed[0] leaves the log: the third page has seen it, the first has not.
    shift(&mut db, 31 * HOUR, placed[3], None);
    let refused = read(&mut db, &all, first.next, 1).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "page_token: does not fit: it is more than a day of changes old; list again from the first page"
    );
    let last = read(&mut db, &all, third.next, 5).unwrap();
    assert_eq!((ids(&last), last.next), (vec![placed[3]], None));
    let log: Vec<i64> = write(&mut db, |tx| {
        let mut statement = tx.prepare("SELECT order_id FROM order_moves")?;
        let moved = statement.query_map([], |row| row.get(0))?;
        Ok(moved.collect::<rusqlite::Result<_>>()?)
    });
    assert_eq!(log, [placed[3]]);
}

#[test]
fn a_token_fits_its_tenant_and_status_only_and_no_damage_passes() {
    let mut db = store::connect(None).unwrap();
    let paid = filter(OrderStatus::Paid);
    for _ in 0..2 {
        place(&mut db, 0, "acme", OrderStatus::Paid);
    }
    let next = read(&mut db, &paid, None, 1).unwrap().next.unwrap();
    let token = next.to_token(&paid);
    assert_eq!(Position::from_token(&token, &paid).unwrap(), next);

    let other = Filter { tenant_id: "globex".to_owned(), ..paid.clone() };
    let damaged = "page_token: does not fit: it is damaged, or of another tenant or status";
    let refusal = |token: &str, filter: &Filter| Position::from_token(token, filter).unwrap_err().to_string();
    assert_eq!(refusal(&token, &other), damaged);
    assert_eq!(refusal(&token, &filter(OrderStatus::Unspecified)), damaged);
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(refusal(std::str::from_utf8(&bytes).unwrap(), &paid), damaged, "changed at {at}");
        assert_eq!(refusal(&token[..at], &paid), damaged, "cut at {at}");
    }
    assert_eq!(refusal("no base64!", &paid), damaged);

    let mut empty = store::connect(None).unwrap();
    let foreign = read(&mut empty, &paid, Some(next), 1).unwrap_err();
    assert_eq!(foreign.to_string(), "page_token: does not fit: it is not of this shop");
}

#[test]
fn the_database_refuses_a_change_that_does_not_move_forward() {
    let mut db = store::connect(None).unwrap();
    let id = place(&mut db, HOUR, "acme", OrderStatus::Paid);
    let refusals = ["status = 3", "updated_at = 1", "tenant_id = 'globex', updated_at = updated_at + 1"]
        .map(|change| db.execute(&format!("UPDATE orders SET {change} WHERE id = ?1"), [id]).unwrap_err().to_string());
    assert_eq!(refusals, ["an order changes only by moving forward within its tenant"; 3].map(str::to_owned));
}
