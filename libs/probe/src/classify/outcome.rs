//! Says what a fault at the login means for the credential that was submitted.
//!
//! Apart from the classification, since it is a policy of ours: a credential whose
//! refusal is definitive is not tried again by itself, neither by the other leg nor by
//! a later run, so that no account gets locked by us.

use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{Confidence, Fault, FaultCode};

/// Causes in the account or the secret itself: every leg would meet them.
const DEFINITIVE: [FaultCode; 5] = [
    FaultCode::AuthInvalidCredentials,
    FaultCode::AuthAppPasswordRequired,
    FaultCode::AuthWebLoginRequired,
    FaultCode::AuthAccountLocked,
    FaultCode::AuthPasswordExpired,
];

/// The server did not get as far as an answer about the credential.
const UNDECIDED: [FaultCode; 10] = [
    FaultCode::AuthTemporaryFailure,
    FaultCode::TooManyConnections,
    FaultCode::LoginRateLimited,
    FaultCode::LoginDelay,
    FaultCode::ServerThrottled,
    FaultCode::ServerUnavailable,
    FaultCode::ConnectionClosedEarly,
    FaultCode::ProtocolError,
    FaultCode::CheckTimeout,
    FaultCode::Unknown,
];

/// What came of the one submission of a credential that ended in `fault`.
///
/// Definitive means that the same secret cannot succeed before somebody acts on the
/// account or the secret. A refusal whose reason may lie in one protocol, in the
/// address we come from or in the user name is ambiguous: the other leg's answer tells more.
#[must_use]
pub fn login_outcome(fault: &Fault) -> LoginOutcome {
    if fault.retry.is_temporary() || UNDECIDED.contains(&fault.code) {
        LoginOutcome::Undecided
    } else if DEFINITIVE.contains(&fault.code) && fault.confidence != Confidence::Ambiguous {
        LoginOutcome::RefusedDefinitively
    } else {
        LoginOutcome::RefusedAmbiguously
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailfleet_model::Leg;

    #[test]
    fn only_a_known_cause_in_the_account_is_definitive() {
        #[track_caller]
        fn check(code: FaultCode, confidence: Confidence, expect: LoginOutcome) {
            let fault = Fault::new(code, Leg::Imap).but_maybe(confidence, []);
            assert_eq!(login_outcome(&fault), expect, "{code}");
        }
        use Confidence::{Ambiguous, Certain, Likely};
        check(FaultCode::AuthInvalidCredentials, Certain, LoginOutcome::RefusedDefinitively);
        check(FaultCode::AuthInvalidCredentials, Likely, LoginOutcome::RefusedDefinitively);
        check(FaultCode::AuthInvalidCredentials, Ambiguous, LoginOutcome::RefusedAmbiguously);
        check(FaultCode::AuthAccountLocked, Likely, LoginOutcome::RefusedDefinitively);
        check(FaultCode::AuthRejectedUnspecified, Ambiguous, LoginOutcome::RefusedAmbiguously);
        check(FaultCode::ProtocolDisabledForMailbox, Certain, LoginOutcome::RefusedAmbiguously);
        check(FaultCode::AuthTemporaryFailure, Certain, LoginOutcome::Undecided);
        check(FaultCode::LoginRateLimited, Likely, LoginOutcome::Undecided);
    }
}
