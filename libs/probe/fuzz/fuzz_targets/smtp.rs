//! Feeds the target `smtp` of `mailfleet_probe::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mailfleet_probe::fuzz::target("smtp")(bytes));
