//! Descriptors → tables.
