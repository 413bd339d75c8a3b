//! Legs on their way to an owner.
//!
//! A leg that this build does not understand is not set aside: whoever can read whose it
//! is gives it back, with the kind [`UNKNOWN_VERSION`], and a newer worker will run it.

use std::time::Duration;

use mailfleet_model::fleet::{
    Dispatch, JobClass, LegMessage, LoginTag, MailboxTag, Payload, StartRule, StoreWait,
};
use prost::Message;

use super::{Unreadable, VERSION, decode, group, leg_id, name, shard, to_group, to_leg_id};
use crate::generated::queue::v1 as wire;
use crate::when;

/// The kind that a leg of a newer version gets, so that its owner returns it. No build
/// runs a kind of this name.
pub const UNKNOWN_VERSION: &str = "unknown-version";

/// Longest `traceparent`, in bytes. W3C Trace Context, section 3.2: version 00 has 55; a
/// later one may be longer.
const MAX_TRACEPARENT: usize = 128;

/// A leg, to bytes. Its `traceparent` is not among them: it is a header.
#[must_use]
pub fn leg_to_bytes(leg: &LegMessage) -> Vec<u8> {
    let start = match leg.start {
        StartRule::Free => wire::leg::StartRule::Free,
        StartRule::Ask => wire::leg::StartRule::Ask,
    };
    let class = match leg.class {
        JobClass::Interactive => wire::leg::Class::Interactive,
        JobClass::Revalidation => wire::leg::Class::Revalidation,
        JobClass::Sync => wire::leg::Class::Sync,
    };
    let message = wire::Leg {
        version: VERSION,
        leg: Some(leg_id(leg.leg)),
        dispatch: leg.dispatch.0,
        start: start.into(),
        class: class.into(),
        kind: leg.kind.to_string(),
        group: Some(group(&leg.group)),
        shard: u32::from(leg.shard.0),
        pool: leg.pool.to_string(),
        mailbox_tag: leg.mailbox.0.to_vec(),
        login_tag: leg.login.0.to_vec(),
        cap: Some(when::duration(leg.cap)),
        live_to: leg.live_to.as_ref().map(ToString::to_string).unwrap_or_default(),
        payload: leg.payload.0.clone(),
        waited: told(leg.waited.whole),
        waited_for_window: told(leg.waited.window),
        waited_while_paused: told(leg.waited.paused),
    };
    message.encode_to_vec()
}

/// A leg, from bytes and the header that came with them. A `traceparent` that is too long
/// or not printable is left out: it is not worth a leg.
pub fn leg_from_bytes(bytes: &[u8], traceparent: Option<&[u8]>) -> Result<LegMessage, Unreadable> {
    let leg: wire::Leg = decode(bytes)?;
    let kind = if leg.version > VERSION { UNKNOWN_VERSION } else { &leg.kind };
    let start = match wire::leg::StartRule::try_from(leg.start) {
        Ok(wire::leg::StartRule::Free) => StartRule::Free,
        Ok(wire::leg::StartRule::Ask | wire::leg::StartRule::Unspecified) | Err(_) => {
            StartRule::Ask
        }
    };
    let class = match wire::leg::Class::try_from(leg.class) {
        Ok(wire::leg::Class::Interactive) => JobClass::Interactive,
        Ok(wire::leg::Class::Revalidation) => JobClass::Revalidation,
        Ok(wire::leg::Class::Sync | wire::leg::Class::Unspecified) | Err(_) => JobClass::Sync,
    };
    let live_to = Some(leg.live_to.as_str()).filter(|name| !name.is_empty());
    Ok(LegMessage {
        leg: to_leg_id(leg.leg)?,
        dispatch: Dispatch(leg.dispatch),
        start,
        class,
        kind: name(kind, "the leg's kind")?,
        group: to_group(leg.group)?,
        shard: shard(leg.shard)?,
        pool: name(&leg.pool, "the pool's name")?,
        mailbox: MailboxTag(tag(&leg.mailbox_tag)?),
        login: LoginTag(tag(&leg.login_tag)?),
        cap: cap(leg.cap)?,
        waited: StoreWait {
            whole: wait(leg.waited),
            window: wait(leg.waited_for_window),
            paused: wait(leg.waited_while_paused),
        },
        live_to: live_to.map(|text| name(text, "the gateway's name")).transpose()?,
        traceparent: traceparent.and_then(printable),
        payload: Payload(leg.payload),
    })
}

fn tag(bytes: &[u8]) -> Result<[u8; 32], Unreadable> {
    bytes.try_into().map_err(|_| Unreadable { what: "a fingerprint" })
}

fn cap(cap: Option<prost_types::Duration>) -> Result<Duration, Unreadable> {
    cap.and_then(when::to_duration).ok_or(Unreadable { what: "the longest run" })
}

/// No wait is not told.
fn told(wait: Duration) -> Option<prost_types::Duration> {
    (!wait.is_zero()).then(|| when::duration(wait))
}

/// What makes no sense is no wait: it is not worth a leg.
fn wait(wait: Option<prost_types::Duration>) -> Duration {
    wait.and_then(when::to_duration).unwrap_or_default()
}

pub(super) fn printable(header: &[u8]) -> Option<String> {
    let text = str::from_utf8(header).ok()?;
    let good = text.len() <= MAX_TRACEPARENT && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| text.to_owned())
}
