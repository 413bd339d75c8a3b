//! `check`: validates one mailbox, in this process or at a gateway, and tells what was found.

pub(crate) mod here;
mod plan;
mod remote;
pub(crate) mod request;
pub(crate) mod roots;
mod secret;

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::Context as _;
use mailfleet_api::json;
use mailfleet_gateway::{Run, Validator, report_message};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{
    Credential, Endpoint, JobId, LegObserver, LegSettings, Login, Report, Validation, Violations,
};
use mailfleet_remedy::Language;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::args::CheckArgs;
use crate::client::CallerArgs;
use crate::config::Settings;
use crate::config::command::load;
use crate::exit::{Error, Exit};
use crate::output::print;
use crate::render::progress::Progress;
use crate::render::report::{Names, Support, Telling, report};
use crate::render::width;
use crate::signals;

use here::Extra;
use plan::{Input, Place, Plan};

/// Runs the command.
pub(crate) async fn run(args: &CheckArgs) -> Result<Exit, Error> {
    let input = if std::io::stdin().is_terminal() { Input::Terminal } else { Input::Other };
    let plan = plan::plan(args, input, |name| std::env::var_os(name)).map_err(Error::Usage)?;
    // Before anybody is asked for a password: a mistake in the configuration comes first.
    let executor = Executor::prepare(&plan, &args.caller)?;
    let validation = validation(&plan, &credentials(&plan).await?)?;
    let cancel = signals::cancel_on_signal().context("cannot listen for signals")?;
    let language = args.output.lang.into();
    let live = Live::start(args, language);
    let found = executor.run(validation, &live.observer, cancel).await;
    live.end();
    let found = found?;
    tracing::info!(job.id = %found.job_id, verdict = %found.verdict, "check has ended");
    if args.output.json {
        print(&format!("{}\n", json::to_json(&report_message(&found, Some(language)))))?;
    } else {
        print(&report(&found, &telling(args, &plan, language)))?;
    }
    Ok(found.verdict.into())
}

/// Where the check runs, ready to run it.
enum Executor {
    Here(Validator),
    Gateway(String, CallerArgs),
}

impl Executor {
    fn prepare(plan: &Plan, caller: &CallerArgs) -> Result<Self, Error> {
        match &plan.place {
            Place::Gateway(url) => Ok(Self::Gateway(url.clone(), caller.clone())),
            Place::Here { allow, egress, config } => {
                let settings = Settings::of(&load(config.as_deref())?);
                let extra = Extra { allow, egress, roots: &plan.roots };
                here::validator(&settings, extra).map(Self::Here)
            }
        }
    }

    async fn run(
        &self,
        validation: Validation,
        observer: &Arc<dyn LegObserver>,
        cancel: CancellationToken,
    ) -> Result<Report, Error> {
        match self {
            Self::Here(validator) => {
                let observer = Arc::clone(observer);
                let job = JobId(Uuid::now_v7());
                let run = Run { job, observer, cancel, trace: Some(job.into()) };
                Ok(validator.run(validation, run).await)
            }
            Self::Gateway(url, caller) => {
                remote::run(url, caller, &validation, observer.as_ref(), cancel).await
            }
        }
    }
}

/// The secrets of a plan, read from where it says.
struct Credentials {
    common: Option<Arc<Credential>>,
    outgoing: Option<Arc<Credential>>,
}

async fn credentials(plan: &Plan) -> Result<Credentials, Error> {
    let prompt = format!("Password for {}: ", plan.username);
    let mut read = Credentials { common: None, outgoing: None };
    if let Some(source) = &plan.secret {
        read.common = Some(secret::read(source, &prompt).await?);
    }
    read.outgoing = match &plan.smtp_secret {
        Some(source) => Some(secret::read(source, &prompt).await?),
        None => read.common.clone(),
    };
    Ok(read)
}

fn validation(plan: &Plan, credentials: &Credentials) -> Result<Validation, Error> {
    let settings = |endpoint: &Endpoint, name: &str, credential: &Option<Arc<Credential>>| {
        let login = credential.clone().and_then(|credential| Login::new(name, credential));
        login.map(|login| LegSettings { endpoint: endpoint.clone(), login }).ok_or_else(|| {
            let mut wrong = Violations::default();
            wrong.add("password", format!("is missing for {endpoint}"));
            Error::Usage(wrong)
        })
    };
    let incoming = plan.incoming.iter();
    let incoming = incoming.map(|at| settings(at, &plan.username, &credentials.common));
    let outgoing = plan.outgoing.iter();
    let outgoing = outgoing.map(|at| settings(at, &plan.smtp_username, &credentials.outgoing));
    Ok(Validation {
        mailbox: plan.mailbox.clone(),
        incoming: incoming.collect::<Result<_, _>>()?,
        outgoing: outgoing.collect::<Result<Vec<_>, _>>()?.pop(),
        test_mail: plan.test_mail.clone(),
        tls: TlsPolicy {
            certificates: plan.certificates,
            extra_roots: plan.roots.iter().map(|root| root.to_vec()).collect(),
        },
        budget: plan.budget,
        arrival_timeout: plan.arrival_timeout,
    })
}

fn telling(args: &CheckArgs, plan: &Plan, language: Language) -> Telling {
    Telling {
        language,
        width: width(),
        names: Names { incoming: plan.username.clone(), outgoing: plan.smtp_username.clone() },
        support: if args.support { Support::Always } else { Support::ForOthers },
    }
}

/// Live progress where somebody watches, nothing elsewhere.
struct Live {
    observer: Arc<dyn LegObserver>,
    progress: Option<Arc<Progress>>,
}

impl Live {
    fn start(args: &CheckArgs, language: Language) -> Self {
        if args.output.json || !std::io::stderr().is_terminal() {
            return Self { observer: Arc::new(()), progress: None };
        }
        let progress = Arc::new(Progress::new(language));
        Self { observer: Arc::clone(&progress) as Arc<dyn LegObserver>, progress: Some(progress) }
    }

    /// Wipes the progress away, so that the report stands alone.
    fn end(&self) {
        if let Some(progress) = &self.progress {
            progress.clear();
        }
    }
}

#[cfg(test)]
mod tests;
