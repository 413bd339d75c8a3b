//! The vault: credentials at rest and in queues, readable by workers only.
//!
//! A gateway seals a credential to a public key at once, for one use: tenant,
//! mailbox, server, certificate policy. A worker opens it with the private key,
//! for the same use and no other. Apart from `model`, since only this crate may
//! touch cryptography for secrets at rest.
//!
//! It never logs, never reads a clock, and knows neither store nor broker.
//! HPKE: RFC 9180, base mode.

mod binding;
mod error;
mod fields;
mod key;
mod payload;
pub mod ring;
mod seal;
mod sealed;
mod suite;
mod tag;

pub use binding::{Binding, Purpose};
pub use error::Error;
pub use key::{InvalidKeyId, KeyId, KeyInfo};
pub use ring::{KeyRing, PublicRing};
pub use sealed::Sealed;
