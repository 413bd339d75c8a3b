//! Carries out a row: plans the legs, runs them, joins their reports, compares.
//!
//! Plan, joining and verdict are the engine's, so that a row sees what a caller sees.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mailfleet_engine::{ARRIVAL_OVERHEAD, Arrival, Job};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{
    Credential, Endpoint, Host, JobId, LegReport, LegSettings, LegSpec, Login, Outline, Report,
    Secret, TestMail, Validation,
};
use mailfleet_probe::companion::Companion;
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::{CourierRule, Identity, LegTask, Probe, Rules, run_leg};
use rand::distr::{Alphanumeric, SampleString as _};
use tokio_util::sync::CancellationToken;

use super::lab::Lab;
use super::row::{LegAt, Mail, Row, Shows, With};
use super::{expect, raw};

/// Time for the legs of a row. Courier alone takes 5 s for a refusal.
const BUDGET: Duration = Duration::from_secs(60);
/// Time for a greeting: servers of the lab greet at once, so that only ports that wait for
/// TLS make use of it.
const GREETING: Duration = Duration::from_secs(8);
/// The name of another host that the lab's `wrong_host` certificate is good for.
const OTHER_HOST: &str = "mail.other.test";

/// Runs a row and compares; the error lists what differs.
pub(super) async fn check(lab: &Lab, row: &Row) -> Result<(), String> {
    let _crowd = match &row.crowd {
        Some(crowd) => raw::gather(lab, crowd).await,
        None => Vec::new(),
    };
    let validation = validation(lab, row);
    let token = Alphanumeric.sample_string(&mut rand::rng(), 24);
    let report = validate(&probe(lab, row), &validation, &token).await;
    let mut wrong = expect::compare(row, &report);
    if wrong.is_empty() && row.shows.iter().any(|what| matches!(what, Shows::OnlyInTrash)) {
        wrong.extend(raw::only_in_trash(lab, row, &token).await);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("  {}\n{}", wrong.join("\n  "), expect::describe(&report)))
}

/// A probe that finds the lab's host where the row's server is.
fn probe(lab: &Lab, row: &Row) -> Probe {
    let ip = row.incoming.or(row.outgoing).map(|leg| lab.address(&leg.at).ip());
    let ips: Vec<IpAddr> = ip.into_iter().collect();
    let names = [lab.host.as_str(), OTHER_HOST].map(|name| (name.to_owned(), ips.clone()));
    Probe {
        resolver: Resolver::fixed(names),
        targets: TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a range")]),
        trust: lab.trust.clone(),
        limits: Limits { greeting: GREETING, ..Limits::default() },
        identity: Identity::default(),
        rules: Rules { courier: CourierRule::Refuse },
    }
}

fn validation(lab: &Lab, row: &Row) -> Validation {
    let (address, password) = lab.user(row.user);
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let credential = Arc::new(match row.with {
        With::Password => Credential::Password(secret(password)),
        With::WrongPassword => Credential::Password(secret("nobody-has-this")),
        With::Token(name) => Credential::AccessToken(secret(lab.token(name))),
    });
    let login = Login::new(address, credential).expect("a login name");
    // Certificates of the lab hold its addresses too: the second leg goes by address, so
    // that two servers can stand under one name.
    let settings = |leg: &LegAt, host: Host| LegSettings {
        endpoint: Endpoint {
            protocol: leg.protocol,
            host,
            port: lab.address(&leg.at).port(),
            security: leg.security,
        },
        login: login.clone(),
    };
    let name = || lab.host.parse().expect("a host name");
    let outgoing = row.outgoing.as_ref().map(|leg| match row.incoming {
        Some(_) => settings(leg, Host::Ip(lab.address(&leg.at).ip())),
        None => settings(leg, name()),
    });
    Validation {
        mailbox: lab.user(row.mailbox.unwrap_or(row.user)).0.parse().expect("an address"),
        incoming: row.incoming.iter().map(|leg| settings(leg, name())).collect(),
        outgoing,
        test_mail: match row.mail {
            Mail::LoginOnly => TestMail::LoginOnly,
            Mail::Envelope => TestMail::Envelope,
            Mail::ToSelf => TestMail::ToSelf,
            Mail::To(name) => TestMail::To(lab.recipient(name).parse().expect("an address")),
        },
        tls: TlsPolicy { certificates: row.certificates, extra_roots: Vec::new() },
        budget: BUDGET,
        arrival_timeout: row.arrival_timeout,
    }
}

/// Runs the legs at once, then looks for the test mail, as one validation does.
async fn validate(probe: &Probe, validation: &Validation, token: &str) -> Report {
    let started = SystemTime::now();
    let mut legs = both_legs(probe, validation, token).await;
    let outline = Outline::numbered(validation, Vec::new());
    if let Arrival::Run(marks) = mailfleet_engine::arrival(&outline, &legs) {
        let spec = mailfleet_engine::arrival_leg(validation, token).expect("a test mail is sent");
        let budget = validation.arrival_timeout + ARRIVAL_OVERHEAD;
        let task = task(spec.with_marks(marks), budget, Companion::alone());
        legs.push(run_leg(probe, task).await);
    }
    let job = Job {
        id: JobId(uuid::Uuid::nil()),
        started,
        elapsed: started.elapsed().unwrap_or_default(),
        trace_id: None,
    };
    mailfleet_engine::join(job, &outline, legs)
}

async fn both_legs(probe: &Probe, validation: &Validation, token: &str) -> Vec<LegReport> {
    let planned = mailfleet_engine::legs(validation, token);
    let incoming = planned.incoming.into_iter().next();
    match (incoming, planned.outgoing) {
        (Some(incoming), Some(outgoing)) => {
            let (first, second) = Companion::pair(&incoming.login, &outgoing.login);
            let (first, second) = tokio::join!(
                run_leg(probe, task(incoming, BUDGET, first)),
                run_leg(probe, task(outgoing, BUDGET, second)),
            );
            vec![first, second]
        }
        (Some(spec), None) | (None, Some(spec)) => {
            vec![run_leg(probe, task(spec, BUDGET, Companion::alone())).await]
        }
        (None, None) => Vec::new(),
    }
}

fn task(spec: LegSpec, budget: Duration, companion: Companion) -> LegTask {
    LegTask {
        spec,
        egress: Vec::new(),
        budget,
        companion,
        observer: Arc::new(()),
        cancel: CancellationToken::new(),
    }
}
