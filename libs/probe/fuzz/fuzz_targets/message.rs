//! Feeds the target `message` of `mailfleet_probe::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mailfleet_probe::fuzz::target("message")(bytes));
