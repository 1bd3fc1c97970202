//! The source and the board against a real etcd.

mod auth;
mod board;
mod contract;
mod endpoints;
mod faults;
mod support;
mod tls;
