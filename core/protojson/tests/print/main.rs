//! Wire → JSON and wire → wire, by what the wire holds.

mod any;
mod extensions;
mod field;
mod hostile;
mod lists;
mod maps;
mod messages;
mod oneofs;
mod options;
mod oracle;
mod order;
mod pick;
mod reencode;
mod round_trip;
mod scalars;
mod strings;
mod support;
mod well_known;
