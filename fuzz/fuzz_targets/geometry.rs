//! Feeds `entries::geometry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::geometry(bytes));
