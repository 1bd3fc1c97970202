//! The shop's services, called over gRPC.

#[cfg(test)]
mod customers;
#[cfg(test)]
mod inventory;
#[cfg(test)]
mod keyset;
#[cfg(test)]
mod links;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
