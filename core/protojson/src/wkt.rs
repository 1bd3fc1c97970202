//! The texts that stand for well-known messages, without any JSON around them.

pub(crate) mod base64;
pub(crate) mod mask;
pub(crate) mod time;
