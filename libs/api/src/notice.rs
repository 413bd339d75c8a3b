//! Notices on the wire: what other services are told, over the stream and over the broker.

use mailfleet_model::fleet::{BatchTurned, JobEnded, Notice, Subject};
use mailfleet_model::{TraceId, Violations};
use prost::Message as _;

use crate::events::v1::{self as wire, event};
use crate::{batch, enums, job, v1};

/// The version of the message that this build writes.
const VERSION: u32 = 1;

/// The name of the message, as a broker's message says what it is.
pub const EVENT: &str = "mailfleet.events.v1.Event";

/// A notice as other services get it.
#[must_use]
pub fn event(notice: &Notice) -> wire::Event {
    let trace = notice.traceparent.as_deref().and_then(|text| text.split('-').nth(1));
    let trace = trace.and_then(|id| id.parse::<TraceId>().ok());
    wire::Event {
        version: VERSION,
        id: notice.id.0.to_string(),
        sequence: notice.serial,
        event_time: Some(job::timestamp(notice.at)),
        tenant: notice.tenant.to_string(),
        trace_id: trace.map(|id| id.to_string()).unwrap_or_default(),
        subject: Some(match &notice.subject {
            Subject::Job(ended) => event::Subject::Job(job_ended(ended)),
            Subject::Batch(turned) => event::Subject::Batch(batch_turned(turned)),
        }),
    }
}

fn job_ended(ended: &JobEnded) -> wire::JobEnded {
    wire::JobEnded {
        job: job::name(ended.job),
        batch: ended.batch.map(batch::name).unwrap_or_default(),
        job_class: enums::number(ended.class),
        state: enums::number(ended.state),
        verdict: ended.verdict.map(enums::number).unwrap_or_default(),
        code: ended.code.map(enums::number).unwrap_or_default(),
        create_time: Some(job::timestamp(ended.created)),
    }
}

fn batch_turned(turned: &BatchTurned) -> wire::BatchTurned {
    wire::BatchTurned {
        batch: batch::name(turned.batch),
        state: enums::number(turned.state),
        pause_cause: turned.pause.map(enums::number).unwrap_or_default(),
    }
}

/// A notice in the bytes of its message. Its `traceparent` is not among them: it is a header.
#[must_use]
pub fn to_bytes(notice: &Notice) -> Vec<u8> {
    event(notice).encode_to_vec()
}

/// Some notices of a stream, and where to go on.
#[must_use]
pub fn answer(notices: &[Notice], next: u64) -> v1::WatchEventsResponse {
    let events = notices.iter().map(event).collect();
    v1::WatchEventsResponse { events, resume_token: resume_token(next) }
}

fn resume_token(serial: u64) -> String {
    job::watch_token(serial)
}

/// Where a stream of notices begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Behind this place.
    After(u64),
    /// With what happens from now on.
    Now,
    /// With the oldest one that is kept.
    Oldest,
}

/// Reads where a stream is to begin.
///
/// # Errors
/// All bad fields at once.
pub fn beginning(request: &v1::WatchEventsRequest) -> Result<Beginning, Violations> {
    use v1::watch_events_request::Start;
    let mut bad = Violations::default();
    let token = job::read_token("resume_token", &request.resume_token, &mut bad);
    let start = Start::try_from(request.start).map_err(|_| "holds a value that is not known");
    let start = bad.check("start", start);
    let (Some(token), Some(start)) = (token, start) else { return Err(bad) };
    Ok(match (token, start) {
        (Some(serial), _) => Beginning::After(serial),
        (None, Start::Oldest) => Beginning::Oldest,
        (None, Start::Now | Start::Unspecified) => Beginning::Now,
    })
}

#[cfg(test)]
mod tests {
    use mailfleet_model::fleet::{
        BatchId, BatchState, JobClass, JobState, NoticeId, PauseCause, Timestamp,
    };
    use mailfleet_model::{FaultCode, JobId, Verdict};
    use uuid::Uuid;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn notice(subject: Subject) -> Notice {
        Notice {
            id: NoticeId(Uuid::from_u128(7)),
            serial: 26,
            at: Timestamp(1_763_784_000_123_456),
            tenant: "crm".parse().expect("a name"),
            traceparent: Some(format!("00-{TRACE}-00f067aa0ba902b7-01")),
            subject,
        }
    }

    #[test]
    fn the_end_of_a_job_is_told_in_names_and_numbers() {
        let (job, batch) = (JobId(Uuid::from_u128(1)), BatchId(Uuid::from_u128(2)));
        let notice = notice(Subject::Job(JobEnded {
            job,
            class: JobClass::Revalidation,
            state: JobState::Done,
            verdict: Some(Verdict::Faulty),
            code: Some(FaultCode::TlsCertExpired),
            batch: Some(batch),
            created: Timestamp(1_763_784_000_000_000),
        }));
        let event = wire::Event::decode(to_bytes(&notice).as_slice()).expect("its own bytes");
        assert_eq!((event.version, event.sequence, event.tenant.as_str()), (1, 26, "crm"));
        assert_eq!((event.id.parse().ok(), event.trace_id.as_str()), (Some(notice.id.0), TRACE));
        let Some(event::Subject::Job(ended)) = event.subject else { panic!("{event:?}") };
        assert_eq!(ended.code(), v1::fault::Code::TlsCertExpired);
        assert_eq!((ended.job, ended.batch), (job::name(job), batch::name(batch)));
        assert_eq!((ended.verdict, ended.state), (2, 2));
    }

    #[test]
    fn a_paused_batch_says_who_paused_it() {
        let turned = BatchTurned {
            batch: BatchId(Uuid::from_u128(2)),
            state: BatchState::Paused,
            pause: Some(PauseCause::Guard),
        };
        let Some(event::Subject::Batch(told)) = event(&notice(Subject::Batch(turned))).subject
        else {
            panic!("it is about a batch")
        };
        assert_eq!(told.state(), v1::batch::State::Paused);
        assert_eq!(told.pause_cause(), v1::batch_pause::Cause::Guard);
    }

    #[test]
    fn a_stream_begins_behind_its_token_or_as_it_was_asked_to() {
        let ask = |resume_token: &str, start| {
            let resume_token = resume_token.to_owned();
            beginning(&v1::WatchEventsRequest { resume_token, start }).ok()
        };
        assert_eq!(ask("", 0), Some(Beginning::Now));
        assert_eq!(ask("", 1), Some(Beginning::Now));
        assert_eq!(ask("", 2), Some(Beginning::Oldest));
        assert_eq!(ask(&resume_token(77), 2), Some(Beginning::After(77)));
        assert_eq!(ask("77", 0), None);
        assert_eq!(ask("", 9), None);
    }
}
