//! The pipeline as a function: no socket, no listener.

mod rig;

mod binding;
mod deadline;
mod ending;
mod limits;
mod metadata;
mod methods;
mod replies;
mod schemas;
mod shop;
mod streaming;
