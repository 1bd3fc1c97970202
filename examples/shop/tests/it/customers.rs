use prost_types::FieldMask;
use tidegate_shop::generated::shop::v1::{
    CreateCustomerRequest, Customer, DeleteCustomerRequest, GetCustomerRequest, Tier, UpdateCustomerRequest,
    customers_client::CustomersClient,
};

use crate::support::{exists, invalid, not_found, refusal, shop, stamp};

fn mary() -> CreateCustomerRequest {
    CreateCustomerRequest {
        id: "mary".to_owned(),
        display_name: "Mary Somerville".to_owned(),
        email: "mary@example.com".to_owned(),
        phone: Some(String::new()),
        tier: Tier::Gold as i32,
        labels: [("lang".to_owned(), "en".to_owned())].into(),
    }
}

fn mary_is() -> Customer {
    Customer {
        name: "customers/mary".to_owned(),
        id: "mary".to_owned(),
        display_name: "Mary Somerville".to_owned(),
        email: "mary@example.com".to_owned(),
        phone: Some(String::new()),
        tier: Tier::Gold as i32,
        labels: [("lang".to_owned(), "en".to_owned())].into(),
        create_time: stamp(0),
        update_time: stamp(0),
    }
}

#[tokio::test]
async fn a_customer_is_created_once_read_back_and_gone_after_its_removal() {
    let mut customers = CustomersClient::new(shop());
    let created = customers.create_customer(mary()).await.unwrap().into_inner();
    assert_eq!(created, mary_is());
    let get = GetCustomerRequest { id: "mary".to_owned() };
    assert_eq!(customers.get_customer(get.clone()).await.unwrap().into_inner(), mary_is());
    assert_eq!(refusal(customers.create_customer(mary()).await), exists("Customer", "mary"));

    let delete = DeleteCustomerRequest { id: "mary".to_owned() };
    customers.delete_customer(delete.clone()).await.unwrap();
    assert_eq!(refusal(customers.get_customer(get).await), not_found("Customer", "mary"));
    assert_eq!(refusal(customers.delete_customer(delete).await), not_found("Customer", "mary"));
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let mut customers = CustomersClient::new(shop());
    let request = CreateCustomerRequest {
        id: "Mary Ann".to_owned(),
        email: "nobody".to_owned(),
        tier: 9,
        labels: [(String::new(), String::new())].into(),
        ..Default::default()
    };
    assert_eq!(
        refusal(customers.create_customer(request).await),
        invalid(&[
            ("id", "must be 1 to 40 of a-z, 0-9 and -"),
            ("display_name", "must be 1 to 80 characters, not 0"),
            ("email", "must be an address of at most 254 characters"),
            ("tier", "must be a known tier"),
            ("labels[\"\"]", "must have a key of 1 to 63 bytes and a value of at most 255"),
        ])
    );
}

#[tokio::test]
async fn an_update_changes_what_the_mask_lists_and_nothing_else() {
    let mut customers = CustomersClient::new(shop());
    customers.create_customer(mary()).await.unwrap();
    let update = |paths: &[&str]| UpdateCustomerRequest {
        customer: Some(Customer {
            name: "customers/mary".to_owned(),
            display_name: "Mary Fairfax".to_owned(),
            email: "fairfax@example.com".to_owned(),
            ..Default::default()
        }),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    };
    let masked = customers.update_customer(update(&["display_name", "phone"])).await.unwrap().into_inner();
    let renamed = Customer { display_name: "Mary Fairfax".to_owned(), phone: None, update_time: stamp(1), ..mary_is() };
    assert_eq!(masked, renamed);

    let unmasked = customers.update_customer(update(&[])).await.unwrap().into_inner();
    let moved = Customer { email: "fairfax@example.com".to_owned(), update_time: stamp(2), ..renamed };
    assert_eq!(unmasked, moved);

    let all = customers.update_customer(update(&["*"])).await.unwrap().into_inner();
    assert_eq!(all, Customer { tier: 0, labels: [].into(), update_time: stamp(3), ..moved });
}

#[tokio::test]
async fn an_update_that_is_refused_changes_nothing() {
    let mut customers = CustomersClient::new(shop());
    customers.create_customer(mary()).await.unwrap();
    let update = |name: &str, path: &str| UpdateCustomerRequest {
        customer: Some(Customer { name: name.to_owned(), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec![path.to_owned()] }),
    };
    assert_eq!(
        refusal(customers.update_customer(update("customers/mary", "create_time")).await),
        invalid(&[("update_mask", "\"create_time\" is not one of display_name, email, phone, tier, labels")])
    );
    assert_eq!(
        refusal(customers.update_customer(update("customers/mary", "email")).await),
        invalid(&[("customer.email", "must be an address of at most 254 characters")])
    );
    assert_eq!(
        refusal(customers.update_customer(update("customers/nobody", "phone")).await),
        not_found("Customer", "nobody")
    );
    assert_eq!(
        refusal(customers.update_customer(update("people/mary", "phone")).await),
        invalid(&[("customer.name", "must be customers/{id}")])
    );
    let get = GetCustomerRequest { id: "mary".to_owned() };
    assert_eq!(customers.get_customer(get).await.unwrap().into_inner(), mary_is());
}
