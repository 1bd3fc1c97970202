//! The source against a real etcd.

mod auth;
mod contract;
mod faults;
mod support;
mod tls;
