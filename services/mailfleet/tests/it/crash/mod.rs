//! `serve` is killed, and its disk fills up, under load: nothing that was accepted is lost.
//!
//! The mail servers live in the test, so their records survive every crash. The judge looks at
//! them and at the gateway's final answers when all is over, and knows nothing of how the
//! gateway works.

mod full;
mod judge;
mod kill;
mod mails;
mod orders;
