//! Bad input over real sockets, on h1 and on h2, before the shop: each answer whole.

#[path = "edge/bad_input.rs"]
mod bad_input;
#[path = "edge/client.rs"]
mod client;
#[path = "edge/connections.rs"]
mod connections;
#[path = "edge/limits.rs"]
mod limits;
#[path = "edge/methods.rs"]
mod methods;
#[path = "edge/stage.rs"]
mod stage;
