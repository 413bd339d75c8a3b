//! One validation through any of the gateways, to its report, whatever happens on the way.
//!
//! A caller as a careful service would write it: it repeats a call that no gateway accepted with
//! the same `request_id`, and asks for the job where a stream broke off after it was accepted.
//! Time runs from when the validation was due, not from when it was sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use mailfleet_api::v1;
use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_api::v1::validate_response::Event;
use mailfleet_api::v1::validation_service_client::ValidationServiceClient;
use tokio::time::sleep;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use uuid::Uuid;

/// Connections to each gateway: one HTTP/2 connection is a bottleneck of its own.
const CONNECTIONS: usize = 4;
/// Pause before another try.
const PAUSE: Duration = Duration::from_millis(200);
/// How long no gateway may accept a validation.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long past its budget an accepted job may be without a report: the gateways of a fleet
/// end it at its deadline, within a second or so.
const GRACE: Duration = Duration::from_secs(60);

/// Ways to the gateways.
#[derive(Clone)]
pub(crate) struct Gateways {
    channels: Vec<Channel>,
    token: Option<MetadataValue<Ascii>>,
}

/// What came of one validation. Times are microseconds since it was due.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) accepted: Option<u64>,
    pub(crate) ending: Ending,
    /// Calls that were repeated.
    pub(crate) retries: u32,
}

/// How it ended.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// With a report.
    Report {
        at: u64,
        verdict: v1::report::Verdict,
        /// From the job's start until its last leg began, in microseconds.
        queue: Option<u64>,
    },
    /// Accepted, and then nothing.
    Lost(String),
    /// Never accepted.
    Failed(String),
}

impl Gateways {
    /// Ways to these; they connect, and connect again, by themselves.
    pub(crate) fn at(urls: &[String], token: Option<&str>) -> anyhow::Result<Self> {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            for url in urls {
                let mut endpoint = Endpoint::from_shared(url.clone()).context("a gateway's URL")?;
                if url.starts_with("https:") {
                    let tls = ClientTlsConfig::new().with_enabled_roots();
                    endpoint = endpoint.tls_config(tls).context("TLS to the gateway")?;
                }
                let endpoint = endpoint.tcp_nodelay(true).connect_timeout(Duration::from_secs(2));
                channels.push(endpoint.connect_lazy());
            }
        }
        ensure!(!channels.is_empty(), "no gateway is named");
        let token = token.map(|token| format!("Bearer {token}").parse());
        let token = token.transpose().context("the token cannot be sent")?;
        Ok(Self { channels, token })
    }

    /// The request with the token.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    /// One of the ways, by turn.
    pub(crate) fn channel(&self, turn: usize) -> Channel {
        let channel = self.channels.get(turn % self.channels.len());
        channel.expect("there is at least one").clone()
    }

    /// One after the other, beginning anywhere.
    pub(crate) fn next(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs one validation to its end.
    pub(crate) async fn validate(
        &self,
        mut message: v1::ValidateRequest,
        due: Instant,
        budget: Duration,
    ) -> Outcome {
        message.request_id = Uuid::new_v4().to_string();
        let mut outcome =
            Outcome { accepted: None, ending: Ending::Failed(String::new()), retries: 0 };
        let (mut turn, mut job) = (self.next(), None);
        loop {
            let ended = self.stream(&message, turn, due, &mut outcome, &mut job).await;
            let Err(status) = ended else { return outcome };
            if let Some(job) = &job {
                outcome.ending = self.follow(job, due, budget).await;
                return outcome;
            }
            if !may_pass(&status) || PATIENCE < due.elapsed() {
                outcome.ending = Ending::Failed(words(&status));
                return outcome;
            }
            outcome.retries += 1;
            turn += 1;
            sleep(PAUSE).await;
        }
    }

    /// One call. An error may have come after the job was accepted.
    async fn stream(
        &self,
        message: &v1::ValidateRequest,
        turn: usize,
        due: Instant,
        outcome: &mut Outcome,
        job: &mut Option<String>,
    ) -> Result<(), Status> {
        let mut client = ValidationServiceClient::new(self.channel(turn));
        let mut stream = client.validate(self.request(message.clone())).await?.into_inner();
        while let Some(message) = stream.message().await? {
            match message.event {
                Some(Event::Accepted(accepted)) => {
                    *job = Some(accepted.job_id);
                    outcome.accepted.get_or_insert(since(due));
                }
                Some(Event::Report(report)) => {
                    outcome.ending = reported(since(due), &report);
                    return Ok(());
                }
                Some(Event::Step(_)) | None => {}
            }
        }
        Err(Status::unavailable("the stream ended without a report"))
    }

    /// Asks for a job until it has ended.
    async fn follow(&self, job: &str, due: Instant, budget: Duration) -> Ending {
        let name = format!("jobs/{job}");
        let mut last = String::new();
        while due.elapsed() < budget + GRACE {
            let message = v1::GetJobRequest { name: name.clone(), ..Default::default() };
            let mut jobs = JobServiceClient::new(self.channel(self.next()));
            match jobs.get_job(self.request(message)).await {
                Ok(answer) => {
                    let report = answer.into_inner().job.and_then(|job| job.report);
                    if let Some(report) = report {
                        return reported(since(due), &report);
                    }
                    last = "the job is open".to_owned();
                }
                Err(status) => last = words(&status),
            }
            sleep(PAUSE).await;
        }
        Ending::Lost(format!("{name}: {last}"))
    }
}

fn since(due: Instant) -> u64 {
    u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn reported(at: u64, report: &v1::Report) -> Ending {
    let start = report.start_time.and_then(|time| SystemTime::try_from(time).ok());
    let legs = report.legs.iter().filter_map(|leg| SystemTime::try_from(leg.start_time?).ok());
    let queue = start.zip(legs.max()).map(|(start, last)| last.duration_since(start));
    let queue =
        queue.map(|queue| u64::try_from(queue.unwrap_or_default().as_micros()).unwrap_or(u64::MAX));
    Ending::Report { at, verdict: report.verdict(), queue }
}

fn words(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// Whether another try, or another gateway, may have more luck.
fn may_pass(status: &Status) -> bool {
    // A gateway that is killed in the middle of a call says nothing that could be read.
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}
