//! `job list`: jobs as a table, page after page, as many as were asked for.

use std::time::SystemTime;

use anstyle::Style;
use mailfleet_api::{json, v1};

use super::Jobs;
use super::args::ListArgs;
use super::show::{state_word, verdict_cell};
use crate::exit::{Error, Exit};
use crate::explain;
use crate::output::print;
use crate::render::columns::{self, Cell, cell};
use crate::render::{CODE, DIM, wrap};

/// Most jobs of one page.
const PAGE: u32 = 200;

/// Runs the command.
pub(super) async fn run(args: &ListArgs) -> Result<Exit, Error> {
    let mut request = request(args)?;
    let mut jobs = Jobs::at(&args.at.gateway).await?;
    let mut shown: Vec<v1::Job> = Vec::new();
    loop {
        let missing = args.limit.saturating_sub(u32::try_from(shown.len()).unwrap_or(u32::MAX));
        if missing == 0 {
            break;
        }
        request.page_size = i32::try_from(missing.min(PAGE)).unwrap_or(i32::MAX);
        let answer = jobs.client.list_jobs(request.clone()).await;
        let page = answer.map_err(|status| jobs.gateway.told(&status))?.into_inner();
        shown.extend(page.jobs);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let text = if args.at.output.json {
        shown.iter().map(|job| format!("{}\n", json::to_json(job))).collect()
    } else if shown.is_empty() {
        "no jobs\n".to_owned()
    } else {
        table(&shown)
    };
    print(&text)?;
    Ok(Exit::Good)
}

fn request(args: &ListArgs) -> Result<v1::ListJobsRequest, Error> {
    let upper = |words: &[String]| words.iter().map(|w| w.to_ascii_uppercase()).collect::<Vec<_>>();
    let states = upper(&args.state);
    let states = states.iter().filter_map(|word| v1::job::State::from_str_name(word));
    let verdicts = upper(&args.verdict);
    let verdicts = verdicts.iter().filter_map(|word| v1::report::Verdict::from_str_name(word));
    let code = args.code.as_deref().map(code).transpose()?;
    Ok(v1::ListJobsRequest {
        states: states.map(Into::into).collect(),
        verdicts: verdicts.map(Into::into).collect(),
        mailbox: args.mailbox.clone().unwrap_or_default(),
        code: code.unwrap_or_default().into(),
        ..v1::ListJobsRequest::default()
    })
}

fn code(given: &str) -> Result<v1::fault::Code, Error> {
    let code = explain::find(given)?;
    let known = v1::fault::Code::from_str_name(code.name());
    Ok(known.expect("the tests hold the list of codes against the proto file"))
}

fn table(jobs: &[v1::Job]) -> String {
    let heading = ["JOB", "STATE", "VERDICT", "MAILBOX", "CREATED"];
    columns::table(&heading, jobs.iter().map(row).collect())
}

fn row(job: &v1::Job) -> Vec<Cell> {
    let plain = Style::new();
    let created = job.create_time.and_then(|time| SystemTime::try_from(time).ok());
    let created = created.map(|time| humantime::format_rfc3339_seconds(time).to_string());
    vec![
        cell(CODE, wrap::clean(&job.job_id)),
        cell(plain, state_word(job.state())),
        verdict_cell(job.verdict()),
        cell(plain, wrap::clean(&job.mailbox)),
        cell(DIM, created.unwrap_or_default()),
    ]
}
