//! The built program against a fleet that runs already (`run --gateway`).
//!
//! The fleet is a `mailfleet serve` with files of its own: the built binary beside this program.
//! Everything on loopback and on free ports; what a test starts ends with it.

#![expect(clippy::print_stderr, reason = "tests tell what they skip")]

mod remote;
mod serve;
