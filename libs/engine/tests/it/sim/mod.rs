//! A simulated fleet around the real engine.
//!
//! Gateways, workers, broker, store and mail servers are models that only carry out what
//! the engine decides; time is a number, and every chance comes from one seed. A history
//! is a list of jobs and faults; running it again gives the same run.

pub(crate) mod batches;
pub(crate) mod broker;
pub(crate) mod event;
pub(crate) mod faults;
pub(crate) mod feeding;
pub(crate) mod gateway;
pub(crate) mod history;
pub(crate) mod mail;
pub(crate) mod mutation;
pub(crate) mod random;
pub(crate) mod shrink;
pub(crate) mod store;
pub(crate) mod worker;
pub(crate) mod world;
