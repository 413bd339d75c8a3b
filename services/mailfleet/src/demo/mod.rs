//! `demo`: the real check against simulated servers, all in this process.
//!
//! The only place where a check trusts another authority or reaches loopback without being
//! told so, and only for servers that it started itself. Needs no network, files or accounts.

mod cases;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use indicatif::{ProgressBar, ProgressStyle};
use mailfleet_api::json;
use mailfleet_gateway::{Run, Validator, report_message};
use mailfleet_mailsim::{self as sim, Authority, RunningScenario, Scenario};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{
    Credential, Endpoint, FaultCode, Host, JobId, LegSettings, Login, Protocol, Report, Secret,
    Security, Validation,
};
use mailfleet_probe::limits::Limits;
use mailfleet_probe::resolve::Resolver;
use mailfleet_probe::target::TargetPolicy;
use mailfleet_probe::tls::Trust;
use mailfleet_probe::{CourierRule, Identity, Probe, Rules};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::args::DemoArgs;
use crate::exit::{Error, Exit};
use crate::output::{complain, print};
use crate::render::width;
use crate::signals;

use cases::{CASES, Case, PASSWORD, Sending};

/// Time to look for the test mail. It arrives in less than a second.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The name in the certificate of the case with another name: it exists, at the same address.
const OTHER_NAME: &str = "mail.elsewhere.test";

/// Runs the command. The status is good when every case ended as it must.
pub(crate) async fn run(args: &DemoArgs) -> Result<Exit, Error> {
    let cancel = signals::cancel_on_signal().context("cannot listen for signals")?;
    let stage = Stage::set().await?;
    let bar = bar(args);
    let mut running: FuturesUnordered<_> = CASES
        .iter()
        .zip(&stage.scenes)
        .enumerate()
        .map(|(index, (case, scene))| {
            let (stage, cancel) = (&stage, cancel.clone());
            async move { (index, stage.check(case, scene, cancel).await) }
        })
        .collect();
    let mut ended = BTreeMap::new();
    while let Some((index, report)) = running.next().await {
        ended.insert(index, report?);
        bar.inc(1);
    }
    drop(running);
    bar.finish_and_clear();
    let told: Vec<(&Case, Report)> = CASES.iter().zip(ended.into_values()).collect();
    tell(args, &told)?;
    stage.clear().await?;
    if cancel.is_cancelled() { Ok(Exit::Inconclusive) } else { Ok(verify(&told)) }
}

fn tell(args: &DemoArgs, told: &[(&Case, Report)]) -> Result<(), Error> {
    let language = args.output.lang.into();
    let text = if args.output.json {
        let line = |report| format!("{}\n", json::to_json(&report_message(report, Some(language))));
        told.iter().map(|(_, report)| line(report)).collect()
    } else {
        table::table(told, language, width())
    };
    Ok(print(&text)?)
}

/// Says which case did not end as it must. That would be a mistake of this program.
fn verify(told: &[(&Case, Report)]) -> Exit {
    let mut exit = Exit::Good;
    for (case, report) in told {
        let headline = report.faults.first().filter(|fault| fault.is_blocking());
        let found = headline.map(|fault| fault.code);
        let arrived = report.arrival.as_ref().is_some_and(|arrival| arrival.found.is_some());
        if found != case.expect || (case.sending == Sending::RoundTrip && !arrived) {
            let expected = case.expect.map_or("a healthy mailbox", FaultCode::name);
            let found = found.map_or("something else", FaultCode::name);
            complain(&format!("error: {}: expected {expected}, found {found}\n", case.name));
            exit = Exit::Failure;
        }
    }
    exit
}

/// The simulated servers, and what checks against them.
struct Stage {
    scenes: Vec<Scene>,
    validator: Validator,
}

/// The servers of one case.
struct Scene {
    /// As they were described.
    specs: Vec<sim::Spec>,
    /// As they run, in the same order.
    running: RunningScenario,
}

impl Stage {
    async fn set() -> Result<Self, Error> {
        let authority = Authority::new().context("cannot make certificates")?;
        let authority = Arc::new(authority);
        let mut scenes = Vec::new();
        for case in CASES {
            let scenario = Scenario::parse(case.script).context("a script of ours is wrong")?;
            let specs = scenario.servers.clone();
            let running = scenario.start(&authority).await;
            let running = running.context("cannot start the simulated servers")?;
            scenes.push(Scene { specs, running });
        }
        let hosts = scenes.iter().flat_map(|s| &s.specs).map(sim::Spec::host);
        let here = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let names: HashMap<String, Vec<IpAddr>> =
            hosts.chain([OTHER_NAME.to_owned()]).map(|host| (host, here.clone())).collect();
        let trust = Trust::only([authority.root_der()]).context("cannot trust the simulator")?;
        let probe = Probe {
            resolver: Resolver::fixed(names),
            targets: TargetPolicy::with_exceptions(vec![IpAddr::V4(Ipv4Addr::LOCALHOST).into()]),
            trust,
            limits: Limits::default(),
            identity: Identity::default(),
            rules: Rules { courier: CourierRule::Refuse },
        };
        let validator = Validator::new(Arc::new(probe), Vec::new());
        Ok(Self { scenes, validator })
    }

    async fn check(
        &self,
        case: &Case,
        scene: &Scene,
        cancel: CancellationToken,
    ) -> Result<Report, Error> {
        let validation = validation(case, scene)
            .with_context(|| format!("the case {} cannot be checked", case.name))?;
        let job = JobId(Uuid::now_v7());
        let run = Run { job, observer: Arc::new(()), cancel, trace: None };
        Ok(self.validator.run(validation, run).await)
    }

    async fn clear(self) -> Result<(), Error> {
        for scene in self.scenes {
            scene.running.shutdown().await.context("a simulated server failed")?;
        }
        Ok(())
    }
}

fn validation(case: &Case, scene: &Scene) -> anyhow::Result<Validation> {
    let address = format!("{}@demo.test", case.name);
    let secret = Secret::new(PASSWORD.as_bytes().to_vec());
    let login = Login::new(&address, Arc::new(Credential::Password(secret)));
    let login = login.ok_or_else(|| anyhow!("the address is no user name"))?;
    let (mut incoming, mut outgoing) = (Vec::new(), None);
    for (spec, server) in scene.specs.iter().zip(&scene.running.servers) {
        let endpoint = endpoint(case, spec, server.port())?;
        let is_outgoing = endpoint.protocol == Protocol::Smtp;
        let settings = LegSettings { endpoint, login: login.clone() };
        if is_outgoing {
            outgoing = Some(settings);
        } else {
            incoming.push(settings);
        }
    }
    Ok(Validation {
        mailbox: address.parse()?,
        incoming,
        outgoing,
        test_mail: case.sending.test_mail(),
        tls: TlsPolicy::default(),
        budget: case.budget,
        arrival_timeout: ARRIVAL,
    })
}

/// The endpoint as somebody would have entered it.
fn endpoint(case: &Case, spec: &sim::Spec, port: u16) -> anyhow::Result<Endpoint> {
    let wanted = match spec.tls {
        sim::Tls::Implicit => Security::Tls,
        sim::Tls::Starttls => Security::Starttls,
        sim::Tls::None => Security::Plain,
    };
    Ok(Endpoint {
        protocol: match spec.protocol {
            sim::Protocol::Imap => Protocol::Imap,
            sim::Protocol::Pop3 => Protocol::Pop3,
            sim::Protocol::Smtp => Protocol::Smtp,
        },
        host: spec.host().parse::<Host>()?,
        port,
        security: case.entered.unwrap_or(wanted),
    })
}

/// A bar where somebody watches.
fn bar(args: &DemoArgs) -> ProgressBar {
    if args.output.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let count = u64::try_from(CASES.len()).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{bar:30.green} {pos}/{len} mailboxes  {elapsed}")
        .expect("the template is written here");
    let bar = ProgressBar::new(count).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
