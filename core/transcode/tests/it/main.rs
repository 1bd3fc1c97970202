//! The mapping, from outside.

mod body;
mod conflicts;
mod frames;
mod harness;
mod overrides;
mod paths;
mod places;
mod queries;
mod replies;
mod robustness;
mod router_property;
mod routing;
mod status;
mod streams;
mod templates;
mod uploads;
