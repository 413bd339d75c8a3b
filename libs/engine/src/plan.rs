//! Which legs a validation has, and whether the test mail is looked for.

use std::time::Duration;

use mailfleet_model::leg::{
    ArrivalPlan, IncomingPlan, LegPlan, LegSpec, LoginOutcome, LookFor, Marks, OutgoingPlan,
    Submission,
};
use mailfleet_model::{
    EmailAddress, Endpoint, LegReport, LegSettings, Outline, TestMail, Validation,
};

/// Time that an arrival leg gets beyond the time to look: connecting and putting away.
pub const ARRIVAL_OVERHEAD: Duration = Duration::from_secs(60);

/// The legs that run at once.
#[derive(Debug)]
pub struct Legs {
    /// Incoming legs; the first one serves the arrival leg.
    pub incoming: Vec<LegSpec>,
    /// The outgoing leg.
    pub outgoing: Option<LegSpec>,
}

/// Whether the arrival leg runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// No test mail was asked for.
    NotAsked,
    /// It cannot find anything; the text says why, as a clause in English.
    Skipped(&'static str),
    /// It runs, and looks behind these marks.
    Run(Marks),
}

/// Plans the incoming and outgoing legs. `token` is what the test mail is found by.
#[must_use]
pub fn legs(validation: &Validation, token: &str) -> Legs {
    let sends = matches!(validation.test_mail, TestMail::ToSelf | TestMail::To(_));
    let incoming_plan = |index: usize| {
        if sends && index == 0 { IncomingPlan::OpenAndMark } else { IncomingPlan::Open }
    };
    let incoming = validation
        .incoming
        .iter()
        .enumerate()
        .map(|(index, leg)| spec(validation, leg, LegPlan::Incoming(incoming_plan(index))))
        .collect();
    let outgoing_plan = match &validation.test_mail {
        TestMail::Envelope => OutgoingPlan::Envelope,
        TestMail::LoginOnly => OutgoingPlan::LoginOnly,
        TestMail::ToSelf => test_mail(validation.mailbox.clone(), token),
        TestMail::To(recipient) => test_mail(recipient.clone(), token),
    };
    let outgoing = validation
        .outgoing
        .as_ref()
        .map(|leg| spec(validation, leg, LegPlan::Outgoing(outgoing_plan)));
    Legs { incoming, outgoing }
}

/// What can be found of a mail to this recipient.
#[must_use]
pub fn look_for(mailbox: &EmailAddress, recipient: &EmailAddress) -> LookFor {
    if recipient == mailbox { LookFor::MailAndSentCopy } else { LookFor::SentCopy }
}

/// The arrival leg of a validation that sends a test mail, with no marks yet; `None` where
/// none is sent, or no incoming server was given. It gets [`ARRIVAL_OVERHEAD`] beyond the
/// time to look.
#[must_use]
pub fn arrival_leg(validation: &Validation, token: &str) -> Option<LegSpec> {
    let (recipient, settings) = (validation.recipient()?, validation.incoming.first()?);
    validation.outgoing.as_ref()?;
    let plan = ArrivalPlan {
        token: token.to_owned(),
        marks: Marks::default(),
        look_for: look_for(&validation.mailbox, recipient),
        timeout: validation.arrival_timeout,
    };
    Some(spec(validation, settings, LegPlan::Arrival(plan)))
}

/// Decides whether the test mail is looked for, once the other legs have ended.
#[must_use]
pub fn arrival(outline: &Outline, reports: &[LegReport]) -> Arrival {
    if outline.test_mail.is_none() {
        return Arrival::NotAsked;
    }
    let Some(settings) = outline.incoming.first() else {
        return Arrival::Skipped("no incoming server was given to look for the test mail");
    };
    let report_of =
        |endpoint: &Endpoint| reports.iter().find(|report| report.endpoint == *endpoint);
    let sent = outline.outgoing.as_ref().and_then(|leg| report_of(&leg.endpoint));
    match sent.map(|report| report.submission) {
        // The mail may have been taken: looking is how to find out.
        Some(Submission::Accepted | Submission::Unknown) => {}
        Some(Submission::Refused) => return Arrival::Skipped("the test mail was refused"),
        Some(Submission::NotSent) | None => return Arrival::Skipped("no test mail was sent"),
    }
    let Some(incoming) = report_of(&settings.endpoint) else {
        return Arrival::Skipped("the incoming server was not reached");
    };
    if incoming.login != LoginOutcome::Accepted || !incoming.is_usable() {
        return Arrival::Skipped("the mailbox could not be opened");
    }
    Arrival::Run(incoming.marks.clone())
}

fn spec(validation: &Validation, leg: &LegSettings, plan: LegPlan) -> LegSpec {
    LegSpec {
        mailbox: validation.mailbox.clone(),
        endpoint: leg.endpoint.clone(),
        login: leg.login.clone(),
        tls: validation.tls.clone(),
        plan,
    }
}

fn test_mail(to: mailfleet_model::EmailAddress, token: &str) -> OutgoingPlan {
    OutgoingPlan::TestMail { to, token: token.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use mailfleet_model::tls::TlsPolicy;
    use mailfleet_model::{Credential, Fault, FaultCode, Leg, Login, Protocol, Secret, validation};

    use super::*;

    fn settings(protocol: Protocol) -> LegSettings {
        let secret = Arc::new(Credential::Password(Secret::new(b"secret".to_vec())));
        LegSettings {
            endpoint: Endpoint::parse(protocol, "mail.example.test").expect("an endpoint"),
            login: Login::new("taro", secret).expect("a login"),
        }
    }

    fn asked(test_mail: TestMail) -> Validation {
        Validation {
            mailbox: "taro@example.test".parse().expect("an address"),
            incoming: vec![settings(Protocol::Imap)],
            outgoing: Some(settings(Protocol::Smtp)),
            test_mail,
            tls: TlsPolicy::default(),
            budget: validation::DEFAULT_BUDGET,
            arrival_timeout: validation::DEFAULT_ARRIVAL_TIMEOUT,
        }
    }

    fn reports(login: LoginOutcome, submission: Submission) -> Vec<LegReport> {
        let begin = |protocol: Protocol| {
            let endpoint = settings(protocol).endpoint;
            LegReport::begin(protocol.into(), endpoint, SystemTime::UNIX_EPOCH)
        };
        let mut imap = begin(Protocol::Imap);
        imap.login = login;
        let mut smtp = begin(Protocol::Smtp);
        smtp.submission = submission;
        vec![imap, smtp]
    }

    #[test]
    fn marks_are_taken_only_when_a_test_mail_will_be_looked_for() {
        let plan = |test_mail| match legs(&asked(test_mail), "t").incoming[0].plan {
            LegPlan::Incoming(plan) => plan,
            LegPlan::Outgoing(_) | LegPlan::Arrival(_) => panic!("an incoming leg"),
        };
        assert_eq!(plan(TestMail::Envelope), IncomingPlan::Open);
        assert_eq!(plan(TestMail::LoginOnly), IncomingPlan::Open);
        assert_eq!(plan(TestMail::ToSelf), IncomingPlan::OpenAndMark);
    }

    #[test]
    fn the_arrival_leg_runs_only_when_it_can_find_something() {
        use LoginOutcome::{Accepted, RefusedDefinitively};
        let run = |test_mail, login, submission| {
            let outline = Outline::numbered(&asked(test_mail), Vec::new());
            matches!(arrival(&outline, &reports(login, submission)), Arrival::Run(_))
        };
        assert!(run(TestMail::ToSelf, Accepted, Submission::Accepted));
        assert!(run(TestMail::ToSelf, Accepted, Submission::Unknown));
        assert!(!run(TestMail::ToSelf, Accepted, Submission::Refused));
        assert!(!run(TestMail::ToSelf, RefusedDefinitively, Submission::Accepted));
        assert!(!run(TestMail::Envelope, Accepted, Submission::NotSent));
    }

    #[test]
    fn a_mailbox_that_cannot_be_opened_is_not_searched() {
        let mut reports = reports(LoginOutcome::Accepted, Submission::Accepted);
        reports[0].faults.push(Fault::new(FaultCode::MailboxUnavailable, Leg::Imap));
        let outline = Outline::numbered(&asked(TestMail::ToSelf), Vec::new());
        let decision = arrival(&outline, &reports);
        assert_eq!(decision, Arrival::Skipped("the mailbox could not be opened"));
    }

    #[test]
    fn mail_to_another_mailbox_is_looked_for_in_sent_only() {
        let other = TestMail::To("other@example.test".parse().expect("an address"));
        for (test_mail, expect) in
            [(other, LookFor::SentCopy), (TestMail::ToSelf, LookFor::MailAndSentCopy)]
        {
            let spec = arrival_leg(&asked(test_mail), "t").expect("a test mail is sent");
            let LegPlan::Arrival(plan) = spec.plan else { panic!("an arrival leg") };
            assert_eq!(plan.look_for, expect);
        }
        assert!(arrival_leg(&asked(TestMail::Envelope), "t").is_none());
    }
}
