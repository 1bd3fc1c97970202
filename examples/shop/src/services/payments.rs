//! `shop.v1.Payments`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    Context,
    orders::{draft, expect_status},
};
use crate::{
    check::Check,
    fault::Fault,
    generated::shop::v1::{
        AuthorizeRequest, CaptureRequest, Charge, ChargeStatus, GetChargeRequest, Money, OrderStatus, Payment,
        RefundRequest, VoidRequest,
        payment::{Card, Method},
        payments_server,
    },
    store::{
        answered, charges as rows,
        orders::{self, CURRENCY, money},
    },
};

/// The last digits of every card that is refused.
const DECLINED: &str = "0002";

/// The service.
pub(crate) struct Payments(pub(crate) Context);

// === impl Payments ===

#[async_trait]
impl payments_server::Payments for Payments {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<Charge>, Status> {
        let (request, now) = (request.into_inner(), self.0.now());
        Check::default().key("idempotency_key", &request.idempotency_key).done()?;
        let wanted = amount(request.amount.as_ref())?;
        let payment = draft::payment(request.payment.clone())?;
        let charge = self.0.store.write(move |tx| {
            let done = ("Authorize", request.idempotency_key.as_str());
            answered::once(tx, now, done, &request, || authorize(tx, now, request.order_id, wanted, payment))
        });
        Ok(Response::new(charge.await?))
    }

    async fn get_charge(&self, request: Request<GetChargeRequest>) -> Result<Response<Charge>, Status> {
        let id = request.into_inner().id;
        Ok(Response::new(self.0.store.read(move |tx| rows::get(tx, id)).await?))
    }

    async fn capture(&self, request: Request<CaptureRequest>) -> Result<Response<Charge>, Status> {
        let CaptureRequest { id, amount: wanted } = request.into_inner();
        let wanted = amount(wanted.as_ref())?;
        self.change(id, move |charge| capture(charge, wanted)).await
    }

    async fn void(&self, request: Request<VoidRequest>) -> Result<Response<Charge>, Status> {
        let void = |charge: &mut Charge| match charge.status() {
            ChargeStatus::Voided => Ok(false),
            ChargeStatus::Authorized => {
                charge.set_status(ChargeStatus::Voided);
                Ok(true)
            }
            _ => Err(wrong_state(charge, "voided")),
        };
        self.change(request.into_inner().id, void).await
    }

    async fn refund(&self, request: Request<RefundRequest>) -> Result<Response<Charge>, Status> {
        let (request, now) = (request.into_inner(), self.0.now());
        Check::default().key("idempotency_key", &request.idempotency_key).done()?;
        let wanted = amount(request.amount.as_ref())?;
        let charge = self.0.store.write(move |tx| {
            let done = ("Refund", request.idempotency_key.as_str());
            let refund = |charge: &mut Charge| refund(charge, wanted);
            answered::once(tx, now, done, &request, || rows::change(tx, now, request.id, refund))
        });
        Ok(Response::new(charge.await?))
    }
}

impl Payments {
    async fn change(
        &self,
        id: i64,
        change: impl FnOnce(&mut Charge) -> Result<bool, Fault> + Send + 'static,
    ) -> Result<Response<Charge>, Status> {
        let now = self.0.now();
        Ok(Response::new(self.0.store.write(move |tx| rows::change(tx, now, id, change)).await?))
    }
}

/// Minor units of an amount that a caller wrote, if it did.
fn amount(wanted: Option<&Money>) -> Result<Option<i64>, Fault> {
    let Some(Money { currency, minor_units }) = wanted else {
        return Ok(None);
    };
    Check::default()
        .that(currency.is_empty() || currency == CURRENCY, "amount.currency", format!("must be {CURRENCY}"))
        .that(*minor_units >= 1, "amount.minor_units", "must be at least 1")
        .done()?;
    Ok(Some(*minor_units))
}

fn authorize(
    tx: &rusqlite::Transaction<'_>,
    now: i64,
    order_id: i64,
    wanted: Option<i64>,
    payment: Payment,
) -> Result<Charge, Fault> {
    let order = orders::get(tx, order_id)?;
    expect_status(&order, "paid", &[OrderStatus::Pending])?;
    if let Some(Method::Card(Card { last4, .. })) = &payment.method
        && last4 == DECLINED
    {
        return Err(Fault::Precondition {
            reason: "DECLINED",
            subject: format!("orders/{order_id}"),
            description: format!("the card that ends in {DECLINED} was declined"),
        });
    }
    let amount = wanted.unwrap_or_else(|| units(order.total.as_ref()));
    let charge = Charge {
        order_id,
        status: ChargeStatus::Authorized as i32,
        amount: Some(money(amount)),
        payment: Some(payment),
        ..Default::default()
    };
    rows::insert(tx, now, charge)
}

fn capture(charge: &mut Charge, wanted: Option<i64>) -> Result<bool, Fault> {
    let authorized = units(charge.amount.as_ref());
    let amount = wanted.unwrap_or(authorized);
    match charge.status() {
        ChargeStatus::Captured if amount == units(charge.captured.as_ref()) => Ok(false),
        ChargeStatus::Authorized if amount > authorized => Err(Fault::Precondition {
            reason: "CAPTURE_EXCEEDS_AUTHORIZED",
            subject: format!("charges/{}", charge.id),
            description: format!("{amount} asked for, {authorized} authorized"),
        }),
        ChargeStatus::Authorized => {
            charge.set_status(ChargeStatus::Captured);
            charge.captured = Some(money(amount));
            Ok(true)
        }
        _ => Err(wrong_state(charge, "captured")),
    }
}

fn refund(charge: &mut Charge, wanted: Option<i64>) -> Result<bool, Fault> {
    if charge.status() == ChargeStatus::Refunded && wanted.is_none() {
        return Ok(false);
    }
    if charge.status() != ChargeStatus::Captured {
        return Err(wrong_state(charge, "refunded"));
    }
    let (captured, refunded) = (units(charge.captured.as_ref()), units(charge.refunded.as_ref()));
    let left = captured - refunded;
    let amount = wanted.unwrap_or(left);
    if amount > left {
        return Err(Fault::Precondition {
            reason: "REFUND_EXCEEDS_CAPTURE",
            subject: format!("charges/{}", charge.id),
            description: format!("{amount} asked for, {left} left of what was captured"),
        });
    }
    charge.refunded = Some(money(refunded + amount));
    if amount == left {
        charge.set_status(ChargeStatus::Refunded);
    }
    Ok(true)
}

fn units(amount: Option<&Money>) -> i64 {
    amount.map_or(0, |amount| amount.minor_units)
}

fn wrong_state(charge: &Charge, to_be: &str) -> Fault {
    Fault::Precondition {
        reason: "CHARGE_STATE",
        subject: format!("charges/{}", charge.id),
        description: format!("a charge in {} cannot be {to_be}", charge.status().as_str_name()),
    }
}
