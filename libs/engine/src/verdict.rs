//! The verdict, and the order in which faults are told.
//!
//! Written once, here. A mailbox is `FAULTY` only if somebody other than us must act;
//! what is temporary or ours makes it `INCONCLUSIVE`, since trying again may show that
//! nothing is wrong with it.

use std::cmp::Reverse;

use mailfleet_model::fleet::LegSummary;
use mailfleet_model::{Actor, Fault, LegReport, StepOutcome, Verdict};

/// Judges a job by its faults and by whether every leg came to its end.
#[must_use]
pub fn verdict(faults: &[Fault], legs: &[LegReport]) -> Verdict {
    let mut blocking = faults.iter().filter(|fault| fault.is_blocking()).peekable();
    if blocking.peek().is_none() {
        let unfinished = legs
            .iter()
            .any(|leg| leg.steps.iter().any(|step| step.outcome == StepOutcome::Cancelled));
        return if unfinished { Verdict::Inconclusive } else { Verdict::Healthy };
    }
    if blocking.any(somebody_must_act) { Verdict::Faulty } else { Verdict::Inconclusive }
}

/// Puts the faults in the order of their weight, the headline first: blocking before
/// warnings, what somebody must act on before what may pass, the furthest phase, the
/// surest. Equals keep the order in which they were found.
pub fn order(faults: &mut [Fault]) {
    faults.sort_by_key(|fault| {
        Reverse((fault.severity, somebody_must_act(fault), fault.phase, fault.confidence))
    });
}

/// What the collector needs to know of a leg's report. Its code is the blocking fault that
/// would be the leg's headline.
#[must_use]
pub fn summary(report: &LegReport) -> LegSummary {
    let blocking = report.faults.iter().filter(|fault| fault.is_blocking());
    // The first of equals, as the order has it: `max_by_key` would take the last.
    let headline = blocking
        .rev()
        .max_by_key(|fault| (somebody_must_act(fault), fault.phase, fault.confidence));
    LegSummary {
        code: headline.map(|fault| fault.code),
        retry: headline.map(|fault| fault.retry),
        login: report.login,
        submission: report.submission,
    }
}

/// Whether the fault stays until somebody other than us changes something.
fn somebody_must_act(fault: &Fault) -> bool {
    fault.actor != Actor::Us && !fault.retry.is_temporary()
}

#[cfg(test)]
mod tests {
    use mailfleet_model::{Confidence, FaultCode, Leg, Phase};

    use super::*;

    fn faults(codes: &[FaultCode]) -> Vec<Fault> {
        codes.iter().map(|code| Fault::new(*code, Leg::Imap)).collect()
    }

    #[test]
    fn the_verdict_follows_from_the_blocking_faults() {
        use FaultCode as C;
        let cases: [(&[FaultCode], Verdict); 9] = [
            (&[], Verdict::Healthy),
            (&[C::TlsCertExpiresSoon, C::Ipv6Broken], Verdict::Healthy),
            (&[C::AuthInvalidCredentials], Verdict::Faulty),
            (&[C::AuthTemporaryFailure], Verdict::Inconclusive),
            (&[C::AuthTemporaryFailure, C::AuthInvalidCredentials], Verdict::Faulty),
            (&[C::EgressReputation], Verdict::Inconclusive),
            (&[C::SubmissionOutcomeUnknown], Verdict::Inconclusive),
            (&[C::TestMailNotReceived], Verdict::Inconclusive),
            (&[C::AuthInvalidCredentials, C::LegNotTried], Verdict::Faulty),
        ];
        for (codes, expect) in cases {
            assert_eq!(verdict(&faults(codes), &[]), expect, "{codes:?}");
        }
    }

    #[test]
    fn the_headline_is_the_blocking_fault_of_the_furthest_phase() {
        use FaultCode as C;
        let cases: [(&[FaultCode], FaultCode); 5] = [
            (&[C::ConnectRefused, C::AuthInvalidCredentials], C::AuthInvalidCredentials),
            (&[C::TlsCertExpiresSoon, C::HostNotFound], C::HostNotFound),
            (
                &[C::ServerSoftwareUnsupported, C::ConnectionClosedEarly],
                C::ServerSoftwareUnsupported,
            ),
            (&[C::AuthTemporaryFailure, C::ConnectRefused], C::ConnectRefused),
            (&[C::TlsCertExpired, C::TlsCertNameMismatch], C::TlsCertExpired),
        ];
        for (codes, expect) in cases {
            let mut faults = faults(codes);
            order(&mut faults);
            assert_eq!(faults.first().map(|f| f.code), Some(expect), "{codes:?}");
        }
    }

    #[test]
    fn among_equals_the_surest_comes_first() {
        let doubtful = Fault::new(FaultCode::AuthInvalidCredentials, Leg::Smtp)
            .but_maybe(Confidence::Ambiguous, [FaultCode::AuthAppPasswordRequired]);
        let sure = Fault::new(FaultCode::AuthPasswordExpired, Leg::Imap).at(Phase::Auth);
        let mut faults = vec![doubtful, sure];
        order(&mut faults);
        assert_eq!(faults[0].code, FaultCode::AuthPasswordExpired);
    }

    #[test]
    fn a_legs_summary_names_what_would_be_its_headline() {
        use FaultCode as C;
        let endpoint = mailfleet_model::Endpoint::parse(mailfleet_model::Protocol::Imap, "h.test");
        let mut report = LegReport::begin(
            Leg::Imap,
            endpoint.expect("an endpoint"),
            std::time::SystemTime::UNIX_EPOCH,
        );
        assert_eq!(summary(&report).code, None);
        report.faults = faults(&[C::TlsCertExpiresSoon, C::ConnectTimeout, C::TlsCertExpired]);
        assert_eq!(summary(&report).code, Some(C::TlsCertExpired));
        let mut ordered = report.faults.clone();
        order(&mut ordered);
        assert_eq!(ordered.first().map(|fault| fault.code), Some(C::TlsCertExpired));
    }
}
