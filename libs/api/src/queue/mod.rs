//! What travels over the broker (`mailfleet.queue.v1`): to bytes and back.
//!
//! Gateways and workers of neighbouring versions read each other, so three answers are
//! kept apart: what could be read; what is well-formed but says something that this build
//! does not know (its sender is newer); and what is no such message at all. Lists that
//! have a harmless value take it for what they do not know; the others say so.
//! Bytes are taken as hostile: bounded, and refused rather than guessed.

mod control;
mod leg;
mod news;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{GroupId, GroupKey, LegId, Live, ShardIndex};
use prost::Message;
use uuid::Uuid;

use crate::event;
use crate::generated::queue::v1 as wire;

pub use control::{control_from_bytes, control_to_bytes};
pub use leg::{UNKNOWN_VERSION, leg_from_bytes, leg_to_bytes};
pub use news::{news_from_bytes, news_to_bytes};

/// The version of the format that this build writes, and the greatest that it reads.
const VERSION: u32 = 1;

/// Longest message, in bytes: a payload of 1 MiB and what stands around it.
pub const MAX_MESSAGE: usize = 1024 * 1024 + 64 * 1024;

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Read<T> {
    /// The message.
    Known(T),
    /// A message of a newer version, or of a kind that this build does not know.
    UnknownKind,
}

/// The bytes are no message of the kind that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read: {what}")]
pub struct Unreadable {
    /// What is wrong, without any of its bytes.
    pub what: &'static str,
}

/// A live event, to bytes.
#[must_use]
pub fn live_to_bytes(live: &Live) -> Vec<u8> {
    let event = Some(crate::v1::StepEvent::from(&live.event));
    wire::Live { version: VERSION, leg: Some(leg_id(live.leg)), event }.encode_to_vec()
}

/// A live event, from bytes.
pub fn live_from_bytes(bytes: &[u8]) -> Result<Read<Live>, Unreadable> {
    let live: wire::Live = decode(bytes)?;
    let leg = to_leg_id(live.leg)?;
    let event = live.event.filter(|_| live.version <= VERSION).and_then(event::from_wire);
    Ok(event.map_or(Read::UnknownKind, |event| Read::Known(Live { leg, event })))
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Unreadable> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Unreadable { what: "it is too long" });
    }
    M::decode(bytes).map_err(|_| Unreadable { what: "it is not of this protobuf type" })
}

fn leg_id(id: LegId) -> wire::LegId {
    wire::LegId { job: job(id.job), index: u32::from(id.index) }
}

fn to_leg_id(id: Option<wire::LegId>) -> Result<LegId, Unreadable> {
    let id = id.ok_or(Unreadable { what: "it names no leg" })?;
    let index = u8::try_from(id.index).map_err(|_| Unreadable { what: "the leg's place" })?;
    Ok(LegId { job: to_job(&id.job)?, index })
}

fn job(id: JobId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

fn to_job(bytes: &[u8]) -> Result<JobId, Unreadable> {
    Uuid::from_slice(bytes).map(JobId).map_err(|_| Unreadable { what: "the job's id" })
}

fn group(group: &GroupId) -> wire::GroupId {
    wire::GroupId { zone: group.zone.to_string(), key: group.key.to_string() }
}

fn to_group(group: Option<wire::GroupId>) -> Result<GroupId, Unreadable> {
    let group = group.ok_or(Unreadable { what: "it names no group" })?;
    Ok(GroupId { zone: name(&group.zone, "the zone's name")?, key: key(group.key)? })
}

fn key(text: String) -> Result<GroupKey, Unreadable> {
    GroupKey::new(text).map_err(|_| Unreadable { what: "the group's key" })
}

fn shard(number: u32) -> Result<ShardIndex, Unreadable> {
    u16::try_from(number).map(ShardIndex).map_err(|_| Unreadable { what: "the shard" })
}

fn name<T: FromStr>(text: &str, what: &'static str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| Unreadable { what })
}
