//! The shop's `.proto` files as text, so that a built binary carries its own schema.

/// Path (as imports name it) and text of each file of the shop's API.
///
/// `google/api/*.proto` is not among them: a gateway brings those.
pub const PROTO_FILES: &[(&str, &str)] = &[
    ("shop/v1/customers.proto", include_str!("../proto/shop/v1/customers.proto")),
    ("shop/v1/faults.proto", include_str!("../proto/shop/v1/faults.proto")),
    ("shop/v1/inventory.proto", include_str!("../proto/shop/v1/inventory.proto")),
    ("shop/v1/links.proto", include_str!("../proto/shop/v1/links.proto")),
    ("shop/v1/money.proto", include_str!("../proto/shop/v1/money.proto")),
    ("shop/v1/orders.proto", include_str!("../proto/shop/v1/orders.proto")),
    ("shop/v1/payments.proto", include_str!("../proto/shop/v1/payments.proto")),
    ("shop/v1/shipping.proto", include_str!("../proto/shop/v1/shipping.proto")),
];
