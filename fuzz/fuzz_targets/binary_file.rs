//! Feeds `entries::binary_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // Some libraries panic on damaged files, and the readers catch that; the hook of the fuzzer would end the program.
    init: std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))),
    |bytes: &[u8]| entries::binary_file(bytes)
);
