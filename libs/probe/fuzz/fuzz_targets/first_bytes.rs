//! Feeds the target `first_bytes` of `mailfleet_probe::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mailfleet_probe::fuzz::target("first_bytes")(bytes));
