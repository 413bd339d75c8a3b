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

/// Most live events of one message.
pub const MOST_LIVE: usize = 256;

/// Live events for one gateway, in their order, to bytes: the first [`MOST_LIVE`] of them.
#[must_use]
pub fn live_to_bytes(first: &Live, more: &[Live]) -> Vec<u8> {
    let more = more.iter().take(MOST_LIVE - 1).map(live_to_wire).collect();
    wire::Live { more, ..live_to_wire(first) }.encode_to_vec()
}

fn live_to_wire(live: &Live) -> wire::Live {
    let event = Some(crate::v1::StepEvent::from(&live.event));
    wire::Live { version: VERSION, leg: Some(leg_id(live.leg)), event, more: Vec::new() }
}

/// Live events, from bytes. Those that this build does not know are left out.
pub fn live_from_bytes(bytes: &[u8]) -> Result<Vec<Live>, Unreadable> {
    let mut first: wire::Live = decode(bytes)?;
    let more = std::mem::take(&mut first.more);
    let all = std::iter::once(first).chain(more.into_iter().take(MOST_LIVE - 1));
    let mut events = Vec::new();
    for live in all {
        let leg = to_leg_id(live.leg)?;
        let event = live.event.filter(|_| live.version <= VERSION).and_then(event::from_wire);
        events.extend(event.map(|event| Live { leg, event }));
    }
    Ok(events)
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
