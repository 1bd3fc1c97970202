//! `shop.v1.Shipping`.

use tonic::{Request, Response, Status, async_trait};

use super::{Context, orders::expect_status};
use crate::{
    check::Check,
    fault::Fault,
    generated::shop::v1::{
        Address, CancelShipmentRequest, CreateShipmentRequest, DispatchShipmentRequest, GetShipmentRequest,
        OrderStatus, Shipment, ShipmentStatus, shipping_server,
    },
    store::{answered, orders, shipments as rows},
};

/// Where no carrier goes: Antarctica.
const NO_CARRIER: &str = "AQ";

/// The service.
pub(crate) struct Shipping(pub(crate) Context);

// === impl Shipping ===

#[async_trait]
impl shipping_server::Shipping for Shipping {
    async fn create_shipment(&self, request: Request<CreateShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let (request, now) = (request.into_inner(), self.0.now());
        let draft = request.shipment.clone().unwrap_or_default();
        let address = draft.address.unwrap_or_default();
        check(&request.idempotency_key, &address)?;
        let shipment = self.0.store.write(move |tx| {
            let done = ("CreateShipment", request.idempotency_key.as_str());
            answered::once(tx, now, done, &request, || create(tx, now, draft.order_id, address))
        });
        Ok(Response::new(shipment.await?))
    }

    async fn get_shipment(&self, request: Request<GetShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(self.0.store.read(move |tx| rows::get(tx, &name)).await?))
    }

    async fn dispatch_shipment(&self, request: Request<DispatchShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let (name, now) = (request.into_inner().name, self.0.now());
        let shipment = self.0.store.write(move |tx| {
            let shipment = rows::get(tx, &name)?;
            match shipment.status() {
                ShipmentStatus::Dispatched => Ok(shipment),
                ShipmentStatus::Ready => {
                    orders::change(tx, now, shipment.order_id, |order| {
                        expect_status(order, "shipped", &[OrderStatus::Paid])?;
                        order.set_status(OrderStatus::Shipped);
                        Ok(())
                    })?;
                    rows::turn(tx, now, shipment, ShipmentStatus::Dispatched)
                }
                _ => Err(wrong_state(&shipment, "dispatched")),
            }
        });
        Ok(Response::new(shipment.await?))
    }

    async fn cancel_shipment(&self, request: Request<CancelShipmentRequest>) -> Result<Response<Shipment>, Status> {
        let (name, now) = (request.into_inner().name, self.0.now());
        let shipment = self.0.store.write(move |tx| {
            let shipment = rows::get(tx, &name)?;
            match shipment.status() {
                ShipmentStatus::Cancelled => Ok(shipment),
                ShipmentStatus::Ready => rows::turn(tx, now, shipment, ShipmentStatus::Cancelled),
                _ => Err(wrong_state(&shipment, "cancelled")),
            }
        });
        Ok(Response::new(shipment.await?))
    }
}

fn check(key: &str, address: &Address) -> Result<(), Fault> {
    let mut check = Check::default();
    check.key("idempotency_key", key).that(
        (1..=4).contains(&address.lines.len()),
        "shipment.address.lines",
        "must be 1 to 4",
    );
    for (index, line) in address.lines.iter().enumerate() {
        check.text(&format!("shipment.address.lines[{index}]"), line, 1, 80);
    }
    let country = &address.country;
    check
        .text("shipment.address.city", &address.city, 1, 80)
        .text("shipment.address.postal_code", &address.postal_code, 0, 16)
        .that(
            country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()),
            "shipment.address.country",
            "must be two letters A-Z",
        )
        .done()
}

fn create(tx: &rusqlite::Transaction<'_>, now: i64, order_id: i64, address: Address) -> Result<Shipment, Fault> {
    let order = orders::get(tx, order_id)?;
    expect_status(&order, "shipped", &[OrderStatus::Pending, OrderStatus::Paid])?;
    if address.country == NO_CARRIER {
        return Err(Fault::Precondition {
            reason: "NO_CARRIER",
            subject: format!("orders/{order_id}"),
            description: format!("no carrier goes to {NO_CARRIER}"),
        });
    }
    let shipment = Shipment {
        order_id,
        status: ShipmentStatus::Ready as i32,
        address: Some(address),
        items: order.items,
        ..Default::default()
    };
    rows::insert(tx, now, shipment)
}

fn wrong_state(shipment: &Shipment, to_be: &str) -> Fault {
    Fault::Precondition {
        reason: "SHIPMENT_STATE",
        subject: shipment.name.clone(),
        description: format!("a shipment in {} cannot be {to_be}", shipment.status().as_str_name()),
    }
}
