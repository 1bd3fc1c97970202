//! `shop.v1.Customers`.

use tonic::{Request, Response, Status, async_trait};

use super::Context;
use crate::{
    check::Check,
    fault::Fault,
    generated::shop::v1::{
        CreateCustomerRequest, Customer, DeleteCustomerRequest, GetCustomerRequest, Tier, UpdateCustomerRequest,
        customers_server,
    },
    store::customers as rows,
};

/// Fields of a customer that a caller may change, by proto name.
const CHANGEABLE: [&str; 5] = ["display_name", "email", "phone", "tier", "labels"];

/// The service.
pub(crate) struct Customers(pub(crate) Context);

// === impl Customers ===

#[async_trait]
impl customers_server::Customers for Customers {
    async fn create_customer(&self, request: Request<CreateCustomerRequest>) -> Result<Response<Customer>, Status> {
        let request = request.into_inner();
        let customer = Customer {
            id: request.id,
            display_name: request.display_name,
            email: request.email,
            phone: request.phone,
            tier: request.tier,
            labels: request.labels,
            ..Default::default()
        };
        let mut check = Check::default();
        check.id("id", &customer.id);
        check_fields(&mut check, "", &customer);
        check.done()?;
        let now = self.0.now();
        let created = self.0.store.write(move |tx| rows::insert(tx, now, customer)).await?;
        Ok(Response::new(created))
    }

    async fn get_customer(&self, request: Request<GetCustomerRequest>) -> Result<Response<Customer>, Status> {
        let id = request.into_inner().id;
        let found = self.0.store.read(move |tx| rows::get(tx, &id)).await?;
        Ok(Response::new(found))
    }

    async fn update_customer(&self, request: Request<UpdateCustomerRequest>) -> Result<Response<Customer>, Status> {
        let request = request.into_inner();
        let update = request.customer.ok_or_else(|| Fault::invalid("customer", "must be there"))?;
        let id = update
            .name
            .strip_prefix("customers/")
            .ok_or_else(|| Fault::invalid("customer.name", "must be customers/{id}"))?
            .to_owned();
        let paths = mask(request.update_mask.unwrap_or_default().paths, &update)?;
        let now = self.0.now();
        let updated = self
            .0
            .store
            .write(move |tx| {
                rows::change(tx, now, &id, |customer| {
                    apply(customer, update, &paths);
                    let mut check = Check::default();
                    check_fields(&mut check, "customer.", customer);
                    check.done()
                })
            })
            .await?;
        Ok(Response::new(updated))
    }

    async fn delete_customer(&self, request: Request<DeleteCustomerRequest>) -> Result<Response<()>, Status> {
        let id = request.into_inner().id;
        self.0.store.write(move |tx| rows::delete(tx, &id)).await?;
        Ok(Response::new(()))
    }
}

fn check_fields(check: &mut Check, prefix: &str, customer: &Customer) {
    let at = customer.email.find('@');
    let phone = customer.phone.as_deref();
    check
        .text(&format!("{prefix}display_name"), &customer.display_name, 1, 80)
        .that(
            customer.email.len() <= 254 && at.is_some_and(|at| at > 0 && at + 1 < customer.email.len()),
            format!("{prefix}email"),
            "must be an address of at most 254 characters",
        )
        .that(phone.is_none_or(|phone| phone.len() <= 32), format!("{prefix}phone"), "must be at most 32 characters")
        .that(Tier::try_from(customer.tier).is_ok(), format!("{prefix}tier"), "must be a known tier")
        .labels(&format!("{prefix}labels"), &customer.labels);
}

/// The paths to change: `*` is all, none is every one that `update` carries with a value (AIP-134).
fn mask(paths: Vec<String>, update: &Customer) -> Result<Vec<String>, Fault> {
    if paths.iter().any(|path| path == "*") {
        return Ok(CHANGEABLE.map(str::to_owned).to_vec());
    }
    if paths.is_empty() {
        let carried = [
            !update.display_name.is_empty(),
            !update.email.is_empty(),
            update.phone.is_some(),
            update.tier != 0,
            !update.labels.is_empty(),
        ];
        let carried = CHANGEABLE.iter().zip(carried).filter(|(_, there)| *there);
        return Ok(carried.map(|(path, _)| (*path).to_owned()).collect());
    }
    let mut check = Check::default();
    for path in &paths {
        check.that(
            CHANGEABLE.contains(&path.as_str()),
            "update_mask",
            format!("{path:?} is not one of {}", CHANGEABLE.join(", ")),
        );
    }
    check.done()?;
    Ok(paths)
}

fn apply(customer: &mut Customer, update: Customer, paths: &[String]) {
    let named = |path: &str| paths.iter().any(|named| named == path);
    if named("display_name") {
        customer.display_name = update.display_name;
    }
    if named("email") {
        customer.email = update.email;
    }
    if named("phone") {
        customer.phone = update.phone;
    }
    if named("tier") {
        customer.tier = update.tier;
    }
    if named("labels") {
        customer.labels = update.labels;
    }
}
