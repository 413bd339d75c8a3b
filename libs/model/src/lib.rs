//! The vocabulary of mailfleet: what every other crate means by a word.
//!
//! Plain data and total functions. This crate never does I/O, never reads a
//! clock and never names a wire format: sockets are `probe`'s, protobuf is
//! `api`'s, texts for people are `remedy`'s.

pub mod address;
pub mod endpoint;
pub mod event;
pub mod evidence;
pub mod fault;
pub mod fleet;
pub mod host;
pub mod id;
pub mod leg;
pub mod report;
pub mod secret;
pub mod step;
pub mod suggestion;
mod text;
pub mod tls;
pub mod validation;
pub mod violation;

pub use address::EmailAddress;
pub use endpoint::{Endpoint, Protocol, Security};
pub use event::{LegEvent, LegObserver};
pub use evidence::{Evidence, Fact, FactKind};
pub use fault::{Actor, Confidence, Fault, FaultCode, Phase, Retry, Severity};
pub use host::Host;
pub use id::{JobId, TraceId};
pub use leg::{Leg, LegPlan, LegReport, LegSpec};
pub use report::{Report, SentCopy, Verdict};
pub use secret::{Credential, Login, Secret};
pub use step::{Step, StepKind, StepOutcome};
pub use suggestion::Suggestion;
pub use validation::{LegSettings, Outline, OutlineLeg, TestMail, Validation};
pub use violation::{Violation, Violations};
