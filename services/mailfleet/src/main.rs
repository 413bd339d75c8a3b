//! The `mailfleet` command.
fn main() {}
