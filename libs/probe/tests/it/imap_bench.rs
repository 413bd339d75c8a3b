//! Runs IMAP legs against simulated servers and raw scripts, and looks at the reports.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use mailfleet_mailsim::{Authority, Running};
use mailfleet_model::leg::{IncomingPlan, LegPlan};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{
    Credential, Endpoint, FaultCode, Host, LegReport, LegSpec, Login, Protocol, Secret, Security,
    StepKind, StepOutcome,
};
use mailfleet_probe::companion::Companion;
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;
use mailfleet_probe::{CourierRule, Identity, LegTask, Probe, Rules, run_leg};
use tokio_util::sync::CancellationToken;

/// The mailbox under test.
pub(crate) const USER: &str = "user@example.test";
/// Its password, which must never show anywhere.
pub(crate) const PASSWORD: &str = "pw-CANARY-7731";
/// The host that all servers are reached by.
pub(crate) const HOST: &str = "localhost";

/// A probe that may go to loopback and trusts the simulated servers' authority.
pub(crate) fn probe() -> Probe {
    let root = Authority::shared().expect("an authority").root_der();
    let here = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    Probe {
        resolver: Resolver::fixed([(HOST.to_owned(), here)]),
        targets: TargetPolicy::with_exceptions(vec!["127.0.0.0/8".parse().expect("a net")]),
        trust: Trust::only([root]).expect("roots"),
        limits: Limits::default(),
        identity: Identity::default(),
        rules: Rules { courier: CourierRule::Refuse },
    }
}

/// What a leg does, with everything a test may want to change.
pub(crate) struct Bench {
    pub(crate) probe: Probe,
    pub(crate) spec: LegSpec,
    pub(crate) budget: Duration,
    pub(crate) companion: Companion,
    pub(crate) cancel: CancellationToken,
}

impl Bench {
    /// A leg to a port of this machine.
    pub(crate) fn new(port: u16, security: Security) -> Self {
        let host: Host = HOST.parse().expect("a host");
        let secret = Secret::new(PASSWORD.as_bytes().to_vec());
        let credential = Arc::new(Credential::Password(secret));
        let spec = LegSpec {
            mailbox: USER.parse().expect("an address"),
            endpoint: Endpoint { protocol: Protocol::Imap, host, port, security },
            login: Login::new(USER, credential).expect("a login"),
            tls: TlsPolicy::default(),
            plan: LegPlan::Incoming(IncomingPlan::Open),
        };
        Self {
            probe: probe(),
            spec,
            budget: Duration::from_secs(20),
            companion: Companion::alone(),
            cancel: CancellationToken::new(),
        }
    }

    /// A leg to a simulated server.
    pub(crate) fn to(server: &Running) -> Self {
        Self::new(server.port(), Security::Tls)
    }

    /// Changes something.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Runs the leg.
    pub(crate) async fn run(self) -> LegReport {
        let task = LegTask {
            spec: self.spec,
            egress: Vec::new(),
            budget: self.budget,
            companion: self.companion,
            observer: Arc::new(()),
            cancel: self.cancel,
        };
        let report = run_leg(&self.probe, task).await;
        let shown = format!("{report:?}");
        for leak in ["CANARY", "Q0FOQVJZ", "DQU5BUl", "NBTkFSW"] {
            assert!(!shown.contains(leak), "the password shows in {shown}");
        }
        report
    }
}

/// The codes of a report, in order.
pub(crate) fn codes(report: &LegReport) -> Vec<FaultCode> {
    report.faults.iter().map(|fault| fault.code).collect()
}

/// The steps of a report with their outcomes.
pub(crate) fn steps(report: &LegReport) -> Vec<(StepKind, StepOutcome)> {
    report.steps.iter().map(|step| (step.kind, step.outcome)).collect()
}
