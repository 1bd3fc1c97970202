//! Apollo's own server for tests.
