//! Sums a batch up: for each domain at each mail server the most frequent cause, who must act,
//! and what to do. The one mail that an operator would write.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mailfleet_api::batch as wire;
use mailfleet_api::v1;
use mailfleet_model::fleet::{BatchId, CauseCount, GatewayQueue, Store};
use mailfleet_model::{FaultCode, Violations};
use mailfleet_remedy::{Language, page};
use tonic::Status;

use crate::gateway::Gateway;
use crate::message::remedy_message;
use crate::status;

/// Causes if the caller says nothing, and at most.
const CAUSES: (u32, u32) = (100, 1_000);
/// Addresses that are shown of each.
const EXAMPLES: u32 = 5;

pub(super) async fn sum_up<S: Store, Q: GatewayQueue>(
    gateway: &Gateway<S, Q>,
    batch: BatchId,
    language: Option<Language>,
    max_causes: i32,
) -> Result<v1::SummarizeBatchResponse, Status> {
    let mut bad = Violations::default();
    let most = wire::page_size(max_causes, CAUSES, &mut bad);
    if !bad.is_empty() {
        let mut bad = Violations::default();
        bad.add("max_causes", "is less than 0");
        return Err(status::invalid(&bad, language));
    }
    let failed = |error| status::store(&error, language);
    let groups = group(gateway.store.causes(batch).await.map_err(failed)?);
    let shown = usize::try_from(most).unwrap_or(usize::MAX);
    let left_out = groups.len().saturating_sub(shown);
    let mut causes = Vec::new();
    for group in groups.into_iter().take(shown) {
        let Some(first) = group.first() else { continue };
        let examples = gateway.store.examples(batch, first, EXAMPLES).await.map_err(failed)?;
        causes.extend(wire::cause(&group, remedies(first.code, language), examples));
    }
    let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
    Ok(v1::SummarizeBatchResponse { causes, left_out })
}

/// By domain and mail server, the most mailboxes first; in each the most frequent cause first.
fn group(causes: Vec<CauseCount>) -> Vec<Vec<CauseCount>> {
    let mut groups: BTreeMap<(String, Option<String>), Vec<CauseCount>> = BTreeMap::new();
    for cause in causes {
        groups.entry((cause.domain.clone(), cause.group.clone())).or_default().push(cause);
    }
    let mut groups: Vec<Vec<CauseCount>> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by_key(|cause| (Reverse(cause.items), cause.code));
    }
    groups.sort_by_key(|group| Reverse(group.iter().map(|cause| cause.items).sum::<u64>()));
    groups
}

fn remedies(code: FaultCode, language: Option<Language>) -> Vec<v1::Remedy> {
    let all = [Language::English, Language::Japanese];
    let wanted = all.into_iter().filter(|known| language.is_none_or(|asked| asked == *known));
    wanted.map(|language| remedy_message(page(code, language), language)).collect()
}
