//! Joins the legs of a job into its report.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use mailfleet_model::{Fault, JobId, LegReport, Outline, Report, SentCopy, Suggestion, TraceId};

use crate::{across, verdict};

/// What the report says about the job itself.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// When it began.
    pub started: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// Where to follow it.
    pub trace_id: Option<TraceId>,
}

/// Joins the legs, compares them, orders the faults and judges.
#[must_use]
pub fn join(job: Job, outline: &Outline, mut legs: Vec<LegReport>) -> Report {
    let mut faults: Vec<Fault> = Vec::new();
    let mut suggestions: Vec<Suggestion> = Vec::new();
    for leg in &mut legs {
        faults.append(&mut leg.faults);
        for suggestion in std::mem::take(&mut leg.suggestions) {
            if !suggestions.contains(&suggestion) {
                suggestions.push(suggestion);
            }
        }
    }
    across::compare(outline, &legs, &mut faults);
    verdict::order(&mut faults);
    let verdict = verdict::verdict(&faults, &legs);
    let arrival = legs.iter().find_map(|leg| leg.arrival.clone());
    Report {
        job_id: job.id,
        mailbox: outline.mailbox.clone(),
        verdict,
        faults,
        sent_copy: sent_copy(&legs),
        arrival,
        egress_addresses: egress_addresses(&outline.egress, &legs),
        legs,
        suggestions,
        started: job.started,
        elapsed: job.elapsed,
        trace_id: job.trace_id,
    }
}

/// A missing copy means something only where the mail itself was found.
fn sent_copy(legs: &[LegReport]) -> SentCopy {
    let arrival = legs.iter().find_map(|leg| leg.arrival.as_ref());
    match arrival.map(|found| (found.sent_copy, found.found.is_some())) {
        Some((Some(true), _)) => SentCopy::Saved,
        Some((Some(false), true)) => SentCopy::NotSaved,
        Some((Some(false) | None, _)) | None => SentCopy::Unknown,
    }
}

/// What to allow-list: the pool, or else the addresses that were really used.
fn egress_addresses(pool: &[IpAddr], legs: &[LegReport]) -> Vec<IpAddr> {
    if !pool.is_empty() {
        return pool.to_vec();
    }
    let mut used: Vec<IpAddr> = legs.iter().filter_map(|leg| leg.egress_ip).collect();
    used.sort_unstable();
    used.dedup();
    used
}

#[cfg(test)]
mod tests {
    use mailfleet_model::leg::{Arrival, FolderRole};
    use mailfleet_model::{Endpoint, Leg, Protocol};

    use super::*;

    fn leg_with(arrival: Option<Arrival>, egress: Option<&str>) -> LegReport {
        let endpoint = Endpoint::parse(Protocol::Imap, "h.test").expect("an endpoint");
        let mut report = LegReport::begin(Leg::Roundtrip, endpoint, SystemTime::UNIX_EPOCH);
        report.arrival = arrival;
        report.egress_ip = egress.map(|ip| ip.parse().expect("an address"));
        report
    }

    #[test]
    fn a_missing_sent_copy_counts_only_when_the_mail_arrived() {
        let found = Some(("INBOX".to_owned(), FolderRole::Inbox));
        let cases = [
            (Some(true), None, SentCopy::Saved),
            (Some(false), found.clone(), SentCopy::NotSaved),
            (Some(false), None, SentCopy::Unknown),
            (None, found, SentCopy::Unknown),
        ];
        for (copy, found, expect) in cases {
            let arrival = Arrival { found, after: None, sent_copy: copy };
            assert_eq!(sent_copy(&[leg_with(Some(arrival), None)]), expect, "{copy:?}");
        }
        assert_eq!(sent_copy(&[]), SentCopy::Unknown);
    }

    #[test]
    fn the_pool_is_what_to_allow_and_else_what_was_used() {
        let legs = [leg_with(None, Some("192.0.2.9")), leg_with(None, Some("192.0.2.9"))];
        let pool: IpAddr = "203.0.113.5".parse().expect("an address");
        assert_eq!(egress_addresses(&[pool], &legs), [pool]);
        assert_eq!(egress_addresses(&[], &legs).len(), 1);
    }
}
