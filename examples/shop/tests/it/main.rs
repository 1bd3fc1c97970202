//! The shop's services, called over gRPC.

#[cfg(test)]
mod customers;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod health;
#[cfg(test)]
mod inventory;
#[cfg(test)]
mod keyset;
#[cfg(test)]
mod links;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod payments;
#[cfg(test)]
mod reflection;
#[cfg(test)]
mod server;
#[cfg(test)]
mod shipping;
#[cfg(test)]
mod stock_streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod watch;
