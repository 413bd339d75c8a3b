//! SASL: which login mechanism is used, and what goes over the wire for it.
//!
//! Apart from the protocols, which only differ in how they frame a challenge. It does no
//! I/O, and it never lets one leg submit a credential twice: a wrong password must cost
//! one failed login and not three. Frame: RFC 4422; SMTP RFC 4954, IMAP RFC 9051
//! section 6.2.2, POP3 RFC 5034.

mod exchange;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod mechanism;
mod scram;

pub(crate) use exchange::{Exchange, Refused};
pub(crate) use mechanism::{Mechanism, Offer, Protection, Unusable, choose};
