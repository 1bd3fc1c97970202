//! Random schemas, and random messages of them on the wire and as JSON, from a seed.
//!
//! Nothing here is shared with a codec: wire bytes and JSON text are written straight from the
//! model, in forms that no encoder would choose (any order, split messages, both packings, any
//! escape), so that decoders are what is compared.

mod descriptor;
pub mod json;
pub mod model;
pub mod rng;
mod schema;
mod values;
pub mod wire;

pub use model::Model;
pub use rng::Rng;
pub use schema::schema;
