use tidegate_shop::{
    Routes,
    generated::shop::v1::{
        CancelOrderRequest, CreateOrderRequest, ExportOrdersRequest, GetOrderRequest, ListOrdersRequest, Money, Order,
        OrderItem, OrderStatus, OrderSummary, PayOrderRequest, Payment, SetOrderLabelsRequest,
        orders_client::OrdersClient,
        payment::{Card, Invoice, Method},
    },
};
use tonic::Code;

use crate::support::{Refusal, invalid, not_found, precondition, refusal, shop, stamp};

fn euros(minor_units: i64) -> Option<Money> {
    Some(Money { currency: "EUR".to_owned(), minor_units })
}

fn item(sku: &str, quantity: i32) -> OrderItem {
    OrderItem { sku: sku.to_owned(), quantity, unit_price: None }
}

fn create() -> CreateOrderRequest {
    CreateOrderRequest {
        tenant_id: "acme".to_owned(),
        order: Some(Order {
            customer: "customers/ada".to_owned(),
            items: vec![item("mugs/tide", 2), item("posters/gate", 1)],
            labels: [("gift".to_owned(), "yes".to_owned())].into(),
            // What the shop says is not the caller's to say.
            id: 99,
            status: OrderStatus::Shipped as i32,
            total: euros(1),
            ..Default::default()
        }),
        validate_only: false,
    }
}

/// What [`create`] makes as the first change of a test: the seed has orders 1 to 6.
fn created() -> Order {
    let priced = |sku, quantity, price| OrderItem { unit_price: euros(price), ..item(sku, quantity) };
    Order {
        id: 7,
        tenant_id: "acme".to_owned(),
        customer: "customers/ada".to_owned(),
        status: OrderStatus::Pending as i32,
        items: vec![priced("mugs/tide", 2, 1_450), priced("posters/gate", 1, 1_900)],
        total: euros(4_800),
        labels: [("gift".to_owned(), "yes".to_owned())].into(),
        payment: None,
        cancel_reason: String::new(),
        create_time: stamp(0),
        update_time: stamp(0),
    }
}

fn card() -> Payment {
    Payment { method: Some(Method::Card(Card { brand: "visa".to_owned(), last4: "4242".to_owned() })) }
}

async fn get(orders: &mut OrdersClient<Routes>, id: i64, tenant: &str) -> Result<Order, tonic::Status> {
    let request = GetOrderRequest { id, tenant_id: tenant.to_owned() };
    orders.get_order(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn an_order_is_priced_by_the_shop_and_found_by_its_own_tenant_only() {
    let mut orders = OrdersClient::new(shop());
    assert_eq!(orders.create_order(create()).await.unwrap().into_inner(), created());
    assert_eq!(get(&mut orders, 7, "").await.unwrap(), created());
    assert_eq!(get(&mut orders, 7, "acme").await.unwrap(), created());
    assert_eq!(refusal(get(&mut orders, 7, "globex").await), not_found("Order", "7"));
    assert_eq!(refusal(get(&mut orders, 8, "").await), not_found("Order", "8"));
}

#[tokio::test]
async fn validating_an_order_prices_it_and_places_nothing() {
    let mut orders = OrdersClient::new(shop());
    let validated = orders.create_order(CreateOrderRequest { validate_only: true, ..create() }).await.unwrap();
    let unplaced = Order { id: 0, create_time: None, update_time: None, ..created() };
    assert_eq!(validated.into_inner(), unplaced);
    assert_eq!(refusal(get(&mut orders, 7, "").await), not_found("Order", "7"));
}

#[tokio::test]
async fn every_bad_field_of_an_order_is_named() {
    let mut orders = OrdersClient::new(shop());
    let request = CreateOrderRequest {
        tenant_id: "acme".to_owned(),
        order: Some(Order {
            tenant_id: "globex".to_owned(),
            customer: "ada".to_owned(),
            items: vec![item("Mugs", 1), item("mugs/tide", 0)],
            ..Default::default()
        }),
        validate_only: false,
    };
    assert_eq!(
        refusal(orders.create_order(request).await),
        invalid(&[
            ("order.tenant_id", "must be empty or the tenant of the path"),
            ("order.customer", "must be customers/{id}"),
            ("order.items[0].sku", "must be 1 to 8 segments of a-z, 0-9, '.', '_', '-', joined by /"),
            ("order.items[1].quantity", "must be 1 to 10000"),
        ])
    );
    let ask = |customer: &str, sku: &str| CreateOrderRequest {
        order: Some(Order { customer: customer.to_owned(), items: vec![item(sku, 1)], ..Default::default() }),
        ..create()
    };
    assert_eq!(
        refusal(orders.create_order(ask("customers/nobody", "mugs/tide")).await),
        invalid(&[("order.customer", "is not a customer")])
    );
    assert_eq!(
        refusal(orders.create_order(ask("customers/ada", "mugs")).await),
        invalid(&[("order.items[0].sku", "\"mugs\" is not in the inventory")])
    );
    let nothing = CreateOrderRequest { order: None, ..create() };
    assert_eq!(refusal(orders.create_order(nothing).await), invalid(&[("order", "must be there")]));
}

#[tokio::test]
async fn an_order_is_paid_once_and_cancelled_unless_it_has_left() {
    let mut orders = OrdersClient::new(shop());
    orders.create_order(create()).await.unwrap();
    let pay = |id| PayOrderRequest { id, payment: Some(card()) };
    let paid = orders.pay_order(pay(7)).await.unwrap().into_inner();
    let is_paid = Order { status: OrderStatus::Paid as i32, payment: Some(card()), update_time: stamp(1), ..created() };
    assert_eq!(paid, is_paid);
    assert_eq!(
        refusal(orders.pay_order(pay(7)).await),
        precondition("ORDER_STATE", "orders/7", "an order in ORDER_STATUS_PAID cannot be paid")
    );

    let cancel = |id| CancelOrderRequest { id, reason: "changed my mind".to_owned() };
    let cancelled = orders.cancel_order(cancel(7)).await.unwrap().into_inner();
    let is_cancelled = Order {
        status: OrderStatus::Cancelled as i32,
        cancel_reason: "changed my mind".to_owned(),
        update_time: stamp(2),
        ..is_paid
    };
    assert_eq!(cancelled, is_cancelled);
    assert_eq!(get(&mut orders, 7, "").await.unwrap(), is_cancelled);
    // Order 1 of the seed is shipped.
    assert_eq!(
        refusal(orders.cancel_order(cancel(1)).await),
        precondition("ORDER_STATE", "orders/1", "an order in ORDER_STATUS_SHIPPED cannot be cancelled")
    );
    assert_eq!(refusal(orders.cancel_order(cancel(8)).await), not_found("Order", "8"));
}

#[tokio::test]
async fn a_payment_names_one_method_and_names_it_right() {
    let mut orders = OrdersClient::new(shop());
    let pay = |method| PayOrderRequest { id: 2, payment: Some(Payment { method }) };
    let card = |last4: &str| Method::Card(Card { brand: "visa".to_owned(), last4: last4.to_owned() });
    for (method, field, why) in [
        (None, "payment", "must have one of card, invoice and voucher"),
        (Some(card("12")), "payment.card.last4", "must be four digits"),
        (Some(Method::Invoice(Invoice::default())), "payment.invoice.due_days", "must be 1 to 90"),
        (Some(Method::Voucher("abc".to_owned())), "payment.voucher", "must be 4 to 32 characters, not 3"),
    ] {
        assert_eq!(refusal(orders.pay_order(pay(method)).await), invalid(&[(field, why)]));
    }
}

#[tokio::test]
async fn labels_are_replaced_in_any_state() {
    let mut orders = OrdersClient::new(shop());
    let before = get(&mut orders, 1, "").await.unwrap();
    let labels: std::collections::HashMap<_, _> = [("shelf".to_owned(), "b2".to_owned())].into();
    let request = SetOrderLabelsRequest { id: 1, labels: labels.clone() };
    let after = orders.set_order_labels(request).await.unwrap().into_inner();
    assert_eq!(after, Order { labels, update_time: stamp(0), ..before });
}

#[tokio::test]
async fn a_listing_pages_through_summaries_by_last_change() {
    let mut orders = OrdersClient::new(shop());
    let list = |size, token: &str| ListOrdersRequest {
        tenant_id: "acme".to_owned(),
        page_size: size,
        page_token: token.to_owned(),
        ..Default::default()
    };
    let first = orders.list_orders(list(2, "")).await.unwrap().into_inner();
    let second = orders.list_orders(list(10, &first.next_page_token)).await.unwrap().into_inner();
    let whole = orders.list_orders(list(0, "")).await.unwrap().into_inner();
    assert_eq!([first.orders, second.orders].concat(), whole.orders);
    assert_eq!((second.next_page_token, whole.next_page_token), (String::new(), String::new()));

    let mut expected = Vec::new();
    // Placed in the order 1 2 3 5 6 (4 is another tenant's); then 1, 2 and 3 changed, in that order.
    for id in [5, 6, 1, 2, 3] {
        let order = get(&mut orders, id, "").await.unwrap();
        expected.push(OrderSummary {
            id,
            status: order.status,
            customer: order.customer,
            total: order.total,
            item_count: order.items.len() as i32,
            update_time: order.update_time,
        });
    }
    assert_eq!(whole.orders, expected);

    let paid = ListOrdersRequest { status: OrderStatus::Paid as i32, ..list(0, "") };
    let paid = orders.list_orders(paid).await.unwrap().into_inner();
    assert_eq!(paid.orders, expected[3..4]);
}

#[tokio::test]
async fn a_listing_refuses_what_it_cannot_mean() {
    let mut orders = OrdersClient::new(shop());
    let list = ListOrdersRequest { tenant_id: "acme".to_owned(), page_size: 1, ..Default::default() };
    let token = orders.list_orders(list.clone()).await.unwrap().into_inner().next_page_token;
    let why = "does not fit: it is damaged, or of another tenant or status";
    for (request, field, why) in [
        (ListOrdersRequest { page_size: -1, ..list.clone() }, "page_size", "must not be negative"),
        (ListOrdersRequest { status: 77, ..list.clone() }, "status", "must be a known status"),
        (
            ListOrdersRequest { tenant_id: String::new(), ..list.clone() },
            "tenant_id",
            "must be 1 to 40 of a-z, 0-9 and -",
        ),
        (ListOrdersRequest { page_token: "junk".to_owned(), ..list.clone() }, "page_token", why),
        (
            ListOrdersRequest { page_token: token.clone(), tenant_id: "globex".to_owned(), ..list.clone() },
            "page_token",
            why,
        ),
        (ListOrdersRequest { page_token: token, status: OrderStatus::Paid as i32, ..list }, "page_token", why),
    ] {
        assert_eq!(refusal(orders.list_orders(request).await), invalid(&[(field, why)]));
    }
}

#[tokio::test]
async fn an_export_streams_whole_orders_to_the_end_or_to_its_bound() {
    let mut orders = OrdersClient::new(shop());
    for _ in 0..250 {
        orders.create_order(create()).await.unwrap();
    }
    let export = |max_orders| ExportOrdersRequest { tenant_id: "acme".to_owned(), max_orders, ..Default::default() };
    let mut stream = orders.export_orders(export(0)).await.unwrap().into_inner();
    let mut streamed = Vec::new();
    while let Some(order) = stream.message().await.unwrap() {
        streamed.push(order);
    }
    let mut expected = Vec::new();
    for id in [5, 6, 1, 2, 3].into_iter().chain(7..257) {
        expected.push(get(&mut orders, id, "").await.unwrap());
    }
    assert_eq!(streamed, expected);

    let mut stream = orders.export_orders(export(2)).await.unwrap().into_inner();
    let mut bounded = Vec::new();
    let end = loop {
        match stream.message().await {
            Ok(Some(order)) => bounded.push(order),
            other => break other,
        }
    };
    assert_eq!(bounded, expected[..2]);
    let exhausted = Refusal {
        code: Code::ResourceExhausted,
        message: "there are more than the 2 orders asked for".to_owned(),
        details: vec![],
    };
    assert_eq!(refusal(end), exhausted);
    // Exactly as many as allowed is not too many.
    let mut stream = orders.export_orders(export(255)).await.unwrap().into_inner();
    let mut count = 0;
    while stream.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 255);
}
