use tidegate_shop::{
    Routes,
    generated::shop::v1::{
        AuthorizeRequest, CaptureRequest, Charge, ChargeStatus, GetChargeRequest, Money, Payment, RefundRequest,
        VoidRequest,
        payment::{Card, Method},
        payments_client::PaymentsClient,
    },
};

use crate::support::{invalid, not_found, precondition, refusal, shop, stamp};

fn euros(minor_units: i64) -> Option<Money> {
    Some(Money { currency: "EUR".to_owned(), minor_units })
}

fn card(last4: &str) -> Option<Payment> {
    Some(Payment { method: Some(Method::Card(Card { brand: "visa".to_owned(), last4: last4.to_owned() })) })
}

/// Order 5 of the seed is pending, over 147.00.
fn authorize(key: &str) -> AuthorizeRequest {
    AuthorizeRequest { order_id: 5, payment: card("4242"), idempotency_key: key.to_owned(), ..Default::default() }
}

fn authorized() -> Charge {
    Charge {
        id: 1,
        order_id: 5,
        status: ChargeStatus::Authorized as i32,
        amount: euros(14_700),
        payment: card("4242"),
        create_time: stamp(0),
        update_time: stamp(0),
        ..Default::default()
    }
}

fn refund(amount: Option<Money>, key: &str) -> RefundRequest {
    RefundRequest { id: 1, amount, idempotency_key: key.to_owned() }
}

async fn get(payments: &mut PaymentsClient<Routes>) -> Charge {
    payments.get_charge(GetChargeRequest { id: 1 }).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_charge_is_authorized_captured_in_part_and_given_back_in_two_steps() {
    let mut payments = PaymentsClient::new(shop());
    let first = payments.authorize(authorize("")).await.unwrap().into_inner();
    assert_eq!(first, authorized());

    let too_much = CaptureRequest { id: 1, amount: euros(14_701) };
    assert_eq!(
        refusal(payments.capture(too_much).await),
        precondition("CAPTURE_EXCEEDS_AUTHORIZED", "charges/1", "14701 asked for, 14700 authorized")
    );
    let captured = Charge {
        status: ChargeStatus::Captured as i32,
        captured: euros(10_000),
        update_time: stamp(1),
        ..authorized()
    };
    let capture = CaptureRequest { id: 1, amount: euros(10_000) };
    assert_eq!(payments.capture(capture.clone()).await.unwrap().into_inner(), captured);
    // Again: it stays as it is, its time too.
    assert_eq!(payments.capture(capture).await.unwrap().into_inner(), captured);

    let part = Charge { refunded: euros(4_000), update_time: stamp(2), ..captured };
    assert_eq!(payments.refund(refund(euros(4_000), "r1")).await.unwrap().into_inner(), part);
    assert_eq!(payments.refund(refund(euros(4_000), "r1")).await.unwrap().into_inner(), part);
    assert_eq!(
        refusal(payments.refund(refund(euros(6_001), "")).await),
        precondition("REFUND_EXCEEDS_CAPTURE", "charges/1", "6001 asked for, 6000 left of what was captured")
    );
    let all = Charge { status: ChargeStatus::Refunded as i32, refunded: euros(10_000), update_time: stamp(3), ..part };
    assert_eq!(payments.refund(refund(None, "")).await.unwrap().into_inner(), all);
    assert_eq!(payments.refund(refund(None, "")).await.unwrap().into_inner(), all);
    assert_eq!(get(&mut payments).await, all);
}

#[tokio::test]
async fn a_key_does_a_thing_once_and_is_for_one_thing() {
    let mut payments = PaymentsClient::new(shop());
    for _ in 0..3 {
        let charge = payments.authorize(authorize("k-1")).await.unwrap().into_inner();
        assert_eq!(charge, authorized());
    }
    // What it answered is what it answered, whatever became of the charge.
    payments.void(VoidRequest { id: 1 }).await.unwrap();
    assert_eq!(payments.authorize(authorize("k-1")).await.unwrap().into_inner(), authorized());

    let other = AuthorizeRequest { amount: euros(1), ..authorize("k-1") };
    assert_eq!(
        refusal(payments.authorize(other).await),
        precondition("IDEMPOTENCY_KEY_REUSED", "k-1", "the idempotency key \"k-1\" came with another request before")
    );
    // Another method has keys of its own, and no key is no key.
    assert_eq!(
        refusal(payments.refund(refund(None, "k-1")).await),
        precondition("CHARGE_STATE", "charges/1", "a charge in CHARGE_STATUS_VOIDED cannot be refunded")
    );
    let second = payments.authorize(authorize("")).await.unwrap().into_inner();
    assert_eq!((second.id, second.order_id), (2, 5));
}

#[tokio::test]
async fn what_failed_under_a_key_may_succeed_under_it() {
    let mut payments = PaymentsClient::new(shop());
    let declined = AuthorizeRequest { payment: card("0002"), ..authorize("again") };
    assert_eq!(
        refusal(payments.authorize(declined).await),
        precondition("DECLINED", "orders/5", "the card that ends in 0002 was declined")
    );
    assert_eq!(payments.authorize(authorize("again")).await.unwrap().into_inner(), authorized());
}

#[tokio::test]
async fn a_void_undoes_an_authorization_twice_and_a_capture_never() {
    let mut payments = PaymentsClient::new(shop());
    payments.authorize(authorize("")).await.unwrap();
    let voided = Charge { status: ChargeStatus::Voided as i32, update_time: stamp(1), ..authorized() };
    for _ in 0..2 {
        assert_eq!(payments.void(VoidRequest { id: 1 }).await.unwrap().into_inner(), voided);
    }
    assert_eq!(
        refusal(payments.capture(CaptureRequest { id: 1, amount: None }).await),
        precondition("CHARGE_STATE", "charges/1", "a charge in CHARGE_STATUS_VOIDED cannot be captured")
    );
    payments.authorize(authorize("")).await.unwrap();
    payments.capture(CaptureRequest { id: 2, amount: None }).await.unwrap();
    assert_eq!(
        refusal(payments.void(VoidRequest { id: 2 }).await),
        precondition("CHARGE_STATE", "charges/2", "a charge in CHARGE_STATUS_CAPTURED cannot be voided")
    );
    assert_eq!(refusal(payments.void(VoidRequest { id: 3 }).await), not_found("Charge", "3"));
}

#[tokio::test]
async fn only_a_pending_order_is_paid_with_an_amount_and_a_method() {
    let mut payments = PaymentsClient::new(shop());
    let shipped = AuthorizeRequest { order_id: 1, ..authorize("") };
    assert_eq!(
        refusal(payments.authorize(shipped).await),
        precondition("ORDER_STATE", "orders/1", "an order in ORDER_STATUS_SHIPPED cannot be paid")
    );
    let nowhere = AuthorizeRequest { order_id: 99, ..authorize("") };
    assert_eq!(refusal(payments.authorize(nowhere).await), not_found("Order", "99"));
    let amount = Some(Money { currency: "USD".to_owned(), minor_units: 0 });
    assert_eq!(
        refusal(payments.authorize(AuthorizeRequest { amount, ..authorize("") }).await),
        invalid(&[("amount.currency", "must be EUR"), ("amount.minor_units", "must be at least 1")])
    );
    let nobody = AuthorizeRequest { payment: None, ..authorize("") };
    assert_eq!(
        refusal(payments.authorize(nobody).await),
        invalid(&[("payment", "must have one of card, invoice and voucher")])
    );
    for key in ["a b", "é", &"k".repeat(65)] {
        assert_eq!(
            refusal(payments.authorize(authorize(key)).await),
            invalid(&[("idempotency_key", "must be at most 64 visible ASCII characters")]),
            "{key}"
        );
    }
}
