//! From what a caller asks for to an order with prices and a total.

use rusqlite::Transaction;

use crate::{
    check::Check,
    fault::Fault,
    generated::shop::v1::{CreateOrderRequest, Order, OrderStatus, Payment, payment::Method},
    services::inventory,
    store::{customers, orders::money},
};

/// Lines of one order.
const ITEMS_MAX: usize = 100;

/// Pieces of one line.
const QUANTITY_MAX: i32 = 10_000;

/// The order that `request` asks for, with nothing that is the shop's to say.
///
/// # Errors
/// `Invalid` with all that is wrong by itself.
pub(super) fn checked(request: &CreateOrderRequest) -> Result<Order, Fault> {
    let asked = request.order.as_ref().ok_or_else(|| Fault::invalid("order", "must be there"))?;
    let mut check = Check::default();
    check
        .id("tenant_id", &request.tenant_id)
        .that(
            asked.tenant_id.is_empty() || asked.tenant_id == request.tenant_id,
            "order.tenant_id",
            "must be empty or the tenant of the path",
        )
        .that(asked.customer.starts_with("customers/"), "order.customer", "must be customers/{id}")
        .that((1..=ITEMS_MAX).contains(&asked.items.len()), "order.items", format!("must be 1 to {ITEMS_MAX}"))
        .labels("order.labels", &asked.labels);
    for (index, item) in asked.items.iter().enumerate() {
        check.sku(format!("order.items[{index}].sku"), &item.sku).that(
            (1..=QUANTITY_MAX).contains(&item.quantity),
            format!("order.items[{index}].quantity"),
            format!("must be 1 to {QUANTITY_MAX}"),
        );
    }
    check.done()?;
    Ok(Order {
        tenant_id: request.tenant_id.clone(),
        customer: asked.customer.clone(),
        status: OrderStatus::Pending as i32,
        items: asked.items.clone(),
        labels: asked.labels.clone(),
        ..Default::default()
    })
}

/// `order` with prices from the inventory.
///
/// # Errors
/// `Invalid` if the customer or a SKU is not there.
pub(super) fn priced(tx: &Transaction<'_>, mut order: Order) -> Result<Order, Fault> {
    let id = order.customer.strip_prefix("customers/").unwrap_or_default();
    match customers::get(tx, id) {
        Ok(_) => {}
        Err(Fault::NotFound { .. }) => {
            return Err(Fault::invalid("order.customer", "is not a customer"));
        }
        Err(fault) => return Err(fault),
    }
    let skus: Vec<&str> = order.items.iter().map(|item| item.sku.as_str()).collect();
    let prices = inventory::prices(tx, &skus)?;
    let mut total = 0_i64;
    for (item, price) in order.items.iter_mut().zip(prices) {
        item.unit_price = Some(money(price));
        // 100 lines of 10⁴ pieces at 10¹² at most: 10¹⁸, within an i64.
        total += price * i64::from(item.quantity);
    }
    order.total = Some(money(total));
    Ok(order)
}

/// A payment that names a method, and names it right.
pub(crate) fn payment(payment: Option<Payment>) -> Result<Payment, Fault> {
    let payment = payment.unwrap_or_default();
    let mut check = Check::default();
    match &payment.method {
        None => check.that(false, "payment", "must have one of card, invoice and voucher"),
        Some(Method::Card(card)) => check.text("payment.card.brand", &card.brand, 1, 20).that(
            card.last4.len() == 4 && card.last4.bytes().all(|byte| byte.is_ascii_digit()),
            "payment.card.last4",
            "must be four digits",
        ),
        Some(Method::Invoice(invoice)) => {
            check.that((1..=90).contains(&invoice.due_days), "payment.invoice.due_days", "must be 1 to 90")
        }
        Some(Method::Voucher(code)) => check.text("payment.voucher", code, 4, 32),
    };
    check.done()?;
    Ok(payment)
}
