//! Control messages.

mod peer;
mod state;

use std::num::NonZeroU32;

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Announcement, Control, Dispatch, GroupLimits, GroupSettings, LastOwner, Rate, StartAnswer,
};
use prost::Message;

use super::{
    Read, Unreadable, VERSION, decode, group, job, leg_id, name, shard, to_group, to_job, to_leg_id,
};
use crate::generated::queue::v1 as wire;
use crate::when;
use wire::control::Kind;

/// Longest version of a program, in bytes.
const MAX_VERSION: usize = 64;
/// Most kinds of legs of one worker.
const MAX_KINDS: usize = 64;

/// A control message, to bytes.
#[must_use]
pub fn control_to_bytes(control: &Control) -> Vec<u8> {
    let kind = match control {
        Control::Announce(news) => Kind::Announcement(announcement(news)),
        Control::Settings(groups) => Kind::Settings(wire::Settings { groups: settings(groups) }),
        Control::SettingsWanted { worker, zone, shard } => {
            Kind::SettingsWanted(wire::SettingsWanted {
                worker: worker.to_string(),
                zone: zone.to_string(),
                shard: u32::from(shard.0),
            })
        }
        Control::Snapshot { zone, shard, default, groups, last_owner } => {
            Kind::Snapshot(wire::Snapshot {
                zone: zone.to_string(),
                shard: u32::from(shard.0),
                default_limits: Some(limits(*default)),
                groups: settings(groups),
                last_owner: owner(*last_owner).into(),
            })
        }
        Control::Start { leg, dispatch, answer } => Kind::Start(wire::StartAnswer {
            leg: Some(leg_id(*leg)),
            dispatch: dispatch.0,
            answer: match answer {
                StartAnswer::Go => wire::start_answer::Answer::Go,
                StartAnswer::Drop => wire::start_answer::Answer::Drop,
            }
            .into(),
        }),
        Control::Cancel(id) => Kind::CancelledJob(job(*id)),
        Control::JobsChanged { jobs, open } => Kind::ChangedJobs(wire::Jobs {
            ids: jobs.iter().copied().map(job).collect(),
            open: open.iter().copied().map(job).collect(),
        }),
        Control::Drain(worker) => Kind::DrainWorker(worker.to_string()),
        Control::Peer { job, side, word } => Kind::Peer(peer::to_wire(*job, *side, *word)),
        Control::StepsWanted { gateway, jobs } => Kind::StepsWanted(wire::StepsWanted {
            gateway: gateway.to_string(),
            jobs: jobs.iter().copied().map(job).collect(),
        }),
        Control::StateWanted { request, group, job: of } => Kind::StateWanted(wire::StateWanted {
            request: *request,
            group: group.as_ref().map(super::group),
            job: of.map(job).unwrap_or_default(),
        }),
        Control::State { request, worker, groups, held } => Kind::State(wire::State {
            request: *request,
            worker: worker.to_string(),
            groups: groups.iter().map(state::to_wire).collect(),
            held: held.as_deref().map(state::held_to_wire),
        }),
    };
    wire::Control { version: VERSION, kind: Some(kind) }.encode_to_vec()
}

/// A control message, from bytes.
pub fn control_from_bytes(bytes: &[u8]) -> Result<Read<Control>, Unreadable> {
    let control: wire::Control = decode(bytes)?;
    let Some(kind) = control.kind.filter(|_| control.version <= VERSION) else {
        return Ok(Read::UnknownKind);
    };
    Ok(Read::Known(match kind {
        Kind::Announcement(news) => Control::Announce(to_announcement(news)?),
        Kind::Settings(settings) => Control::Settings(to_settings(settings.groups)?),
        Kind::SettingsWanted(wanted) => Control::SettingsWanted {
            worker: name(&wanted.worker, "the worker's name")?,
            zone: name(&wanted.zone, "the zone's name")?,
            shard: shard(wanted.shard)?,
        },
        Kind::Snapshot(snapshot) => Control::Snapshot {
            zone: name(&snapshot.zone, "the zone's name")?,
            shard: shard(snapshot.shard)?,
            default: to_limits(snapshot.default_limits)?,
            groups: to_settings(snapshot.groups)?,
            last_owner: to_owner(snapshot.last_owner),
        },
        Kind::Start(start) => {
            let answer = match wire::start_answer::Answer::try_from(start.answer) {
                Ok(wire::start_answer::Answer::Go) => StartAnswer::Go,
                Ok(wire::start_answer::Answer::Drop) => StartAnswer::Drop,
                Ok(wire::start_answer::Answer::Unspecified) | Err(_) => {
                    return Ok(Read::UnknownKind);
                }
            };
            let (leg, dispatch) = (to_leg_id(start.leg)?, Dispatch(start.dispatch));
            Control::Start { leg, dispatch, answer }
        }
        Kind::CancelledJob(id) => Control::Cancel(to_job(&id)?),
        Kind::ChangedJobs(jobs) => {
            Control::JobsChanged { jobs: to_jobs(&jobs.ids)?, open: to_jobs(&jobs.open)? }
        }
        Kind::DrainWorker(worker) => Control::Drain(name(&worker, "the worker's name")?),
        Kind::Peer(message) => match peer::from_wire(message)? {
            Some(control) => control,
            None => return Ok(Read::UnknownKind),
        },
        Kind::StepsWanted(wanted) => Control::StepsWanted {
            gateway: name(&wanted.gateway, "the gateway's name")?,
            jobs: to_jobs(&wanted.jobs)?,
        },
        Kind::StateWanted(wanted) => {
            let group = wanted.group.map(|group| to_group(Some(group))).transpose()?;
            let job = Some(wanted.job).filter(|job| !job.is_empty());
            let job = job.map(|job| to_job(&job)).transpose()?;
            Control::StateWanted { request: wanted.request, group, job }
        }
        Kind::State(told) => Control::State {
            request: told.request,
            worker: name(&told.worker, "the worker's name")?,
            groups: told.groups.into_iter().map(state::from_wire).collect::<Result<_, _>>()?,
            held: told.held.map(state::held_from_wire).transpose()?,
        },
    }))
}

fn to_jobs(ids: &[Vec<u8>]) -> Result<Vec<JobId>, Unreadable> {
    ids.iter().take(Control::MOST_CHANGED).map(|id| to_job(id)).collect()
}

fn announcement(news: &Announcement) -> wire::Announcement {
    wire::Announcement {
        worker: news.worker.to_string(),
        zone: news.zone.to_string(),
        shards: news.shards.iter().map(|shard| u32::from(shard.0)).collect(),
        capacity: news.capacity,
        running: news.running,
        draining: news.draining,
        listening: news.listening,
        version: news.version.clone(),
        haunted: news.haunted.iter().map(|shard| u32::from(shard.0)).collect(),
        kinds: news.kinds.iter().map(ToString::to_string).collect(),
        outgrown: news.outgrown.iter().map(|shard| u32::from(shard.0)).collect(),
    }
}

fn owner(owner: Option<LastOwner>) -> wire::snapshot::LastOwner {
    use wire::snapshot::LastOwner as Wire;
    match owner {
        None => Wire::Unspecified,
        Some(LastOwner::HandedOver) => Wire::HandedOver,
        Some(LastOwner::Heard) => Wire::Heard,
        Some(LastOwner::Silent) => Wire::Silent,
    }
}

fn to_owner(number: i32) -> Option<LastOwner> {
    use wire::snapshot::LastOwner as Wire;
    match Wire::try_from(number) {
        Ok(Wire::HandedOver) => Some(LastOwner::HandedOver),
        Ok(Wire::Heard) => Some(LastOwner::Heard),
        Ok(Wire::Silent) => Some(LastOwner::Silent),
        // Nothing known is the careful reading.
        Ok(Wire::Unspecified) | Err(_) => None,
    }
}

fn to_announcement(news: wire::Announcement) -> Result<Announcement, Unreadable> {
    let good =
        news.version.len() <= MAX_VERSION && news.version.bytes().all(|b| b.is_ascii_graphic());
    if !good {
        return Err(Unreadable { what: "the program's version" });
    }
    let kinds = news.kinds.iter().take(MAX_KINDS).map(|kind| name(kind, "a kind of leg"));
    Ok(Announcement {
        worker: name(&news.worker, "the worker's name")?,
        zone: name(&news.zone, "the zone's name")?,
        shards: news.shards.into_iter().map(shard).collect::<Result<_, _>>()?,
        haunted: news.haunted.into_iter().map(shard).collect::<Result<_, _>>()?,
        capacity: news.capacity,
        running: news.running,
        draining: news.draining,
        listening: news.listening,
        kinds: kinds.collect::<Result<_, _>>()?,
        outgrown: news.outgrown.into_iter().map(shard).collect::<Result<_, _>>()?,
        version: news.version,
    })
}

fn limits(limits: GroupLimits) -> wire::GroupLimits {
    wire::GroupLimits {
        concurrency: limits.concurrency.get(),
        per_source: limits.per_source.map_or(0, NonZeroU32::get),
        rate_logins: limits.rate.map_or(0, |rate| rate.logins.get()),
        rate_period: limits.rate.map(|rate| when::duration(rate.per)),
    }
}

fn to_limits(limits: Option<wire::GroupLimits>) -> Result<GroupLimits, Unreadable> {
    let limits = limits.ok_or(Unreadable { what: "it names no limits" })?;
    let concurrency = NonZeroU32::new(limits.concurrency);
    let rate = NonZeroU32::new(limits.rate_logins).map(|logins| {
        let per = limits.rate_period.and_then(when::to_duration);
        per.map(|per| Rate { logins, per }).ok_or(Unreadable { what: "the period of a rate" })
    });
    Ok(GroupLimits {
        concurrency: concurrency.ok_or(Unreadable { what: "the concurrency" })?,
        per_source: NonZeroU32::new(limits.per_source),
        rate: rate.transpose()?,
    })
}

fn settings(groups: &[GroupSettings]) -> Vec<wire::GroupSettings> {
    let one = |settings: &GroupSettings| wire::GroupSettings {
        group: Some(group(&settings.group)),
        limits: Some(limits(settings.limits)),
        paused: settings.paused,
        version: settings.version,
    };
    groups.iter().map(one).collect()
}

fn to_settings(groups: Vec<wire::GroupSettings>) -> Result<Vec<GroupSettings>, Unreadable> {
    let one = |settings: wire::GroupSettings| {
        Ok(GroupSettings {
            group: to_group(settings.group)?,
            limits: to_limits(settings.limits)?,
            paused: settings.paused,
            version: settings.version,
        })
    };
    groups.into_iter().map(one).collect()
}
