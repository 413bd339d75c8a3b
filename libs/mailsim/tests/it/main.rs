//! The simulated servers, driven through raw sockets: what they say, byte for byte, and how
//! they misbehave when told to.
#![expect(clippy::unwrap_used, reason = "test code: a failure here is the failure of the test")]

mod client;
mod delivery;
mod dialogues;
mod faults;
mod load;
mod tls;
