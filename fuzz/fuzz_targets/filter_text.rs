//! Feeds `entries::filter_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::filter_text(bytes));
