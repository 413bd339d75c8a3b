//! `fleet`: what operators see of a running fleet, and the few things that they can change.
//!
//! Asks a gateway and prints. Needs a token of the role admin where the gateway wants tokens.

mod args;
mod picture;
mod tables;
mod top;

use std::collections::BTreeSet;

use mailfleet_api::v1::fleet_service_client::FleetServiceClient;
use mailfleet_api::v1::limit_group::Condition as WireCondition;
use mailfleet_api::{json, v1};
use mailfleet_model::Violations;

use crate::client::{Calls, Gateway, GatewayArgs};
use crate::exit::{Error, Exit};
use crate::output::print;
use crate::render::wrap;
use crate::span;

pub(crate) use args::FleetCommand;
use args::{AtArgs, Condition, DrainArgs, GroupArgs, GroupsArgs, LimitArgs};

/// Most groups of one page.
const PAGE: i32 = 200;
/// Names begin with these.
const WORKERS: &str = "workers/";

/// Runs the command.
pub(crate) async fn run(command: &FleetCommand) -> Result<Exit, Error> {
    let text = match command {
        FleetCommand::Workers(at) => workers(at).await?,
        FleetCommand::Shards(at) => shards(at).await?,
        FleetCommand::Groups(args) => groups(args).await?,
        FleetCommand::Group(args) => group(args).await?,
        FleetCommand::Limit(args) => limit(args).await?,
        FleetCommand::Pause(args) => pause(args).await?,
        FleetCommand::Resume(args) => resume(args).await?,
        FleetCommand::Drain(args) => drain(args).await?,
        FleetCommand::Top(args) => return top::run(args).await,
    };
    print(&text)?;
    Ok(Exit::Good)
}

/// The fleet behind a gateway.
struct Fleet {
    gateway: Gateway,
    client: FleetServiceClient<Calls>,
}

impl Fleet {
    async fn at(args: &GatewayArgs) -> Result<Self, Error> {
        let gateway = Gateway::reach(&args.gateway, &args.caller).await?;
        let client = FleetServiceClient::new(gateway.calls());
        Ok(Self { gateway, client })
    }

    async fn workers(&mut self) -> Result<Vec<v1::Worker>, Error> {
        let answer = self.client.list_workers(v1::ListWorkersRequest {}).await;
        Ok(answer.map_err(|status| self.gateway.told(&status))?.into_inner().workers)
    }

    async fn shards(&mut self) -> Result<v1::ListShardsResponse, Error> {
        let answer = self.client.list_shards(v1::ListShardsRequest {}).await;
        Ok(answer.map_err(|status| self.gateway.told(&status))?.into_inner())
    }

    async fn groups(
        &mut self,
        contains: &str,
        conditions: &[WireCondition],
    ) -> Result<Vec<v1::LimitGroup>, Error> {
        let mut groups = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListLimitGroupsRequest {
                page_size: PAGE,
                page_token,
                key_contains: contains.to_owned(),
                conditions: conditions.iter().map(|condition| (*condition).into()).collect(),
            };
            let answer = self.client.list_limit_groups(request).await;
            let page = answer.map_err(|status| self.gateway.told(&status))?.into_inner();
            groups.extend(page.groups);
            if page.next_page_token.is_empty() {
                return Ok(groups);
            }
            page_token = page.next_page_token;
        }
    }

    /// The full names of a group: one in each zone, unless one of them was given.
    async fn names(&mut self, key: &str) -> Result<Names, Error> {
        if key.starts_with("zones/") {
            return Ok(Names { first: key.to_owned(), others: Vec::new() });
        }
        let shards = self.shards().await?.shards;
        let zones: BTreeSet<&str> = shards.iter().map(|shard| shard.zone.as_str()).collect();
        let mut names = zones.into_iter().map(|zone| format!("zones/{zone}/limitGroups/{key}"));
        let first = names.next();
        let first = first.ok_or_else(|| anyhow::anyhow!("the gateway's answer holds no shard"))?;
        Ok(Names { first, others: names.collect() })
    }

    async fn group(&mut self, name: String) -> Result<Option<v1::LimitGroup>, Error> {
        let answer = self.client.get_limit_group(v1::GetLimitGroupRequest { name }).await;
        Ok(answer.map_err(|status| self.gateway.told(&status))?.into_inner().group)
    }

    /// The group in its first zone as it is after a change, and in the others.
    async fn shown(
        &mut self,
        first: Option<v1::LimitGroup>,
        others: Vec<String>,
        at: &AtArgs,
    ) -> Result<String, Error> {
        let mut groups = vec![first];
        for name in others {
            groups.push(self.group(name).await?);
        }
        let groups: Option<Vec<v1::LimitGroup>> = groups.into_iter().collect();
        let groups =
            groups.ok_or_else(|| anyhow::anyhow!("the gateway's answer holds no limit group"))?;
        Ok(if at.json {
            groups.iter().map(|group| format!("{}\n", json::to_json(group))).collect()
        } else {
            tables::groups(&groups).render()
        })
    }
}

/// What a group is called in each zone.
struct Names {
    first: String,
    others: Vec<String>,
}

async fn workers(at: &AtArgs) -> Result<String, Error> {
    let workers = Fleet::at(&at.gateway).await?.workers().await?;
    Ok(if at.json {
        workers.iter().map(|worker| format!("{}\n", json::to_json(worker))).collect()
    } else if workers.is_empty() {
        "no worker was heard within the last minute\n".to_owned()
    } else {
        tables::workers(&workers).render()
    })
}

async fn shards(at: &AtArgs) -> Result<String, Error> {
    let answer = Fleet::at(&at.gateway).await?.shards().await?;
    Ok(if at.json { format!("{}\n", json::to_json(&answer)) } else { tables::shards(&answer) })
}

async fn groups(args: &GroupsArgs) -> Result<String, Error> {
    let conditions: Vec<WireCondition> = args.only.iter().map(|only| only.to_wire()).collect();
    let contains = args.contains.as_deref().unwrap_or_default();
    let groups = Fleet::at(&args.at.gateway).await?.groups(contains, &conditions).await?;
    Ok(if args.at.json {
        groups.iter().map(|group| format!("{}\n", json::to_json(group))).collect()
    } else if groups.is_empty() {
        "no limit groups: nothing runs or waits, and none has settings of its own\n".to_owned()
    } else {
        tables::groups(&groups).render()
    })
}

async fn group(args: &GroupArgs) -> Result<String, Error> {
    let mut fleet = Fleet::at(&args.at.gateway).await?;
    let Names { first, others } = fleet.names(&args.key).await?;
    let group = fleet.group(first).await?;
    fleet.shown(group, others, &args.at).await
}

async fn limit(args: &LimitArgs) -> Result<String, Error> {
    let login_rate = args.logins.as_deref().map(rate).transpose()?;
    let limits = v1::Limits {
        concurrency: args.concurrency,
        per_source: args.per_source.unwrap_or_default(),
        login_rate,
    };
    let mut fleet = Fleet::at(&args.at.gateway).await?;
    // What is set in one zone is set in all.
    let Names { first: name, others } = fleet.names(&args.key).await?;
    let request = v1::SetLimitGroupRequest { name, limits: Some(limits) };
    let answer = fleet.client.set_limit_group(request).await;
    let answer = answer.map_err(|status| fleet.gateway.told(&status))?.into_inner();
    fleet.shown(answer.group, others, &args.at).await
}

/// Reads `60/1m`.
fn rate(text: &str) -> Result<v1::LoginRate, Error> {
    let read = text.split_once('/').and_then(|(logins, period)| {
        let logins = logins.parse().ok().filter(|logins| *logins > 0)?;
        Some(v1::LoginRate { logins, period: span::parse(period).ok()?.try_into().ok() })
    });
    read.ok_or_else(|| {
        let mut wrong = Violations::default();
        wrong.add("--logins", "is not a count and a time such as 60/1m");
        Error::Usage(wrong)
    })
}

async fn pause(args: &GroupArgs) -> Result<String, Error> {
    let mut fleet = Fleet::at(&args.at.gateway).await?;
    let Names { first: name, others } = fleet.names(&args.key).await?;
    let answer = fleet.client.pause_limit_group(v1::PauseLimitGroupRequest { name }).await;
    let answer = answer.map_err(|status| fleet.gateway.told(&status))?.into_inner();
    fleet.shown(answer.group, others, &args.at).await
}

async fn resume(args: &GroupArgs) -> Result<String, Error> {
    let mut fleet = Fleet::at(&args.at.gateway).await?;
    let Names { first: name, others } = fleet.names(&args.key).await?;
    let answer = fleet.client.resume_limit_group(v1::ResumeLimitGroupRequest { name }).await;
    let answer = answer.map_err(|status| fleet.gateway.told(&status))?.into_inner();
    fleet.shown(answer.group, others, &args.at).await
}

async fn drain(args: &DrainArgs) -> Result<String, Error> {
    let mut fleet = Fleet::at(&args.at.gateway).await?;
    let id = args.worker.strip_prefix(WORKERS).unwrap_or(&args.worker);
    let request = v1::DrainWorkerRequest { name: format!("{WORKERS}{id}") };
    let answer = fleet.client.drain_worker(request).await;
    let answer = answer.map_err(|status| fleet.gateway.told(&status))?.into_inner();
    let worker = answer.worker.unwrap_or_default();
    Ok(if args.at.json {
        format!("{}\n", json::to_json(&worker))
    } else {
        let (shards, running) = (worker.shards.len(), worker.running);
        format!(
            "{} was asked to drain: it hands {shards} shards over and lets {running} legs end\n",
            wrap::clean(id)
        )
    })
}

impl Condition {
    fn to_wire(self) -> WireCondition {
        match self {
            Self::Paused => WireCondition::Paused,
            Self::Down => WireCondition::ServerDown,
            Self::Lowered => WireCondition::Lowered,
            Self::Waiting => WireCondition::Waiting,
            Self::ShutOut => WireCondition::ShutOut,
        }
    }
}
