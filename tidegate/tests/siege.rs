//! The program under attack, by raw bytes: how each attack ends, what it costs in memory, and that others
//! are served meanwhile.

#[path = "siege/attacks.rs"]
mod attacks;
#[path = "siege/bystander.rs"]
mod bystander;
#[path = "siege/shapes.rs"]
mod shapes;
#[path = "siege/stage.rs"]
mod stage;
