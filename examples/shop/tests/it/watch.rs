//! Orders as they change.

use prost_types::Timestamp;
use tidegate_shop::{
    Routes,
    generated::shop::v1::{
        CancelOrderRequest, CreateOrderRequest, GetOrderRequest, Order, OrderItem, SetOrderLabelsRequest,
        WatchOrdersRequest, orders_client::OrdersClient,
    },
};
use tokio::join;
use tonic::Streaming;

use crate::support::{invalid, refusal, shop};

fn watch(max_changes: i32) -> WatchOrdersRequest {
    WatchOrdersRequest { tenant_id: "acme".to_owned(), since: None, max_changes }
}

async fn get(orders: &mut OrdersClient<Routes>, id: i64) -> Order {
    orders.get_order(GetOrderRequest { id, ..Default::default() }).await.unwrap().into_inner()
}

async fn all(mut stream: Streaming<Order>) -> Vec<Order> {
    let mut seen = Vec::new();
    while let Some(order) = stream.message().await.unwrap() {
        seen.push(order);
    }
    seen
}

async fn label(orders: &mut OrdersClient<Routes>, id: i64, value: &str) -> Order {
    let labels = [("n".to_owned(), value.to_owned())].into();
    orders.set_order_labels(SetOrderLabelsRequest { id, labels }).await.unwrap().into_inner()
}

#[tokio::test]
async fn what_changed_since_a_time_comes_first_and_in_order() {
    let mut orders = OrdersClient::new(shop());
    let sixth = get(&mut orders, 6).await;
    let since = WatchOrdersRequest { since: sixth.update_time, ..watch(3) };
    let changes = all(orders.watch_orders(since.clone()).await.unwrap().into_inner()).await;
    // After the sixth was placed the first was shipped, the second paid, the third cancelled.
    let expected = [get(&mut orders, 1).await, get(&mut orders, 2).await, get(&mut orders, 3).await];
    assert_eq!(changes, expected);
    // Going on from the last that was seen misses nothing and repeats nothing.
    let on = WatchOrdersRequest { since: changes[1].update_time, max_changes: 1, ..since };
    assert_eq!(all(orders.watch_orders(on).await.unwrap().into_inner()).await, expected[2..]);
}

#[tokio::test]
async fn a_change_wakes_who_watches_and_another_tenants_does_not_count() {
    let routes = shop();
    let (mut orders, mut other) = (OrdersClient::new(routes.clone()), OrdersClient::new(routes));
    let stream = orders.watch_orders(watch(3)).await.unwrap().into_inner();
    let change = async {
        let mut changed = Vec::new();
        for (id, value) in [(5, "1"), (4, "of globex"), (6, "2")] {
            let order = label(&mut other, id, value).await;
            changed.push(order);
        }
        let cancel = CancelOrderRequest { id: 2, reason: "enough".to_owned() };
        changed.push(other.cancel_order(cancel).await.unwrap().into_inner());
        changed
    };
    let (seen, mut changed) = join!(all(stream), change);
    changed.remove(1);
    assert_eq!(seen, changed);
}

#[tokio::test]
async fn an_order_that_changes_twice_unseen_is_seen_as_it_is() {
    let mut orders = OrdersClient::new(shop());
    let mut stream = orders.watch_orders(watch(0)).await.unwrap().into_inner();
    label(&mut orders, 5, "1").await;
    let now = label(&mut orders, 5, "2").await;
    assert_eq!(stream.message().await.unwrap(), Some(now));
    let next = label(&mut orders, 5, "3").await;
    assert_eq!(stream.message().await.unwrap(), Some(next));
}

#[tokio::test]
async fn more_changes_than_fit_one_read_all_come() {
    let mut orders = OrdersClient::new(shop());
    let order = Order {
        customer: "customers/ada".to_owned(),
        items: vec![OrderItem { sku: "mugs/tide".to_owned(), quantity: 1, unit_price: None }],
        ..Default::default()
    };
    let create = CreateOrderRequest { tenant_id: "acme".to_owned(), order: Some(order), validate_only: false };
    let mut expected = Vec::new();
    for id in [5, 6, 1, 2, 3] {
        expected.push(get(&mut orders, id).await);
    }
    for _ in 0..150 {
        expected.push(orders.create_order(create.clone()).await.unwrap().into_inner());
    }
    let since = Some(Timestamp::default());
    for most in [99, 100, 101, 155] {
        let request = WatchOrdersRequest { since, ..watch(most) };
        let seen = all(orders.watch_orders(request).await.unwrap().into_inner()).await;
        assert_eq!(seen, expected[..most as usize]);
    }
}

#[tokio::test]
async fn what_is_no_time_and_no_count_is_refused() {
    let mut orders = OrdersClient::new(shop());
    let since = Some(Timestamp { seconds: 0, nanos: -1 });
    let request = WatchOrdersRequest { tenant_id: "A".to_owned(), since, max_changes: -1 };
    assert_eq!(
        refusal(orders.watch_orders(request).await),
        invalid(&[
            ("tenant_id", "must be 1 to 40 of a-z, 0-9 and -"),
            ("since", "must be a time"),
            ("max_changes", "must not be negative"),
        ])
    );
}
