//! What a new shop holds: the same in every one, ids and times included.

use prost_types::{Duration, Struct, Value, value::Kind};
use rusqlite::Transaction;

use crate::{
    fault::Fault,
    generated::shop::v1::{
        Customer, Order, OrderItem, OrderStatus, Payment, Stock, Tier,
        payment::{Card, Invoice, Method},
    },
    store::{
        clock, customers, inventory, links,
        orders::{self, money},
    },
};

/// 2026-01-05T09:00:00Z in microseconds; each change of the seed comes a minute after the one before.
const OPENING: i64 = 1_767_603_600_000_000;
const MINUTE: i64 = 60_000_000;

/// Fills a new database; leaves one that has seen a change alone.
pub(crate) fn fill(tx: &Transaction<'_>) -> Result<(), Fault> {
    if clock::last(tx)? != 0 {
        return Ok(());
    }
    fill_customers(tx)?;
    fill_stock(tx)?;
    fill_orders(tx)?;
    links::insert(tx, next(tx)?, "docs".to_owned(), "https://example.com/docs/getting-started".to_owned())?;
    Ok(())
}

/// When the next change of the seed takes place.
fn next(tx: &Transaction<'_>) -> Result<i64, Fault> {
    Ok(match clock::last(tx)? {
        0 => OPENING,
        last => last + MINUTE,
    })
}

fn fill_customers(tx: &Transaction<'_>) -> Result<(), Fault> {
    for (id, display_name, phone, tier) in [
        ("ada", "Ada Lovelace", Some("+44 20 7946 0001"), Tier::Gold),
        ("grace", "Grace Hopper", None, Tier::Standard),
        ("linus", "Linus Pauling", None, Tier::Standard),
    ] {
        let customer = Customer {
            id: id.to_owned(),
            display_name: display_name.to_owned(),
            email: format!("{id}@example.com"),
            phone: phone.map(str::to_owned),
            tier: tier as i32,
            ..Default::default()
        };
        customers::insert(tx, next(tx)?, customer)?;
    }
    Ok(())
}

fn fill_stock(tx: &Transaction<'_>) -> Result<(), Fault> {
    for (sku, title, price, on_hand, reorder_point, lead_days, weight_kg, attribute) in [
        ("shirts/linen/m", "Linen shirt, M", 4_900, 120, Some(20), 14, 0.25, ("colour", "sand")),
        ("shirts/linen/l", "Linen shirt, L", 4_900, 80, Some(20), 14, 0.28, ("colour", "sand")),
        ("mugs/tide", "Tide mug", 1_450, 1_000, Some(0), 7, 0.4, ("material", "stoneware")),
        ("posters/gate", "Gate poster", 1_900, 3, None, 0, 0.05, ("paper", "recycled")),
    ] {
        let (key, value) = attribute;
        let value = Value { kind: Some(Kind::StringValue(value.to_owned())) };
        let stock = Stock {
            sku: sku.to_owned(),
            title: title.to_owned(),
            price: Some(money(price)),
            on_hand,
            reorder_point,
            lead_time: (lead_days > 0).then_some(Duration { seconds: lead_days * 86_400, nanos: 0 }),
            weight_kg,
            attributes: Some(Struct { fields: [(key.to_owned(), value)].into() }),
            ..Default::default()
        };
        inventory::put(tx, stock)?;
    }
    Ok(())
}

fn fill_orders(tx: &Transaction<'_>) -> Result<(), Fault> {
    for (tenant, customer, lines) in [
        ("acme", "ada", &[("shirts/linen/m", 2, 4_900), ("mugs/tide", 1, 1_450)][..]),
        ("acme", "grace", &[("mugs/tide", 4, 1_450)]),
        ("acme", "ada", &[("posters/gate", 1, 1_900)]),
        ("globex", "linus", &[("shirts/linen/l", 1, 4_900)]),
        ("acme", "linus", &[("shirts/linen/l", 3, 4_900)]),
        ("acme", "grace", &[("posters/gate", 1, 1_900), ("mugs/tide", 2, 1_450)]),
    ] {
        let items = lines.iter().map(|&(sku, quantity, price)| OrderItem {
            sku: sku.to_owned(),
            quantity,
            unit_price: Some(money(price)),
        });
        let total = lines.iter().map(|&(_, quantity, price)| price * i64::from(quantity));
        let order = Order {
            tenant_id: tenant.to_owned(),
            customer: format!("customers/{customer}"),
            status: OrderStatus::Pending as i32,
            items: items.collect(),
            total: Some(money(total.sum())),
            ..Default::default()
        };
        orders::insert(tx, next(tx)?, order)?;
    }
    let card = Method::Card(Card { brand: "visa".to_owned(), last4: "4242".to_owned() });
    let invoice = Method::Invoice(Invoice { due_days: 30, vat_id: String::new() });
    change(tx, 1, OrderStatus::Paid, Some(card.clone()))?;
    change(tx, 1, OrderStatus::Shipped, Some(card))?;
    change(tx, 2, OrderStatus::Paid, Some(invoice))?;
    change(tx, 3, OrderStatus::Cancelled, None)
}

fn change(tx: &Transaction<'_>, id: i64, status: OrderStatus, method: Option<Method>) -> Result<(), Fault> {
    orders::change(tx, next(tx)?, id, |order| {
        order.set_status(status);
        order.payment = method.map(|method| Payment { method: Some(method) });
        Ok(())
    })?;
    Ok(())
}
