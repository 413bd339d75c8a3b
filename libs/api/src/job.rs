//! Jobs on the wire: rows of the store become `Job`s, and requests become filters.
//!
//! The report is handed in, since whoever knows the reader's language adds the remedies.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use mailfleet_model::fleet::{
    JobFilter, JobRecord, JobState, LegRecord, Payload, Timestamp, WorkerId,
};
use mailfleet_model::{
    EmailAddress, Endpoint, FaultCode, JobId, Leg, TraceId, Verdict, Violations,
};

use crate::enums::{self, Mirror};
use crate::order::{self, LegOrder};
use crate::{code, endpoint, v1, when};

/// Begins the name of every job.
const COLLECTION: &str = "jobs/";
/// Jobs on a page if the caller says nothing, and at most.
const PAGE: (u32, u32) = (50, 200);

/// The name of a job: `jobs/` and its id.
#[must_use]
pub fn name(job: JobId) -> String {
    format!("{COLLECTION}{job}")
}

/// Reads the name of a job.
///
/// # Errors
/// One violation of the field `name`.
pub fn parse_name(name: &str) -> Result<JobId, Violations> {
    let mut bad = Violations::default();
    let id = name.strip_prefix(COLLECTION).and_then(|id| id.parse().ok());
    bad.check("name", id.ok_or("is not jobs/ and a UUID")).ok_or(bad)
}

/// The token of a version.
#[must_use]
pub fn watch_token(version: u64) -> String {
    format!("{version:016x}")
}

/// Reads the token of a version; `None` for an empty one.
///
/// # Errors
/// One violation of the field `watch_token`.
pub fn parse_watch_token(token: &str) -> Result<Option<u64>, Violations> {
    let mut bad = Violations::default();
    read_token("watch_token", token, &mut bad).ok_or(bad)
}

/// Reads a token of this form in any field; `Some(None)` for an empty one, and `None` after
/// saying what is wrong with it.
pub(crate) fn read_token(field: &str, token: &str, bad: &mut Violations) -> Option<Option<u64>> {
    if token.is_empty() {
        return Some(None);
    }
    // The integer parser would take a sign.
    let is_hex = token.len() == 16 && token.bytes().all(|b| b.is_ascii_hexdigit());
    let version = u64::from_str_radix(token, 16).ok().filter(|_| is_hex);
    bad.check(field, version.ok_or("is not a token of this service")).map(Some)
}

/// The job with its legs, and the report if it is to be shown.
#[must_use]
pub fn message(job: &JobRecord, legs: &[LegRecord], report: Option<v1::Report>) -> v1::Job {
    let order = order::outline(&job.payload).ok();
    v1::Job {
        name: name(job.id),
        job_id: job.id.to_string(),
        state: enums::number(job.state),
        job_class: enums::number(job.class),
        mailbox: order.map(|order| order.mailbox.to_string()).unwrap_or_default(),
        create_time: Some(timestamp(job.created)),
        start_time: legs.iter().filter_map(started).min().map(when::timestamp),
        end_time: job.finished.map(timestamp),
        deadline_time: Some(timestamp(job.deadline)),
        verdict: job.verdict.map(enums::number).unwrap_or_default(),
        trace_id: trace_id(job).map(|id| id.to_string()).unwrap_or_default(),
        watch_token: watch_token(job.version),
        legs: legs.iter().filter_map(leg).collect(),
        report,
    }
}

/// The trace that a job belongs to (W3C Trace Context, `traceparent`).
#[must_use]
pub fn trace_id(job: &JobRecord) -> Option<TraceId> {
    job.traceparent.as_deref()?.split('-').nth(1)?.parse().ok()
}

/// The name under which a leg is reported; `None` for one that this build cannot read.
#[must_use]
pub fn leg_kind(leg: &LegRecord) -> Option<Leg> {
    about(leg).map(|(kind, _)| kind)
}

/// What a leg is and where it goes: from its order, or from its report where this build
/// cannot read the order.
fn about(leg: &LegRecord) -> Option<(Leg, Endpoint)> {
    if let Ok(order) = LegOrder::from_payload(&leg.payload) {
        return Some((order.leg(), order.endpoint));
    }
    let report = order::leg_result(&leg.end.as_ref()?.report).ok()?;
    Some((report.leg, report.endpoint))
}

/// Why a leg has not ended yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The reason.
    pub reason: v1::leg_explanation::Reason,
    /// The reason in one sentence for people.
    pub text: String,
    /// How long it waits at least.
    pub wait: Option<Duration>,
    /// Legs that may run at the mail server at once, and those that do.
    pub slots: Option<(u32, u32)>,
    /// The fault of its last run.
    pub code: Option<FaultCode>,
    /// The worker that has it.
    pub worker: Option<WorkerId>,
    /// The source address of a leg that runs.
    pub source: Option<IpAddr>,
}

/// Says why a leg has not ended yet.
#[must_use]
pub fn explanation(leg: &LegRecord, why: Explained) -> v1::LegExplanation {
    v1::LegExplanation {
        leg: enums::number(leg_kind(leg).unwrap_or(Leg::System)),
        reason: why.reason.into(),
        text: why.text,
        since_time: Some(timestamp(leg.since)),
        wait: why.wait.map(when::duration),
        limit_group: leg.group.key.to_string(),
        limit: why.slots.map(|(limit, _)| limit),
        in_use: why.slots.map(|(_, in_use)| in_use),
        code: why.code.map(enums::number).unwrap_or_default(),
        returned: leg
            .returned
            .filter(|_| !leg.state.is_final())
            .map(enums::number)
            .unwrap_or_default(),
        worker: why.worker.map(|worker| format!("workers/{worker}")).unwrap_or_default(),
        egress_ip: why.source.map(|ip| ip.to_string()).unwrap_or_default(),
    }
}

/// Turns a store's time into a message.
#[must_use]
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    when::timestamp(SystemTime::from(time))
}

fn leg(leg: &LegRecord) -> Option<v1::JobLeg> {
    let (kind, endpoint) = about(leg)?;
    let last = leg.end.as_ref().and_then(|end| end.summary.code);
    Some(v1::JobLeg {
        leg: enums::number(kind),
        endpoint: Some(endpoint::to_wire(&endpoint)),
        state: enums::number(leg.state),
        state_time: Some(timestamp(leg.since)),
        due_time: leg.due.map(timestamp),
        attempt: leg.attempt.0,
        releases: leg.dispatch.0,
        code: last.map(enums::number).unwrap_or_default(),
        limit_group: leg.group.key.to_string(),
    })
}

/// When a leg began, if it was run: a leg that nobody ran has no steps.
fn started(leg: &LegRecord) -> Option<SystemTime> {
    let report = order::leg_result(&leg.end.as_ref()?.report).ok()?;
    (!report.steps.is_empty()).then_some(report.started)
}

/// Which jobs a caller wants to see.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// Jobs on a page, from 1 to 200.
    pub page_size: u32,
    /// Where the page begins: after this job.
    pub from: Option<JobId>,
    /// What the store sorts out.
    pub filter: JobFilter,
    /// Only these verdicts; empty: all.
    pub verdicts: Vec<Verdict>,
    /// Only this mailbox.
    pub mailbox: Option<EmailAddress>,
    /// Only jobs with a leg that ended so.
    pub code: Option<FaultCode>,
}

impl Listing {
    /// Whether a job is to be shown as far as its own row tells; the state was the store's.
    #[must_use]
    pub fn wants(&self, job: &JobRecord) -> bool {
        let verdict = self.verdicts.is_empty()
            || job.verdict.is_some_and(|verdict| self.verdicts.contains(&verdict));
        let is_mailbox = |payload: &Payload| {
            let order = order::outline(payload);
            order.is_ok_and(|order| Some(&order.mailbox) == self.mailbox.as_ref())
        };
        verdict && (self.mailbox.is_none() || is_mailbox(&job.payload))
    }

    /// Whether a job's legs are what is looked for.
    #[must_use]
    pub fn wants_legs(&self, legs: &[LegRecord]) -> bool {
        let codes = legs.iter().filter_map(|leg| leg.end.as_ref()?.summary.code);
        self.code.is_none_or(|code| codes.into_iter().any(|found| found == code))
    }
}

/// Reads the request for a list.
///
/// # Errors
/// All bad fields at once.
pub fn listing(request: &v1::ListJobsRequest) -> Result<Listing, Violations> {
    let mut bad = Violations::default();
    let (usual, most) = PAGE;
    let page_size = match u32::try_from(request.page_size) {
        Ok(0) => usual,
        Ok(size) => size.min(most),
        Err(_) => {
            bad.add("page_size", "is less than 0");
            usual
        }
    };
    let from = Some(request.page_token.as_str()).filter(|token| !token.is_empty());
    let from = from.and_then(|token| {
        bad.check("page_token", token.parse().map_err(|_| "is not a token of this service"))
    });
    let mailbox = Some(request.mailbox.as_str()).filter(|text| !text.is_empty());
    let mailbox = mailbox.and_then(|text| bad.check("mailbox", text.parse()));
    let states = known_list::<JobState>("states", &request.states, &mut bad);
    let verdicts = known_list::<Verdict>("verdicts", &request.verdicts, &mut bad);
    let code = code::from_wire_if_set(request.code);
    let filter = JobFilter { states, ..JobFilter::default() };
    let listing = Listing { page_size, from, filter, verdicts, mailbox, code };
    if bad.is_empty() { Ok(listing) } else { Err(bad) }
}

fn known_list<M: Mirror>(field: &str, numbers: &[i32], bad: &mut Violations) -> Vec<M> {
    let values: Vec<Option<M>> = numbers.iter().map(|number| enums::known(*number)).collect();
    if values.iter().any(Option::is_none) {
        bad.add(field, "holds a value that is not known");
    }
    values.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn names_and_tokens_are_read_as_they_are_written() {
        let job = JobId(Uuid::from_u128(9));
        assert_eq!(parse_name(&name(job)).ok(), Some(job));
        for wrong in ["", "jobs/", "jobs/1", "tenants/x/jobs/1", &job.to_string()] {
            assert!(parse_name(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(parse_watch_token(&watch_token(77)).ok(), Some(Some(77)));
        assert_eq!(parse_watch_token("").ok(), Some(None));
        for wrong in ["4d", "zzzzzzzzzzzzzzzz", "+00000000000004d"] {
            assert!(parse_watch_token(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_bad_list_request_names_every_field() {
        let bad = v1::ListJobsRequest {
            page_size: -1,
            page_token: "x".to_owned(),
            mailbox: "nobody".to_owned(),
            states: vec![0],
            verdicts: vec![77],
            ..v1::ListJobsRequest::default()
        };
        let bad = listing(&bad).expect_err("everything is wrong");
        let fields: Vec<&str> = bad.as_slice().iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["page_size", "page_token", "mailbox", "states", "verdicts"]);
    }

    #[test]
    fn pages_have_a_usual_and_a_greatest_size() {
        let size = |page_size| {
            let request = v1::ListJobsRequest { page_size, ..v1::ListJobsRequest::default() };
            listing(&request).expect("a good request").page_size
        };
        assert_eq!([size(0), size(7), size(9_999)], [50, 7, 200]);
    }
}
