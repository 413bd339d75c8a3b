//! Load on gateways: validations by gRPC, at a fixed rate or as fast as they are answered.
//!
//! At a fixed rate the loop is open: each validation has its time, whether the ones before are
//! answered or not, and its latency counts from that time. A gateway that stalls is so charged
//! with everything that had to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use mailfleet_api::v1;
use mailfleet_api::v1::endpoint::{Protocol, Security};
use mailfleet_api::v1::login::Credential;
use mailfleet_api::v1::test_mail::Mode;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tonic::transport::{Channel, Endpoint};

use crate::setup::{ADDRESS, PASSWORD, Servers};

/// Connections to each gateway: one HTTP/2 connection is a bottleneck of its own.
const CONNECTIONS: usize = 4;
/// Most validations that are open at a time; what is due beyond them is missed.
const OPEN: usize = 5_000;

/// Where validations go, and what they are about.
pub(crate) struct Offer {
    channels: Vec<Channel>,
    request: v1::ValidateRequest,
    next: AtomicU64,
}

/// What came of a load.
pub(crate) struct Outcome {
    /// Microseconds from the intended time to the report.
    pub(crate) latency: Histogram<u64>,
    /// Validations that were answered.
    pub(crate) done: u64,
    /// Those that were due and not begun, or failed.
    pub(crate) missed: u64,
    /// From the first intended time to the last answer.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    fn new() -> anyhow::Result<Self> {
        // Up to ten minutes: longer than any validation may take.
        let latency = Histogram::new_with_bounds(1, 600_000_000, 3).context("a histogram")?;
        Ok(Self { latency, done: 0, missed: 0, elapsed: Duration::ZERO })
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        let done = u32::try_from(self.done).unwrap_or(u32::MAX);
        f64::from(done) / self.elapsed.as_secs_f64()
    }

    /// A quantile in milliseconds.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let micros = self.latency.value_at_quantile(quantile);
        Duration::from_micros(micros).as_secs_f64() * 1_000.0
    }

    fn take(&mut self, answered: Option<Duration>) {
        let Some(latency) = answered else {
            self.missed += 1;
            return;
        };
        self.done += 1;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros);
    }
}

impl Offer {
    /// Connects to the gateways.
    pub(crate) async fn to(urls: &[String], servers: &Servers) -> anyhow::Result<Self> {
        let mut channels = Vec::new();
        for url in urls {
            for _ in 0..CONNECTIONS {
                let endpoint = Endpoint::from_shared(url.clone()).context("the gateway's URL")?;
                let channel = endpoint.tcp_nodelay(true).connect().await;
                channels.push(channel.with_context(|| format!("reaching {url}"))?);
            }
        }
        ensure!(!channels.is_empty(), "no gateway is named");
        Ok(Self { channels, request: request(servers), next: AtomicU64::new(0) })
    }

    /// A connection to the first gateway.
    pub(crate) fn channel(&self) -> Channel {
        self.channels.first().cloned().expect("there is at least one")
    }

    /// Keeps so many validations open for a while.
    pub(crate) async fn closed(
        self: &Arc<Self>,
        open: usize,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let (began, mut outcome, mut running) = (Instant::now(), Outcome::new()?, JoinSet::new());
        loop {
            while running.len() < open && began.elapsed() < time {
                running.spawn(Arc::clone(self).one(Instant::now()));
            }
            let Some(ended) = running.join_next().await else { break };
            outcome.take(Some(ended.context("a validation panicked")??));
        }
        outcome.elapsed = began.elapsed();
        Ok(outcome)
    }

    /// Offers so many validations a second for a while.
    pub(crate) async fn open(
        self: &Arc<Self>,
        rate: f64,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let (began, mut outcome) = (Instant::now(), Outcome::new()?);
        let mut running: JoinSet<anyhow::Result<Duration>> = JoinSet::new();
        let mut due = began;
        while due < began + time {
            sleep_until(due.into()).await;
            while let Some(ended) = running.try_join_next() {
                outcome.take(ended.context("a validation panicked")?.ok());
            }
            if running.len() < OPEN {
                running.spawn(Arc::clone(self).one(due));
            } else {
                outcome.take(None);
            }
            due += Duration::from_secs_f64(1.0 / rate);
        }
        while let Some(ended) = running.join_next().await {
            outcome.take(ended.context("a validation panicked")?.ok());
        }
        outcome.elapsed = began.elapsed();
        Ok(outcome)
    }

    /// One validation to its report. Gives the time since `intended`.
    async fn one(self: Arc<Self>, intended: Instant) -> anyhow::Result<Duration> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let channels = u64::try_from(self.channels.len()).unwrap_or(1);
        let channel = usize::try_from(number % channels).unwrap_or_default();
        let channel = self.channels.get(channel).context("a channel")?.clone();
        let mut client = ValidationServiceClient::new(channel);
        // Of a mailbox of its own: the same one twice would be joined, and limited.
        let address = format!("user{number}@localhost.test");
        let request = v1::ValidateRequest { address, ..self.request.clone() };
        let mut stream = client.validate(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            if let Some(Event::Report(report)) = message.event {
                let verdict = report.verdict();
                ensure!(verdict == v1::report::Verdict::Healthy, "{:?}", report.faults);
                return Ok(intended.elapsed());
            }
        }
        bail!("the stream ended without a report")
    }
}

/// The same validation that the other benchmarks run: both directions, to the login.
fn request(servers: &Servers) -> v1::ValidateRequest {
    let settings = |protocol: Protocol, port: u16| v1::LegSettings {
        endpoint: Some(v1::Endpoint {
            protocol: protocol.into(),
            host: "localhost".to_owned(),
            port: port.into(),
            security: Security::Tls.into(),
        }),
        login: None,
    };
    let password = Credential::Password(PASSWORD.as_bytes().to_vec());
    v1::ValidateRequest {
        incoming: vec![settings(Protocol::Imap, servers.imap)],
        outgoing: Some(settings(Protocol::Smtp, servers.smtp)),
        login: Some(v1::Login { username: ADDRESS.to_owned(), credential: Some(password) }),
        test_mail: Some(v1::TestMail { mode: Mode::LoginOnly.into(), recipient: String::new() }),
        trusted_certificates: vec![servers.pem.clone()],
        ..v1::ValidateRequest::default()
    }
}
