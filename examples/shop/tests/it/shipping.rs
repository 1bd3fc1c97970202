use tidegate_shop::generated::shop::v1::{
    Address, CancelOrderRequest, CancelShipmentRequest, CreateShipmentRequest, DispatchShipmentRequest,
    GetOrderRequest, GetShipmentRequest, Money, OrderItem, OrderStatus, Shipment, ShipmentStatus,
    orders_client::OrdersClient, shipping_client::ShippingClient,
};

use crate::support::{invalid, not_found, precondition, refusal, shop, stamp};

fn address(country: &str) -> Option<Address> {
    Some(Address {
        lines: vec!["1 Quay".to_owned()],
        city: "Oslo".to_owned(),
        postal_code: "0150".to_owned(),
        country: country.to_owned(),
    })
}

fn create(order_id: i64, country: &str, key: &str) -> CreateShipmentRequest {
    CreateShipmentRequest {
        shipment: Some(Shipment { order_id, address: address(country), ..Default::default() }),
        idempotency_key: key.to_owned(),
    }
}

/// Of order 2 of the seed, which is paid.
fn ready() -> Shipment {
    Shipment {
        name: "shipments/1".to_owned(),
        order_id: 2,
        status: ShipmentStatus::Ready as i32,
        address: address("NO"),
        items: vec![OrderItem {
            sku: "mugs/tide".to_owned(),
            quantity: 4,
            unit_price: Some(Money { currency: "EUR".to_owned(), minor_units: 1_450 }),
        }],
        create_time: stamp(0),
        update_time: stamp(0),
    }
}

fn name() -> String {
    "shipments/1".to_owned()
}

#[tokio::test]
async fn a_paid_order_is_shipped_once() {
    let routes = shop();
    let (mut shipping, mut orders) = (ShippingClient::new(routes.clone()), OrdersClient::new(routes));
    for _ in 0..2 {
        assert_eq!(shipping.create_shipment(create(2, "NO", "k")).await.unwrap().into_inner(), ready());
    }
    assert_eq!(
        refusal(shipping.create_shipment(create(2, "SE", "k")).await),
        precondition("IDEMPOTENCY_KEY_REUSED", "k", "the idempotency key \"k\" came with another request before")
    );
    assert_eq!(
        refusal(shipping.create_shipment(create(2, "NO", "")).await),
        precondition("ALREADY_SHIPPING", "orders/2", "order 2 goes with shipments/1")
    );
    // The order changes first, with a stamp of its own.
    let gone = Shipment { status: ShipmentStatus::Dispatched as i32, update_time: stamp(2), ..ready() };
    for _ in 0..2 {
        let dispatch = DispatchShipmentRequest { name: name() };
        assert_eq!(shipping.dispatch_shipment(dispatch).await.unwrap().into_inner(), gone);
    }
    let order = orders.get_order(GetOrderRequest { id: 2, ..Default::default() }).await.unwrap().into_inner();
    assert_eq!((order.status(), order.update_time), (OrderStatus::Shipped, stamp(1)));
    assert_eq!(shipping.get_shipment(GetShipmentRequest { name: name() }).await.unwrap().into_inner(), gone);
    assert_eq!(
        refusal(shipping.cancel_shipment(CancelShipmentRequest { name: name() }).await),
        precondition("SHIPMENT_STATE", "shipments/1", "a shipment in SHIPMENT_STATUS_DISPATCHED cannot be cancelled")
    );
}

#[tokio::test]
async fn a_cancelled_shipment_makes_room_for_another() {
    let mut shipping = ShippingClient::new(shop());
    shipping.create_shipment(create(2, "NO", "")).await.unwrap();
    let cancelled = Shipment { status: ShipmentStatus::Cancelled as i32, update_time: stamp(1), ..ready() };
    for _ in 0..2 {
        let cancel = CancelShipmentRequest { name: name() };
        assert_eq!(shipping.cancel_shipment(cancel).await.unwrap().into_inner(), cancelled);
    }
    assert_eq!(
        refusal(shipping.dispatch_shipment(DispatchShipmentRequest { name: name() }).await),
        precondition("SHIPMENT_STATE", "shipments/1", "a shipment in SHIPMENT_STATUS_CANCELLED cannot be dispatched")
    );
    let second = shipping.create_shipment(create(2, "NO", "")).await.unwrap().into_inner();
    assert_eq!(
        second,
        Shipment { name: "shipments/2".to_owned(), create_time: stamp(2), update_time: stamp(2), ..ready() }
    );
}

#[tokio::test]
async fn what_cannot_be_shipped_is_refused_and_changes_nothing() {
    let routes = shop();
    let (mut shipping, mut orders) = (ShippingClient::new(routes.clone()), OrdersClient::new(routes));
    assert_eq!(
        refusal(shipping.create_shipment(create(3, "NO", "")).await),
        precondition("ORDER_STATE", "orders/3", "an order in ORDER_STATUS_CANCELLED cannot be shipped")
    );
    assert_eq!(
        refusal(shipping.create_shipment(create(2, "AQ", "k")).await),
        precondition("NO_CARRIER", "orders/2", "no carrier goes to AQ")
    );
    assert_eq!(refusal(shipping.create_shipment(create(99, "NO", "")).await), not_found("Order", "99"));

    // Packed while it was pending; not paid, so the carrier does not get it.
    shipping.create_shipment(create(5, "NO", "k")).await.unwrap();
    orders.cancel_order(CancelOrderRequest { id: 5, ..Default::default() }).await.unwrap();
    assert_eq!(
        refusal(shipping.dispatch_shipment(DispatchShipmentRequest { name: name() }).await),
        precondition("ORDER_STATE", "orders/5", "an order in ORDER_STATUS_CANCELLED cannot be shipped")
    );
    let kept = shipping.get_shipment(GetShipmentRequest { name: name() }).await.unwrap().into_inner();
    assert_eq!(kept.status(), ShipmentStatus::Ready);
    for name in ["shipments/2", "shipments/+1", "shipments/", "1", ""] {
        let get = GetShipmentRequest { name: name.to_owned() };
        assert_eq!(refusal(shipping.get_shipment(get).await), not_found("Shipment", name));
    }
}

#[tokio::test]
async fn every_bad_field_of_an_address_is_named() {
    let mut shipping = ShippingClient::new(shop());
    let address = Address {
        lines: vec![String::new()],
        postal_code: "0".repeat(17),
        country: "no".to_owned(),
        ..Default::default()
    };
    let shipment = Shipment { order_id: 2, address: Some(address), ..Default::default() };
    let request = CreateShipmentRequest { shipment: Some(shipment), ..Default::default() };
    assert_eq!(
        refusal(shipping.create_shipment(request).await),
        invalid(&[
            ("shipment.address.lines[0]", "must be 1 to 80 characters, not 0"),
            ("shipment.address.city", "must be 1 to 80 characters, not 0"),
            ("shipment.address.postal_code", "must be 0 to 16 characters, not 17"),
            ("shipment.address.country", "must be two letters A-Z"),
        ])
    );
}
