//! `batch results`: what came of the mailboxes, page after page, as a table, CSV or JSON lines.

use anyhow::Context as _;
use mailfleet_api::{json, v1};

use super::args::ResultsArgs;
use super::show::{code_name, items, moment};
use super::{Batches, which};
use crate::exit::{Error, Exit};
use crate::output::print;

/// Items of one page.
const PAGE: i32 = 1_000;
const HEADING: [&str; 9] =
    ["position", "key", "address", "state", "verdict", "code", "limit_group", "job", "end_time"];

/// Runs the command.
pub(super) async fn run(args: &ResultsArgs) -> Result<Exit, Error> {
    let (code, verdict) = which(&args.which)?;
    let state = args.state.as_ref().map(|state| state.to_ascii_uppercase());
    let state = state.and_then(|word| v1::batch_item_result::State::from_str_name(&word));
    let mut request = v1::ListBatchItemsRequest {
        name: args.one.name(),
        page_size: PAGE,
        page_token: String::new(),
        state: state.unwrap_or_default().into(),
        verdict: verdict.into(),
        code: code.into(),
        domain: args.which.domain.clone().unwrap_or_default(),
    };
    let mut batches = Batches::at(args.one.gateway()).await?;
    let mut first = true;
    loop {
        let answer = batches.client.list_batch_items(request.clone()).await;
        let page = answer.map_err(|status| batches.gateway.told(&status))?.into_inner();
        let text = if args.one.at.output.json {
            page.items.iter().map(|item| format!("{}\n", json::to_json(item))).collect()
        } else if args.csv {
            csv_page(&page.items, first)?
        } else if page.items.is_empty() && first {
            "no mailboxes\n".to_owned()
        } else {
            items(&page.items)
        };
        print(&text)?;
        first = false;
        if page.next_page_token.is_empty() {
            return Ok(Exit::Good);
        }
        request.page_token = page.next_page_token;
    }
}

fn csv_page(items: &[v1::BatchItemResult], with_heading: bool) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let cannot = "cannot write CSV";
    if with_heading {
        writer.write_record(HEADING).context(cannot)?;
    }
    for item in items {
        let verdict = if item.verdict == 0 { "" } else { item.verdict().as_str_name() };
        let position = item.position.to_string();
        let end = moment(item.end_time);
        writer
            .write_record([
                position.as_str(),
                &plain(&item.key),
                &plain(&item.address),
                item.state().as_str_name(),
                verdict,
                code_name(item),
                &item.limit_group,
                item.job.trim_start_matches("jobs/"),
                &end,
            ])
            .context(cannot)?;
    }
    let bytes = writer.into_inner().map_err(|_| anyhow::anyhow!(cannot))?;
    Ok(String::from_utf8(bytes).context(cannot)?)
}

/// A text that no spreadsheet takes for a formula.
fn plain(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}
