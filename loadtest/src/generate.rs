//! The open loop: sends each validation when it is due, whatever came of those before.
//!
//! Nothing waits for an answer. What is due while too many are open is not sent, and counted as
//! missed; nothing is made up for later.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use mailfleet_api::v1;
use mailfleet_api::v1::endpoint::{Protocol, Security};
use mailfleet_api::v1::login::Credential;
use mailfleet_api::v1::test_mail::Mode;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::caller::{Gateways, Outcome};
use crate::mail::{PASSWORD, Pair, WRONG};
use crate::progress::Progress;
use crate::scenario::Population;
use crate::schedule::Due;

/// Validations that may be open at a time. Each is a task and a stream; beyond this many the
/// generator would measure itself.
pub(crate) const MOST_OPEN: usize = 20_000;

/// One validation that was due, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// The phase, by its place.
    pub(crate) phase: usize,
    /// The population, by its place.
    pub(crate) servers: usize,
    pub(crate) is_right: bool,
    /// When it was due, in microseconds since 1970.
    pub(crate) due: u64,
    /// How late it was begun, in microseconds.
    pub(crate) lag: u64,
    pub(crate) mailbox: String,
    /// None: it was missed.
    pub(crate) outcome: Option<Outcome>,
}

/// What validations are made of.
pub(crate) struct Requests {
    pub(crate) populations: Vec<Population>,
    pub(crate) pairs: Vec<Vec<Pair>>,
    /// Authorities that requests bring along, where the fleet does not know them.
    pub(crate) roots: Option<String>,
    /// Keeps the mailboxes of this run apart from those of others.
    pub(crate) run: String,
    /// The right password of each population.
    pub(crate) passwords: Vec<String>,
}

impl Requests {
    /// The requests of a scenario; passwords of given servers come from the environment.
    pub(crate) fn new(
        populations: &[Population],
        pairs: Vec<Vec<Pair>>,
        roots: Option<String>,
    ) -> anyhow::Result<Self> {
        let password = |population: &Population| match &population.given {
            None => Ok(PASSWORD.to_owned()),
            Some(given) => given.password(),
        };
        let passwords = populations.iter().map(password).collect::<anyhow::Result<_>>()?;
        let run = uuid::Uuid::new_v4().simple().to_string()[..6].to_owned();
        Ok(Self { populations: populations.to_vec(), pairs, roots, run, passwords })
    }

    /// The mailbox of a validation: one of its own, since a second validation of the same one
    /// would be joined to the first. Each pair of servers has a domain.
    pub(crate) fn mailbox(&self, servers: usize, pair: u32, number: usize) -> String {
        let population = self.populations.get(servers);
        match population.and_then(|population| population.given.as_ref()) {
            Some(given) => given.user.replace("{n}", &number.to_string()),
            None => format!("u{number}-{}@m{pair}.p{servers}.test", self.run),
        }
    }

    /// The endpoints of a pair.
    pub(crate) fn endpoints(&self, servers: usize, pair: u32) -> Option<[v1::LegSettings; 2]> {
        let pair = self.pairs.get(servers)?.get(usize::try_from(pair).ok()?)?;
        let [imap, smtp] = &pair.host;
        let settings = |protocol: Protocol, host: &String, port: u16| v1::LegSettings {
            endpoint: Some(v1::Endpoint {
                protocol: protocol.into(),
                host: host.clone(),
                port: port.into(),
                security: Security::Tls.into(),
            }),
            login: None,
        };
        Some([
            settings(Protocol::Imap, imap, pair.port[0]),
            settings(Protocol::Smtp, smtp, pair.port[1]),
        ])
    }

    /// The password of a population's mailboxes.
    pub(crate) fn login(&self, servers: usize, is_right: bool) -> v1::Login {
        let right = self.passwords.get(servers).map_or(PASSWORD, String::as_str);
        let password = if is_right { right } else { WRONG };
        let credential = Some(Credential::Password(password.as_bytes().to_vec()));
        v1::Login { username: String::new(), credential }
    }

    /// What a validation of this population may take.
    pub(crate) fn budget(&self, servers: usize) -> Duration {
        self.populations.get(servers).map_or(Duration::from_secs(60), |known| known.budget)
    }

    /// One validation.
    pub(crate) fn message(
        &self,
        servers: usize,
        pair: u32,
        is_right: bool,
        number: usize,
    ) -> Option<v1::ValidateRequest> {
        let [incoming, outgoing] = self.endpoints(servers, pair)?;
        Some(v1::ValidateRequest {
            address: self.mailbox(servers, pair, number),
            incoming: vec![incoming],
            outgoing: Some(outgoing),
            login: Some(self.login(servers, is_right)),
            test_mail: Some(v1::TestMail {
                mode: Mode::LoginOnly.into(),
                recipient: String::new(),
            }),
            trusted_certificates: self.roots.iter().cloned().collect(),
            budget: self.budget(servers).try_into().ok(),
            ..v1::ValidateRequest::default()
        })
    }
}

/// Sends what is due. Gives the samples when all have ended, and when the last was due.
pub(crate) struct Generator {
    pub(crate) gateways: Gateways,
    pub(crate) requests: Arc<Requests>,
    pub(crate) progress: Arc<Progress>,
    running: JoinSet<Sample>,
    samples: Vec<Sample>,
    number: usize,
}

impl Generator {
    pub(crate) fn new(
        gateways: Gateways,
        requests: Arc<Requests>,
        progress: Arc<Progress>,
    ) -> Self {
        let (running, samples) = (JoinSet::new(), Vec::new());
        Self { gateways, requests, progress, running, samples, number: 0 }
    }

    /// Sends everything of a phase that begins now, and returns when the last was due.
    pub(crate) async fn phase(&mut self, phase: usize, schedule: &[Due]) -> anyhow::Result<()> {
        let (began, began_us) = (Instant::now(), now_us());
        for due in schedule {
            let at = began + due.at;
            sleep_until(at.into()).await;
            self.collect()?;
            let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
            let number = self.number;
            self.number += 1;
            let sample = Sample {
                phase,
                servers: due.servers,
                is_right: due.is_right,
                due: began_us + micros(due.at),
                lag: micros(at.elapsed()),
                mailbox: self.requests.mailbox(due.servers, due.pair, number),
                outcome: None,
            };
            self.progress.due();
            if MOST_OPEN <= self.running.len() {
                self.progress.missed();
                self.samples.push(sample);
                continue;
            }
            let message = self.requests.message(due.servers, due.pair, due.is_right, number);
            let message = message.context("a schedule names servers that are not there")?;
            let (gateways, budget) = (self.gateways.clone(), self.requests.budget(due.servers));
            self.running.spawn(async move {
                let outcome = gateways.validate(message, at, budget).await;
                Sample { outcome: Some(outcome), ..sample }
            });
        }
        Ok(())
    }

    /// Takes in what has ended.
    pub(crate) fn collect(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.running.try_join_next() {
            let sample = ended.context("a validation panicked")?;
            self.progress.ended(&sample);
            self.samples.push(sample);
        }
        Ok(())
    }

    /// Waits until everything that was sent has ended.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<Vec<Sample>> {
        while let Some(ended) = self.running.join_next().await {
            let sample = ended.context("a validation panicked")?;
            self.progress.ended(&sample);
            self.samples.push(sample);
        }
        Ok(std::mem::take(&mut self.samples))
    }
}

/// Now, in microseconds since 1970, as the mail servers write it down.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
