//! What the benchmarks share: the simulated servers, and a probe that may reach them.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use mailfleet_gateway::{Run, Validator};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::validation::DEFAULT_ARRIVAL_TIMEOUT;
use mailfleet_model::{
    Credential, Endpoint, Host, JobId, LegSettings, Login, Protocol, Report, Secret, Security,
    TestMail, Validation,
};
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;
use mailfleet_probe::{CourierRule, Identity, Probe, Rules};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::simulate::Kind;

/// The mailbox of the simulated servers.
pub(crate) const ADDRESS: &str = "user@localhost.test";
/// Its password.
pub(crate) const PASSWORD: &str = "bench-password";

/// Simulated servers in a child process, stopped when dropped.
pub(crate) struct Servers {
    /// Port of IMAP over TLS.
    pub(crate) imap: u16,
    /// Port of SMTP over TLS.
    pub(crate) smtp: u16,
    /// The CA that signed their certificates.
    pub(crate) root: CertificateDer<'static>,
    /// The same as a text.
    pub(crate) pem: String,
    /// Their process.
    pub(crate) pid: u32,
    _child: Child,
}

impl Servers {
    /// Starts the servers and waits until they listen.
    pub(crate) async fn start(kind: Kind) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut child = Command::new(program)
            .args(["simulate", kind.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the simulated servers")?;
        let stdout = child.stdout.take().context("the child has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next_line().await?.context("the simulated servers did not start")?;
        let words: Vec<&str> = first.split(' ').collect();
        let ["imap", imap, "smtp", smtp] = words.as_slice() else {
            bail!("the simulated servers said {first:?}");
        };
        let (imap, smtp) = (imap.parse()?, smtp.parse()?);
        let mut pem = String::new();
        while let Some(line) = lines.next_line().await?.filter(|line| line != "ready") {
            pem.push_str(&line);
            pem.push('\n');
        }
        let root = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| anyhow::anyhow!("the simulator's CA cannot be read: {error}"))?;
        let pid = child.id().context("the simulated servers ended")?;
        Ok(Self { imap, smtp, root, pem, pid, _child: child })
    }
}

/// A probe that trusts the simulator and may reach loopback.
pub(crate) fn probe(root: CertificateDer<'static>) -> anyhow::Result<Arc<Probe>> {
    probe_trusting([root])
}

/// The same that trusts several.
pub(crate) fn probe_trusting(
    roots: impl IntoIterator<Item = CertificateDer<'static>>,
) -> anyhow::Result<Arc<Probe>> {
    let loopback = "127.0.0.0/8".parse().context("parsing the loopback range")?;
    Ok(Arc::new(Probe {
        resolver: Resolver::fixed([]),
        targets: TargetPolicy::with_exceptions(vec![loopback]),
        trust: Trust::only(roots).context("building the trust store")?,
        limits: Limits::default(),
        identity: Identity::default(),
        rules: Rules { courier: CourierRule::Refuse },
    }))
}

/// A validation of the simulated mailbox over these ports; no mail is sent.
pub(crate) fn validation(imap: Option<u16>, smtp: Option<u16>) -> anyhow::Result<Validation> {
    let secret = Secret::new(PASSWORD.as_bytes().to_vec());
    let login = Login::new(ADDRESS, Arc::new(Credential::Password(secret)))
        .context("the benchmark's login is not valid")?;
    let host: Host = "localhost".parse().context("parsing the host")?;
    let settings = |protocol, port| LegSettings {
        endpoint: Endpoint::with_defaults(protocol, host.clone(), Some(port), Some(Security::Tls)),
        login: login.clone(),
    };
    Ok(Validation {
        mailbox: ADDRESS.parse().context("parsing the address")?,
        incoming: imap.map(|port| settings(Protocol::Imap, port)).into_iter().collect(),
        outgoing: smtp.map(|port| settings(Protocol::Smtp, port)),
        test_mail: TestMail::LoginOnly,
        tls: TlsPolicy::default(),
        budget: Duration::from_secs(300),
        arrival_timeout: DEFAULT_ARRIVAL_TIMEOUT,
    })
}

/// The same at an IMAP and an SMTP server that may be at different hosts.
pub(crate) fn validation_at(
    hosts: &[String; 2],
    [imap, smtp]: [u16; 2],
    password: &str,
) -> anyhow::Result<Validation> {
    let secret = Secret::new(password.as_bytes().to_vec());
    let login = Login::new(ADDRESS, Arc::new(Credential::Password(secret)))
        .context("the benchmark's login is not valid")?;
    let plain = validation(Some(imap), Some(smtp))?;
    let [incoming, outgoing] = hosts;
    let settings = |protocol, host: &str, port| -> anyhow::Result<LegSettings> {
        let host: Host = host.parse().context("parsing the host")?;
        let endpoint = Endpoint::with_defaults(protocol, host, Some(port), Some(Security::Tls));
        Ok(LegSettings { endpoint, login: login.clone() })
    };
    Ok(Validation {
        incoming: vec![settings(Protocol::Imap, incoming, imap)?],
        outgoing: Some(settings(Protocol::Smtp, outgoing, smtp)?),
        ..plain
    })
}

/// Runs one validation to its report.
pub(crate) async fn validate(
    validator: &Validator,
    validation: Validation,
    cancel: CancellationToken,
) -> Report {
    let job = JobId(uuid::Uuid::now_v7());
    let run = Run { job, observer: Arc::new(()), cancel, trace: None };
    validator.run(validation, run).await
}
