//! `job`: shows, lists, watches, explains, traces and cancels jobs of a gateway.
//!
//! Asks and prints; what a job is stands in the gateway's store. The exit status of `show` and
//! `watch` is the verdict, as it is of `check`.

mod args;
mod list;
mod show;
mod trace;

use mailfleet_api::v1::job_service_client::JobServiceClient;
use mailfleet_api::{json, v1};
use mailfleet_model::Verdict;
use mailfleet_remedy::Language;

use crate::client::{Calls, Gateway, GatewayArgs};
use crate::exit::{Error, Exit};
use crate::output::print;
use crate::render::wrap;

use args::OneArgs;
pub(crate) use args::{AtArgs, JobCommand};
pub(crate) use show::verdict_cell;

/// A job holds its report, and that the chain of certificates of each leg.
const MAX_JOB: usize = 16 * 1024 * 1024;

/// Runs the command.
pub(crate) async fn run(command: &JobCommand) -> Result<Exit, Error> {
    match command {
        JobCommand::Show(args) => show(args).await,
        JobCommand::List(args) => list::run(args).await,
        JobCommand::Watch(args) => watch(args).await,
        JobCommand::Explain(args) => explain(args).await,
        JobCommand::Trace(args) => trace(args).await,
        JobCommand::Cancel(args) => cancel(args).await,
    }
}

/// The jobs of a gateway.
pub(super) struct Jobs {
    pub(super) gateway: Gateway,
    pub(super) client: JobServiceClient<Calls>,
}

impl Jobs {
    pub(super) async fn at(args: &GatewayArgs) -> Result<Self, Error> {
        let gateway = Gateway::reach(&args.gateway, &args.caller).await?;
        let client = JobServiceClient::new(gateway.calls()).max_decoding_message_size(MAX_JOB);
        Ok(Self { gateway, client })
    }

    async fn get(&mut self, one: &OneArgs) -> Result<v1::Job, Error> {
        let language = remedies(&one.at);
        let answer = self.client.get_job(v1::GetJobRequest { name: one.name(), language }).await;
        let answer = answer.map_err(|status| self.gateway.told(&status))?;
        answer.into_inner().job.ok_or_else(nothing)
    }
}

/// The language of remedies in JSON; a person gets those of this command.
fn remedies(at: &AtArgs) -> String {
    let language: Language = at.output.lang.into();
    if at.output.json { language.code().to_owned() } else { String::new() }
}

fn nothing() -> Error {
    Error::Own(anyhow::anyhow!("the gateway's answer holds no job"))
}

async fn show(args: &OneArgs) -> Result<Exit, Error> {
    let job = Jobs::at(&args.at.gateway).await?.get(args).await?;
    tell(&job, &args.at)?;
    Ok(exit(&job))
}

/// Prints the job, whole.
fn tell(job: &v1::Job, at: &AtArgs) -> Result<(), Error> {
    let text = if at.output.json {
        format!("{}\n", json::to_json(job))
    } else {
        show::job(job, at.output.lang.into())?
    };
    Ok(print(&text)?)
}

/// The verdict where there is one; a job that is open is no trouble of anybody's.
fn exit(job: &v1::Job) -> Exit {
    match v1::report::Verdict::try_from(job.verdict) {
        Ok(v1::report::Verdict::Healthy) => Verdict::Healthy.into(),
        Ok(v1::report::Verdict::Faulty) => Verdict::Faulty.into(),
        Ok(v1::report::Verdict::Inconclusive) => Verdict::Inconclusive.into(),
        Ok(v1::report::Verdict::Unspecified) | Err(_) => Exit::Good,
    }
}

async fn watch(args: &OneArgs) -> Result<Exit, Error> {
    let mut jobs = Jobs::at(&args.at.gateway).await?;
    let language = remedies(&args.at);
    let request = v1::WatchJobRequest { name: args.name(), language, ..Default::default() };
    let answer = jobs.client.watch_job(request).await;
    let mut stream = answer.map_err(|status| jobs.gateway.told(&status))?.into_inner();
    let mut last = None;
    while let Some(news) = stream.message().await.map_err(|status| jobs.gateway.told(&status))? {
        // A message without a job only says that the stream is alive.
        let Some(job) = news.job else { continue };
        if job.state() == v1::job::State::Open {
            if args.at.output.json {
                print(&format!("{}\n", json::to_json(&job)))?;
            } else {
                print(&show::changes(last.as_ref(), &job, args.at.output.lang.into()))?;
            }
        } else {
            tell(&job, &args.at)?;
        }
        last = Some(job);
    }
    last.map(|job| exit(&job)).ok_or_else(nothing)
}

async fn explain(args: &OneArgs) -> Result<Exit, Error> {
    let mut jobs = Jobs::at(&args.at.gateway).await?;
    let language: Language = args.at.output.lang.into();
    let request = v1::ExplainJobRequest { name: args.name(), language: language.code().to_owned() };
    let answer = jobs.client.explain_job(request).await;
    let explained = answer.map_err(|status| jobs.gateway.told(&status))?.into_inner();
    let text = if args.at.output.json {
        format!("{}\n", json::to_json(&explained))
    } else {
        show::explanation(&explained, language)
    };
    print(&text)?;
    Ok(Exit::Good)
}

async fn trace(args: &OneArgs) -> Result<Exit, Error> {
    let job = Jobs::at(&args.at.gateway).await?.get(args).await?;
    let text = if args.at.output.json {
        format!("{}\n", json::to_json(&job))
    } else {
        trace::waterfall(&job, args.at.output.lang.into(), crate::render::width())?
    };
    print(&text)?;
    Ok(Exit::Good)
}

async fn cancel(args: &OneArgs) -> Result<Exit, Error> {
    let mut jobs = Jobs::at(&args.at.gateway).await?;
    let answer = jobs.client.cancel_job(v1::CancelJobRequest { name: args.name() }).await;
    let answer = answer.map_err(|status| jobs.gateway.told(&status))?.into_inner();
    let job = answer.job.ok_or_else(nothing)?;
    let text = if args.at.output.json {
        format!("{}\n", json::to_json(&job))
    } else if job.state() == v1::job::State::Cancelled {
        format!("{} is cancelled\n", wrap::clean(&job.name))
    } else {
        format!("{} had ended before\n", wrap::clean(&job.name))
    };
    print(&text)?;
    Ok(Exit::Good)
}
