//! `shop.v1.Orders`.

pub(super) mod draft;
mod watch;

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, async_trait};

use super::Context;
use crate::{
    check::Check,
    fault::Fault,
    generated::shop::v1::{
        CancelOrderRequest, CreateOrderRequest, ExportOrdersRequest, GetOrderRequest, ListOrdersRequest,
        ListOrdersResponse, Order, OrderStatus, PayOrderRequest, SetOrderLabelsRequest, WatchOrdersRequest,
        orders_server,
    },
    store::{
        listing::{self, Filter, Position},
        orders as rows,
    },
};

/// Orders of a page whose size the caller leaves to us.
const PAGE_DEFAULT: i32 = 50;

/// Orders of a page at most; a larger wish is cut to this (AIP-158).
const PAGE_MAX: i32 = 1000;

/// Orders that an export reads at a time: each a short transaction, so that it holds up no writer.
const EXPORT_CHUNK: usize = 100;

/// The service.
pub(crate) struct Orders(pub(crate) Context);

// === impl Orders ===

#[async_trait]
impl orders_server::Orders for Orders {
    type WatchOrdersStream = watch::Changes;
    type ExportOrdersStream = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

    async fn create_order(&self, request: Request<CreateOrderRequest>) -> Result<Response<Order>, Status> {
        let request = request.into_inner();
        let (draft, now) = (draft::checked(&request)?, self.0.now());
        let order = if request.validate_only {
            let job = move |tx: &rusqlite::Transaction<'_>| draft::priced(tx, draft);
            self.0.store.read(job).await?
        } else {
            let job = move |tx: &rusqlite::Transaction<'_>| {
                let order = draft::priced(tx, draft)?;
                rows::insert(tx, now, order)
            };
            self.0.store.write(job).await?
        };
        Ok(Response::new(order))
    }

    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        let GetOrderRequest { id, tenant_id } = request.into_inner();
        let order = self
            .0
            .store
            .read(move |tx| {
                let order = rows::get(tx, id)?;
                // Another tenant's order does not exist, as far as this one can tell.
                if tenant_id.is_empty() || tenant_id == order.tenant_id { Ok(order) } else { Err(rows::not_found(id)) }
            })
            .await?;
        Ok(Response::new(order))
    }

    async fn list_orders(&self, request: Request<ListOrdersRequest>) -> Result<Response<ListOrdersResponse>, Status> {
        let request = request.into_inner();
        let filter = filter(request.tenant_id, request.status)?;
        let size = match request.page_size {
            0 => PAGE_DEFAULT,
            1.. => request.page_size.min(PAGE_MAX),
            _ => return Err(Fault::invalid("page_size", "must not be negative").into()),
        };
        let position = match request.page_token.as_str() {
            "" => None,
            token => Some(Position::from_token(token, &filter)?),
        };
        let bound = filter.clone();
        let page = self.0.store.read(move |tx| listing::page(tx, &filter, position, size as usize)).await?;
        Ok(Response::new(ListOrdersResponse {
            orders: page.orders,
            next_page_token: page.next.map_or_else(String::new, |next| next.to_token(&bound)),
        }))
    }

    async fn export_orders(
        &self,
        request: Request<ExportOrdersRequest>,
    ) -> Result<Response<Self::ExportOrdersStream>, Status> {
        let request = request.into_inner();
        let filter = filter(request.tenant_id, request.status)?;
        let mut left = match request.max_orders {
            0 => usize::MAX,
            1.. => request.max_orders as usize,
            _ => return Err(Fault::invalid("max_orders", "must not be negative").into()),
        };
        let store = self.0.store.clone();
        let orders = async_stream::try_stream! {
            let mut position = None;
            loop {
                let of = filter.clone();
                // A chunk is read when the one before has been taken: a slow reader costs no memory.
                let (chunk, next) = store.read(move |tx| chunk(tx, &of, position)).await?;
                for order in chunk {
                    if left == 0 {
                        Err(Fault::Exhausted(format!("there are more than the {} orders asked for", request.max_orders)))?;
                    }
                    left -= 1;
                    yield order;
                }
                if next.is_none() {
                    break;
                }
                position = next;
            }
        };
        Ok(Response::new(Box::pin(orders)))
    }

    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        Ok(Response::new(watch::start(self.0.store.clone(), request.into_inner()).await?))
    }

    async fn pay_order(&self, request: Request<PayOrderRequest>) -> Result<Response<Order>, Status> {
        let PayOrderRequest { id, payment } = request.into_inner();
        let payment = draft::payment(payment)?;
        self.change(id, move |order| {
            expect_status(order, "paid", &[OrderStatus::Pending])?;
            order.set_status(OrderStatus::Paid);
            order.payment = Some(payment);
            Ok(())
        })
        .await
    }

    async fn cancel_order(&self, request: Request<CancelOrderRequest>) -> Result<Response<Order>, Status> {
        let CancelOrderRequest { id, reason } = request.into_inner();
        Check::default().text("reason", &reason, 0, 500).done()?;
        self.change(id, move |order| {
            expect_status(order, "cancelled", &[OrderStatus::Pending, OrderStatus::Paid])?;
            order.set_status(OrderStatus::Cancelled);
            order.cancel_reason = reason;
            Ok(())
        })
        .await
    }

    async fn set_order_labels(&self, request: Request<SetOrderLabelsRequest>) -> Result<Response<Order>, Status> {
        let SetOrderLabelsRequest { id, labels } = request.into_inner();
        Check::default().labels("labels", &labels).done()?;
        self.change(id, move |order| {
            order.labels = labels;
            Ok(())
        })
        .await
    }
}

impl Orders {
    async fn change(
        &self,
        id: i64,
        change: impl FnOnce(&mut Order) -> Result<(), Fault> + Send + 'static,
    ) -> Result<Response<Order>, Status> {
        let now = self.0.now();
        let order = self.0.store.write(move |tx| rows::change(tx, now, id, change)).await?;
        Ok(Response::new(order))
    }
}

fn filter(tenant_id: String, status: i32) -> Result<Filter, Fault> {
    let known = OrderStatus::try_from(status);
    Check::default().id("tenant_id", &tenant_id).that(known.is_ok(), "status", "must be a known status").done()?;
    Ok(Filter { tenant_id, status: known.unwrap_or_default() })
}

/// A page of the listing with its orders whole.
fn chunk(
    tx: &rusqlite::Transaction<'_>,
    filter: &Filter,
    position: Option<Position>,
) -> Result<(Vec<Order>, Option<Position>), Fault> {
    let page = listing::page(tx, filter, position, EXPORT_CHUNK)?;
    let orders = page.orders.iter().map(|summary| rows::get(tx, summary.id));
    Ok((orders.collect::<Result<_, _>>()?, page.next))
}

/// That `order` is in one of the states from which it can become what it is `to_be`.
pub(super) fn expect_status(order: &Order, to_be: &str, among: &[OrderStatus]) -> Result<(), Fault> {
    if among.contains(&order.status()) {
        return Ok(());
    }
    Err(Fault::Precondition {
        reason: "ORDER_STATE",
        subject: format!("orders/{}", order.id),
        description: format!("an order in {} cannot be {to_be}", order.status().as_str_name()),
    })
}
