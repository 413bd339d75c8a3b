//! Runs legs of any protocol on loopback and gives their reports back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use mailfleet_mailsim::{Authority, Running};
use mailfleet_model::leg::{IncomingPlan, LegPlan, OutgoingPlan};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{
    Credential, Endpoint, FaultCode, Host, LegReport, LegSpec, Login, Protocol, Secret, Security,
    StepKind, StepOutcome,
};
use mailfleet_probe::companion::Companion;
use mailfleet_probe::dial::Exit;
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;
use mailfleet_probe::{Identity, LegTask, Probe, Rules, run_leg};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

/// The mailbox under test; also its login name.
pub(crate) const USER: &str = "user@example.test";
/// Its password, which must never show anywhere.
pub(crate) const PASSWORD: &str = "pw-CANARY-7731";
/// The host that all servers are reached by.
pub(crate) const HOST: &str = "localhost";

/// A leg with everything that a test may want to change.
pub(crate) struct Bench {
    pub(crate) probe: Probe,
    pub(crate) spec: LegSpec,
    pub(crate) egress: Vec<Exit>,
    pub(crate) budget: Duration,
    pub(crate) companion: Companion,
    pub(crate) cancel: CancellationToken,
}

/// A password as a credential.
pub(crate) fn password(text: &str) -> Arc<Credential> {
    Arc::new(Credential::Password(Secret::new(text.as_bytes().to_vec())))
}

/// A login of the mailbox under test.
pub(crate) fn login(credential: Arc<Credential>) -> Login {
    Login::new(USER, credential).expect("a login")
}

impl Bench {
    /// An outgoing leg.
    pub(crate) fn smtp(port: u16, security: Security, plan: OutgoingPlan) -> Self {
        Self::new(Protocol::Smtp, port, security, LegPlan::Outgoing(plan))
    }

    /// An incoming leg over POP3.
    pub(crate) fn pop3(port: u16, security: Security, plan: IncomingPlan) -> Self {
        Self::new(Protocol::Pop3, port, security, LegPlan::Incoming(plan))
    }

    /// An incoming leg over IMAP.
    pub(crate) fn imap(port: u16, security: Security, plan: IncomingPlan) -> Self {
        Self::new(Protocol::Imap, port, security, LegPlan::Incoming(plan))
    }

    /// An incoming leg over IMAP and TLS that opens the INBOX of a simulated server.
    pub(crate) fn to(server: &Running) -> Self {
        Self::imap(server.port(), Security::Tls, IncomingPlan::Open)
    }

    fn new(protocol: Protocol, port: u16, security: Security, plan: LegPlan) -> Self {
        let host: Host = HOST.parse().expect("a host");
        let here = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let root = Authority::shared().expect("an authority").root_der();
        Self {
            probe: Probe {
                resolver: Resolver::fixed([(HOST.to_owned(), here)]),
                targets: TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a net")]),
                trust: Trust::only([root]).expect("roots"),
                limits: Limits::default(),
                identity: Identity::default(),
                rules: Rules { courier: mailfleet_probe::CourierRule::Refuse },
            },
            spec: LegSpec {
                mailbox: USER.parse().expect("an address"),
                endpoint: Endpoint { protocol, host, port, security },
                login: login(password(PASSWORD)),
                tls: TlsPolicy::default(),
                plan,
            },
            egress: Vec::new(),
            budget: Duration::from_secs(20),
            companion: Companion::alone(),
            cancel: CancellationToken::new(),
        }
    }

    /// Logs in with an access token.
    pub(crate) fn token(mut self, token: &str) -> Self {
        let secret = Secret::new(token.as_bytes().to_vec());
        self.spec.login = login(Arc::new(Credential::AccessToken(secret)));
        self
    }

    /// Changes something.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Trusts this root instead of the simulated servers'.
    pub(crate) fn trusting(mut self, root: CertificateDer<'static>) -> Self {
        self.probe.trust = Trust::only([root]).expect("roots");
        self
    }

    /// Runs the leg, and sees to it that the password is nowhere in the report.
    pub(crate) async fn run(self) -> LegReport {
        let Self { probe, spec, egress, budget, companion, cancel } = self;
        let observer = Arc::new(());
        let task = LegTask { spec, egress, budget, companion, observer, cancel };
        let report = run_leg(&probe, task).await;
        let shown = format!("{report:?}");
        for leak in ["CANARY", "Q0FOQVJZ", "DQU5BUl", "NBTkFSW"] {
            assert!(!shown.contains(leak), "{leak} in {shown}");
        }
        report
    }
}

/// The codes of a report's faults.
pub(crate) fn codes(report: &LegReport) -> Vec<FaultCode> {
    report.faults.iter().map(|fault| fault.code).collect()
}

/// The steps of a report, without those that set the connection up.
pub(crate) fn steps(report: &LegReport) -> Vec<(StepKind, StepOutcome)> {
    let setup = [StepKind::Resolve, StepKind::Connect];
    let steps = report.steps.iter().map(|step| (step.kind, step.outcome));
    steps.filter(|(kind, _)| !setup.contains(kind)).collect()
}

/// Waits until all sessions of a simulated server have ended.
pub(crate) async fn all_gone(server: &Running) {
    let gone = |record: &mailfleet_mailsim::Recorder| record.sessions().current == 0;
    assert!(server.recorder().wait_until(Duration::from_secs(5), gone).await, "a session lingers");
}
