//! What follows from two legs together and from neither alone.
//!
//! A password that works for IMAP and not for SMTP is not a wrong password. A
//! certificate that is bad on one service only was forgotten there.

use mailfleet_model::leg::LoginOutcome;
use mailfleet_model::{Confidence, FactKind, Fault, FaultCode, Leg, LegReport, Outline, Phase};

/// Adds to the faults what the other legs tell about them.
pub fn compare(outline: &Outline, legs: &[LegReport], faults: &mut [Fault]) {
    for fault in faults.iter_mut() {
        same_login_elsewhere(outline, legs, fault);
        certificate_elsewhere(legs, fault);
        silence_elsewhere(legs, fault);
    }
}

/// The same user and secret was accepted on another leg: so the password is right, and
/// something about this service differs.
fn same_login_elsewhere(outline: &Outline, legs: &[LegReport], fault: &mut Fault) {
    use FaultCode as C;
    if !matches!(fault.code, C::AuthInvalidCredentials | C::AuthRejectedUnspecified) {
        return;
    }
    let Some(accepted) = accepted_twin(outline, legs, fault.leg) else { return };
    let differs = match fault.leg {
        Leg::Smtp => [C::SmtpAuthDisabled, C::AuthUsernameFormat, C::AuthAppPasswordRequired],
        _ => [C::ProtocolDisabledForMailbox, C::AuthUsernameFormat, C::AuthAppPasswordRequired],
    };
    let known = std::mem::take(&mut fault.alternatives);
    let refused = std::mem::take(&mut fault.evidence);
    *fault = fault.clone().but_maybe(Confidence::Ambiguous, differs.into_iter().chain(known));
    fault.evidence = refused.with(
        FactKind::Note,
        format!(
            "The same user name and password were accepted for {accepted}: \
             either {} is switched off for this mailbox, or it wants another user name or password.",
            fault.leg
        ),
    );
}

/// The leg that accepted the login which `refused` refused.
fn accepted_twin(outline: &Outline, legs: &[LegReport], refused: Leg) -> Option<Leg> {
    let login_of = |leg: Leg| {
        let asked = outline.legs().find(|asked| Leg::from(asked.endpoint.protocol) == leg);
        asked.map(|asked| asked.login)
    };
    let ours = login_of(refused)?;
    legs.iter()
        .filter(|report| report.leg != refused && report.login == LoginOutcome::Accepted)
        .map(|report| report.leg)
        .find(|leg| login_of(*leg) == Some(ours))
}

/// A certificate problem that another leg of the same host does not have.
fn certificate_elsewhere(legs: &[LegReport], fault: &mut Fault) {
    if fault.phase != Phase::Tls || !fault.code.name().starts_with("TLS_CERT_") {
        return;
    }
    let Some(bad) = legs.iter().find(|report| report.leg == fault.leg) else { return };
    let good = legs.iter().find(|report| {
        report.leg != bad.leg
            && report.endpoint.host == bad.endpoint.host
            && report.tls.as_ref().is_some_and(|tls| tls.verified)
    });
    let Some(good) = good else { return };
    let evidence = std::mem::take(&mut fault.evidence);
    fault.evidence = evidence.with(
        FactKind::Note,
        format!(
            "The certificate that {} uses on port {} is good; {} on port {} has another one: \
             install the good one there too.",
            good.leg, good.endpoint.port, bad.leg, bad.endpoint.port
        ),
    );
}

/// The budget ran out on one leg: say whether the other one had signed in.
fn silence_elsewhere(legs: &[LegReport], fault: &mut Fault) {
    if fault.code != FaultCode::CheckTimeout {
        return;
    }
    for other in legs.iter().filter(|report| report.leg != fault.leg) {
        let words = match other.login {
            LoginOutcome::Accepted => "had signed in",
            LoginOutcome::NotTried
            | LoginOutcome::RefusedDefinitively
            | LoginOutcome::RefusedAmbiguously
            | LoginOutcome::Undecided => "had not signed in",
        };
        let evidence = std::mem::take(&mut fault.evidence);
        let note = format!("{} ran out of time; {} {words}.", fault.leg, other.leg);
        fault.evidence = evidence.with(FactKind::Note, note);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use mailfleet_model::fleet::LoginTag;
    use mailfleet_model::tls::TlsFacts;
    use mailfleet_model::{Endpoint, OutlineLeg, Protocol};

    use super::*;

    fn settings(protocol: Protocol, login: u8) -> OutlineLeg {
        OutlineLeg {
            endpoint: Endpoint::parse(protocol, "mail.example.test").expect("an endpoint"),
            username: "taro".to_owned(),
            login: LoginTag([login; 32]),
        }
    }

    fn asked(imap: u8, smtp: u8) -> Outline {
        Outline {
            mailbox: "taro@example.test".parse().expect("an address"),
            incoming: vec![settings(Protocol::Imap, imap)],
            outgoing: Some(settings(Protocol::Smtp, smtp)),
            test_mail: None,
            egress: Vec::new(),
        }
    }

    fn report(protocol: Protocol, login: LoginOutcome) -> LegReport {
        let endpoint = settings(protocol, 0).endpoint;
        let mut report = LegReport::begin(protocol.into(), endpoint, SystemTime::UNIX_EPOCH);
        report.login = login;
        report
    }

    fn compared(outline: &Outline, legs: &[LegReport], fault: Fault) -> Fault {
        let mut faults = vec![fault];
        compare(outline, legs, &mut faults);
        faults.remove(0)
    }

    #[test]
    fn a_password_that_works_for_imap_is_not_called_wrong_for_smtp() {
        let legs = [
            report(Protocol::Imap, LoginOutcome::Accepted),
            report(Protocol::Smtp, LoginOutcome::RefusedDefinitively),
        ];
        let refused = Fault::new(FaultCode::AuthInvalidCredentials, Leg::Smtp);
        let same = compared(&asked(1, 1), &legs, refused.clone());
        assert_eq!(same.confidence, Confidence::Ambiguous);
        assert_eq!(same.alternatives.first(), Some(&FaultCode::SmtpAuthDisabled));
        assert!(same.evidence.fact(FactKind::Note).is_some_and(|n| n.contains("IMAP")));
        assert_eq!(compared(&asked(1, 2), &legs, refused.clone()), refused);
    }

    #[test]
    fn a_certificate_forgotten_on_one_service_is_named() {
        let mut imap = report(Protocol::Imap, LoginOutcome::Accepted);
        imap.tls = Some(TlsFacts { verified: true, ..TlsFacts::default() });
        let smtp = report(Protocol::Smtp, LoginOutcome::NotTried);
        let expired = Fault::new(FaultCode::TlsCertExpired, Leg::Smtp);
        let told = compared(&asked(1, 1), &[imap, smtp], expired);
        let note = told.evidence.fact(FactKind::Note).expect("a note");
        assert!(note.contains("port 993 is good") && note.contains("SMTP on port 465"), "{note}");
    }

    #[test]
    fn a_timeout_says_whether_the_other_leg_had_signed_in() {
        let legs = [
            report(Protocol::Imap, LoginOutcome::NotTried),
            report(Protocol::Smtp, LoginOutcome::Accepted),
        ];
        let told = compared(&asked(1, 1), &legs, Fault::new(FaultCode::CheckTimeout, Leg::Imap));
        let note = told.evidence.fact(FactKind::Note).expect("a note");
        assert_eq!(note, "IMAP ran out of time; SMTP had signed in.");
    }
}
