//! The queue port of the fleet, and the brokers behind it.
//!
//! Apart because it is the only crate that may know a broker. It carries messages and
//! keeps the promises of the port (`mailfleet_model::fleet`): one consumer a shard,
//! redelivery after a claim has ended, confirmed publications, bounded buffers. It never
//! decides what becomes of a message. Every broker passes the same conformance suite
//! (`tests/it/conformance`).
//!
//! * [`InProcess`]: for one process that is gateway and worker at once.
//! * [`RabbitMq`]: for gateways and workers that are processes of their own.

mod in_process;
mod rabbit;
mod topology;

pub use in_process::InProcessWorker;
pub use in_process::{InProcess, InProcessClaim, InProcessGateway, InProcessLink, InProcessNews};
pub use rabbit::{
    InvalidUrl, RabbitClaim, RabbitConfig, RabbitGateway, RabbitLink, RabbitMq, RabbitNews,
    RabbitWorker, Redriven,
};
pub use topology::Topology;
