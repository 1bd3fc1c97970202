//! JSON → wire, case by case.

mod any;
mod enums;
mod fields;
mod limits;
mod maps;
mod numbers;
mod parameters;
mod schema;
mod strings;
mod support;
mod syntax;
mod unknown;
mod well_known;
