//! `h1_reply` of the library.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_fuzz::h1_reply(data));
