//! `batch`: uploads, lists, follows, sums up and steers batches of a gateway.
//!
//! Asks and prints; what a batch is stands in the gateway's store.

mod args;
mod results;
mod rows;
mod show;
mod submit;
mod watch;

use anyhow::Context as _;
use mailfleet_api::v1::batch_service_client::BatchServiceClient;
use mailfleet_api::{json, v1};
use mailfleet_remedy::Language;

use crate::client::{Calls, Gateway, GatewayArgs};
use crate::exit::{Error, Exit};
use crate::output::print;
use crate::{explain, signals};

pub(crate) use args::BatchCommand;
use args::{ListArgs, OneArgs, PauseArgs, RedriveArgs, ResumeArgs, WhichArgs};

/// A page of items, or a summary in one language, with room.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Most batches of one page.
const PAGE: u32 = 200;

/// Runs the command.
pub(crate) async fn run(command: &BatchCommand) -> Result<Exit, Error> {
    match command {
        BatchCommand::Submit(args) => Box::pin(submit::run(args)).await,
        BatchCommand::List(args) => list(args).await,
        BatchCommand::Show(args) => show_one(args).await,
        BatchCommand::Watch(args) => follow(args).await,
        BatchCommand::Results(args) => results::run(args).await,
        BatchCommand::Summary(args) => summary(args).await,
        BatchCommand::Pause(args) => pause(args).await,
        BatchCommand::Resume(args) => resume(args).await,
        BatchCommand::Cancel(args) => cancel(args).await,
        BatchCommand::Redrive(args) => redrive(args).await,
    }
}

/// The batches of a gateway.
struct Batches {
    gateway: Gateway,
    client: BatchServiceClient<Calls>,
}

impl Batches {
    async fn at(args: &GatewayArgs) -> Result<Self, Error> {
        let gateway = Gateway::reach(&args.gateway, &args.caller).await?;
        let client = BatchServiceClient::new(gateway.calls());
        Ok(Self { gateway, client: client.max_decoding_message_size(MAX_ANSWER) })
    }
}

fn nothing() -> Error {
    Error::Own(anyhow::anyhow!("the gateway's answer holds no batch"))
}

/// The bare id of a batch.
fn id_of(batch: &v1::Batch) -> String {
    batch.name.trim_start_matches("batches/").to_owned()
}

/// The code and verdict that were asked for; unspecified where none was.
fn which(args: &WhichArgs) -> Result<(v1::fault::Code, v1::report::Verdict), Error> {
    let code = args.code.as_deref().map(explain::find).transpose()?;
    let code = code.and_then(|code| v1::fault::Code::from_str_name(code.name()));
    let verdict = args.verdict.as_ref().map(|verdict| verdict.to_ascii_uppercase());
    let verdict = verdict.and_then(|word| v1::report::Verdict::from_str_name(&word));
    Ok((code.unwrap_or_default(), verdict.unwrap_or_default()))
}

/// Prints what became of a batch.
fn tell(one: &OneArgs, batch: Option<v1::Batch>) -> Result<Exit, Error> {
    let batch = batch.ok_or_else(nothing)?;
    let as_json = one.at.output.json;
    let text = if as_json { format!("{}\n", json::to_json(&batch)) } else { show::told(&batch) };
    print(&text)?;
    Ok(Exit::Good)
}

async fn list(args: &ListArgs) -> Result<Exit, Error> {
    let mut batches = Batches::at(&args.at.gateway).await?;
    let mut request = v1::ListBatchesRequest::default();
    let mut shown: Vec<v1::Batch> = Vec::new();
    loop {
        let missing = args.limit.saturating_sub(u32::try_from(shown.len()).unwrap_or(u32::MAX));
        if missing == 0 {
            break;
        }
        request.page_size = i32::try_from(missing.min(PAGE)).unwrap_or(i32::MAX);
        let answer = batches.client.list_batches(request.clone()).await;
        let page = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
        shown.extend(page.batches);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let text = if args.at.output.json {
        shown.iter().map(|batch| format!("{}\n", json::to_json(batch))).collect()
    } else if shown.is_empty() {
        "no batches\n".to_owned()
    } else {
        show::list(&shown)
    };
    print(&text)?;
    Ok(Exit::Good)
}

async fn show_one(args: &OneArgs) -> Result<Exit, Error> {
    let mut batches = Batches::at(args.gateway()).await?;
    let answer = batches.client.get_batch(v1::GetBatchRequest { name: args.name() }).await;
    let answer = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
    let batch = answer.batch.ok_or_else(nothing)?;
    let as_json = args.at.output.json;
    let text = if as_json { format!("{}\n", json::to_json(&batch)) } else { show::batch(&batch) };
    print(&text)?;
    Ok(Exit::Good)
}

async fn follow(args: &OneArgs) -> Result<Exit, Error> {
    let mut batches = Batches::at(args.gateway()).await?;
    let stop = signals::cancel_on_signal().context("cannot listen for signals")?;
    watch::follow(&mut batches, &args.name(), args.at.output.json, &stop).await
}

async fn summary(args: &OneArgs) -> Result<Exit, Error> {
    let mut batches = Batches::at(args.gateway()).await?;
    let language: Language = args.at.output.lang.into();
    let language = language.code().to_owned();
    let request = v1::SummarizeBatchRequest { name: args.name(), language, max_causes: 0 };
    let answer = batches.client.summarize_batch(request).await;
    let summary = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
    let text = if args.at.output.json {
        summary.causes.iter().map(|cause| format!("{}\n", json::to_json(cause))).collect()
    } else {
        show::summary(&summary)
    };
    print(&text)?;
    Ok(Exit::Good)
}

async fn pause(args: &PauseArgs) -> Result<Exit, Error> {
    let mut batches = Batches::at(args.one.gateway()).await?;
    let request = v1::PauseBatchRequest { name: args.one.name(), reason: args.reason.clone() };
    let answer = batches.client.pause_batch(request).await;
    let answer = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
    tell(&args.one, answer.batch)
}

async fn resume(args: &ResumeArgs) -> Result<Exit, Error> {
    let mut batches = Batches::at(args.one.gateway()).await?;
    let request = v1::ResumeBatchRequest { name: args.one.name(), lift_guard: args.lift_guard };
    let answer = batches.client.resume_batch(request).await;
    let answer = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
    tell(&args.one, answer.batch)
}

async fn cancel(args: &OneArgs) -> Result<Exit, Error> {
    let mut batches = Batches::at(args.gateway()).await?;
    let answer = batches.client.cancel_batch(v1::CancelBatchRequest { name: args.name() }).await;
    let answer = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
    tell(args, answer.batch)
}

async fn redrive(args: &RedriveArgs) -> Result<Exit, Error> {
    let (code, verdict) = which(&args.which)?;
    let mut batches = Batches::at(args.one.gateway()).await?;
    let request = v1::RedriveBatchRequest {
        name: args.one.name(),
        code: code.into(),
        verdict: verdict.into(),
        domain: args.which.domain.clone().unwrap_or_default(),
    };
    let answer = batches.client.redrive_batch(request).await;
    let answer = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
    if args.one.at.output.json {
        return tell(&args.one, answer.batch);
    }
    print(&format!("{} mailboxes are validated anew\n", answer.items))?;
    Ok(Exit::Good)
}
