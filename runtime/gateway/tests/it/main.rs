//! The pipeline as a function, without a socket; and streams, where it matters when what arrives,
//! through a listener.

mod live;
mod reload;
mod rig;

mod aborts;
mod binding;
mod breakers;
mod canary;
mod clients;
mod concurrency;
mod deadline;
mod ending;
mod limits;
mod local;
mod metadata;
mod methods;
mod native;
mod plain;
mod plain_live;
mod rate_limits;
mod replies;
mod retries;
mod retries_live;
mod schemas;
mod shop;
mod streaming;
mod talks;
mod uploads;
