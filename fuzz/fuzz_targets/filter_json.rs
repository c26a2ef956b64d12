//! Feeds `entries::filter_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::filter_json(bytes));
