//! The protobuf API, and its conversions from and to the model.
//!
//! Apart from everything else because a wire format is a promise: the model can change
//! without changing it by accident, and nobody else needs prost. Conversions are written by
//! hand. This crate never judges a report and never talks to anybody.
//!
//! * [`v1`]: the generated messages, client and server of `mailfleet.v1`.
//! * [`request`]: a `ValidateRequest` becomes a checked [`mailfleet_model::Validation`].
//! * [`job`]: jobs of the store become `Job`s, and lists their filters.
//! * [`batch`]: batches and their items, as callers see them and ask for them.
//! * [`notice`]: what other services are told, as [`events`] has it.
//! * [`fleet`]: workers and limit groups, as operators see and set them.
//! * [`order`]: what stands in the store's and the broker's payloads, both ways.
//! * [`report`] and [`event`]: reports and live events, both ways.
//! * [`queue`]: what travels over the broker, to bytes and back.
//! * [`json`]: canonical protobuf-JSON, one document a line.

pub mod batch;
mod code;
mod endpoint;
mod enums;
pub mod event;
mod evidence;
mod fault;
pub mod fleet;
mod generated;
pub mod job;
pub mod json;
mod leg;
pub mod notice;
pub mod order;
pub mod queue;
mod redact;
pub mod report;
pub mod request;
mod suggestion;
mod tls;
mod when;

pub use generated::{FILE_DESCRIPTOR_SET, events, v1};

#[cfg(test)]
mod fixtures;
