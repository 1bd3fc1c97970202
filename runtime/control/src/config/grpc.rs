//! `grpc`: services of gRPC that the gateway answers by itself.

use crate::fields::{Context, Fields};
use crate::value;
use tidegate_gateway::config::LocalServices;

pub(super) fn read(fields: &mut Fields<'_>, cx: &mut Context) -> LocalServices {
    let mut services = LocalServices::default();
    let Some(node) = fields.node("grpc", cx) else { return services };
    let Some(mut fields) = Fields::of(node, "`grpc`", cx) else { return services };
    for (key, place) in [("health", &mut services.health), ("reflection", &mut services.reflection)] {
        if let Some(flag) = fields.optional(key, cx, value::boolean) {
            *place = flag.value;
        }
    }
    fields.finish(cx);
    services
}
