//! What one release costs, by how many legs of the group wait.
//!
//! Dispatch reads the heads of lanes, so the answer should be: the same. What is timed is
//! `Store::release` with the engine's decision, for one leg; a job that is submitted before
//! and ended after it keeps the number of waiting legs.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mailfleet_engine::dispatch;
use mailfleet_engine::rules::DispatchRules;
use mailfleet_model::fleet::{
    Admission, Erased, Gate, GroupId, GroupKey, GroupLimits, JobChange, JobClass, JobDraft,
    JobState, JobView, LegDraft, LegEnd, LegId, LegRecord, LegState, LegSummary, LoginTag,
    MailboxTag, Payload, Release, ShardIndex, Store, TenantId,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{JobId, Secret, Verdict};
use mailfleet_store::{AnyStore, Config, Defaults};
use uuid::Uuid;

use super::say;

/// How many legs wait, the reference first.
const WAITING: [u32; 3] = [1, 1_000, 100_000];
/// Releases that are timed; the median counts.
const RUNS: usize = 200;
/// Releases before that, for caches and prepared statements.
const WARM_UP: usize = 20;
/// Legs of a job while the group is filled: the most that a job may have.
const LEGS: usize = 16;
/// Bytes of an order with its sealed credential, about.
const ORDER: usize = 600;

/// Prints the cost of a release, on SQLite and, where a URL is given, on that database.
pub(crate) async fn run(url: Option<&str>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a folder for the databases")?;
    let file =
        |waiting| format!("sqlite:{}", folder.path().join(format!("{waiting}.db")).display());
    measure("SQLite", file).await?;
    if let Some(url) = url {
        measure("the given database", |_| url.to_owned()).await?;
    }
    Ok(())
}

/// A group with so many waiting legs, and where it is.
struct Place {
    store: AnyStore,
    group: GroupId,
    waiting: u32,
    costs: Vec<Duration>,
}

async fn measure(name: &str, url: impl Fn(u32) -> String) -> anyhow::Result<()> {
    let limits = GroupLimits { concurrency: NonZeroU32::MIN, per_source: None, rate: None };
    // Apart from whatever else is in the database, and erased in the end.
    let tenant: TenantId = format!("bench-{}", Uuid::now_v7().simple()).parse()?;
    let mut places = Vec::new();
    for waiting in WAITING {
        let url = Secret::new(url(waiting).into_bytes());
        let store = AnyStore::open(&url, Config::new(Defaults::all(limits))).await?;
        let group = group(&tenant, waiting)?;
        fill(&store, &tenant, &group, waiting).await?;
        places.push(Place { store, group, waiting, costs: Vec::new() });
    }
    // In turns, so that whatever else the machine does meets all of them alike.
    for run in 0..WARM_UP + RUNS {
        for place in &mut places {
            let cost = release(&place.store, &tenant, &place.group).await?;
            if WARM_UP <= run {
                place.costs.push(cost);
            }
        }
    }
    say(&format!("one release on {name}, by legs that wait:"));
    let mut first = None;
    for Place { waiting, costs, .. } in &mut places {
        costs.sort();
        let median = *costs.get(RUNS / 2).context("releases were timed")?;
        let ratio = median.as_secs_f64() / first.get_or_insert(median).as_secs_f64();
        say(&format!("  {waiting:>7}  {ratio:.2}  ({} µs)", median.as_micros()));
    }
    for Place { store, .. } in &places {
        while store.erase_tenant(&tenant, 1_000).await? == Erased::Partly {}
    }
    Ok(())
}

fn group(tenant: &TenantId, waiting: u32) -> anyhow::Result<GroupId> {
    let key = GroupKey::new(format!("{tenant}:{waiting}"))?;
    Ok(GroupId { zone: "default".parse()?, key })
}

/// Makes all but one of the legs wait; the last one comes with each release.
async fn fill(
    store: &impl Store,
    tenant: &TenantId,
    group: &GroupId,
    waiting: u32,
) -> anyhow::Result<()> {
    let mut left = usize::try_from(waiting.saturating_sub(1))?;
    while left != 0 {
        let legs = left.min(LEGS);
        submit(store, tenant, group, legs).await?;
        left -= legs;
    }
    Ok(())
}

async fn submit(
    store: &impl Store,
    tenant: &TenantId,
    group: &GroupId,
    legs: usize,
) -> anyhow::Result<()> {
    let id = Uuid::now_v7();
    // Logins that nobody has used: their budget is looked up and found empty.
    let mut tag = [0; 32];
    tag[..16].copy_from_slice(id.as_bytes());
    let leg = LegDraft {
        kind: "incoming".parse()?,
        gate: Gate::Open,
        group: group.clone(),
        shard: ShardIndex(0),
        pool: "default".parse()?,
        mailbox: MailboxTag(tag),
        login: LoginTag(tag),
        cap: Duration::from_secs(60),
        payload: Payload(vec![7; ORDER]),
    };
    let draft = JobDraft {
        id: JobId(id),
        tenant: tenant.clone(),
        class: JobClass::Revalidation,
        batch: None,
        request: None,
        settings: None,
        deadline: Duration::from_secs(86_400),
        live_to: None,
        traceparent: None,
        payload: Payload(vec![7; ORDER]),
        legs: vec![leg; legs],
    };
    let accept = |_: &_| Admission::Accept { at_once: Vec::new() };
    let submitted = store.submit(&draft, accept).await?;
    let is_accepted = matches!(submitted.admission, Admission::Accept { .. });
    ensure!(is_accepted, "the job was not accepted");
    Ok(())
}

/// What the release of one leg takes; another one waits in its place before it.
async fn release(
    store: &impl Store,
    tenant: &TenantId,
    group: &GroupId,
) -> anyhow::Result<Duration> {
    let rules = DispatchRules::default();
    submit(store, tenant, group, 1).await?;
    let began = Instant::now();
    let (released, _) = store
        .release(group, |view| {
            let decided = dispatch::release(view, &rules);
            Release { legs: decided.legs.into_iter().take(1).collect(), ..decided }
        })
        .await?;
    let cost = began.elapsed();
    let leg = released.first().context("a leg was released")?;
    store.mark_published(&[(leg.id, leg.dispatch)]).await?;
    let id = leg.id;
    store.advance(id.job, |view| (end(view, id), ())).await?.context("the job is there")?;
    Ok(cost)
}

/// Ends the leg, and with the last leg the job.
fn end(view: &JobView, id: LegId) -> JobChange {
    let summary = LegSummary {
        code: None,
        retry: None,
        login: LoginOutcome::Accepted,
        submission: Submission::NotSent,
    };
    let end = LegEnd { summary, report: Payload(vec![7; ORDER]) };
    let open = view.legs.iter().map(|leg| &leg.leg).filter(|leg| !leg.state.is_final());
    let legs: Vec<LegRecord> = open
        .clone()
        .filter(|leg| leg.id == id)
        .map(|leg| LegRecord { state: LegState::Done, end: Some(end.clone()), ..leg.clone() })
        .collect();
    let is_last = open.count() == legs.len();
    let job = is_last.then(|| mailfleet_model::fleet::JobRecord {
        state: JobState::Done,
        verdict: Some(Verdict::Healthy),
        report: Some(Payload(vec![7; ORDER])),
        ..view.job.clone()
    });
    JobChange { legs, job, ledger: Vec::new() }
}
