//! `mailfleet.v1.FleetService`: the workers, the shards, and the limits of mail servers.

use std::sync::Arc;

use mailfleet_api::v1::fleet_service_server::FleetService;
use mailfleet_api::{fleet, v1};
use mailfleet_model::Violations;
use mailfleet_model::fleet::{Control, GatewayQueue, GroupId, ShardIndex, Store};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::gateway::Gateway;
use crate::status;
use crate::tenants::Role;

/// The service.
#[derive(Debug)]
pub(crate) struct Fleet<S, Q: GatewayQueue>(pub(crate) Arc<Gateway<S, Q>>);

#[tonic::async_trait]
impl<S: Store, Q: GatewayQueue> FleetService for Fleet<S, Q> {
    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        self.admin(request.metadata())?;
        let now = self.0.now();
        let members = self.0.members.all(now);
        let workers =
            members.iter().map(|member| fleet::worker(&member.news, now.since(member.heard)));
        Ok(Response::new(v1::ListWorkersResponse { workers: workers.collect() }))
    }

    async fn list_shards(
        &self,
        request: Request<v1::ListShardsRequest>,
    ) -> Result<Response<v1::ListShardsResponse>, Status> {
        self.admin(request.metadata())?;
        let gateway = &self.0;
        let (zones, now) = (gateway.zones(), gateway.now());
        let mut shards = Vec::new();
        for zone in &zones {
            shards.extend((0..gateway.rules.collect.shards.get()).map(|index| {
                let owners = gateway.members.owners(zone, ShardIndex(index), now);
                let owners = owners.iter().map(fleet::worker_name).collect();
                v1::Shard { index: index.into(), owners, zone: zone.to_string() }
            }));
        }
        let zone = match zones.as_slice() {
            [only] => only.to_string(),
            _ => String::new(),
        };
        Ok(Response::new(v1::ListShardsResponse { zone, shards }))
    }

    async fn list_limit_groups(
        &self,
        request: Request<v1::ListLimitGroupsRequest>,
    ) -> Result<Response<v1::ListLimitGroupsResponse>, Status> {
        let asked = self.asked(request)?;
        let listing = fleet::group_listing(&asked).map_err(|bad| status::invalid(&bad, None))?;
        let page = Box::pin(self.0.groups(&listing)).await;
        page.map(Response::new).map_err(|error| status::store(&error, None))
    }

    async fn get_limit_group(
        &self,
        request: Request<v1::GetLimitGroupRequest>,
    ) -> Result<Response<v1::GetLimitGroupResponse>, Status> {
        let asked = self.asked(request)?;
        let group = self.show(&self.group(&asked.name)?).await?;
        Ok(Response::new(v1::GetLimitGroupResponse { group: Some(group) }))
    }

    async fn set_limit_group(
        &self,
        request: Request<v1::SetLimitGroupRequest>,
    ) -> Result<Response<v1::SetLimitGroupResponse>, Status> {
        let asked = self.asked(request)?;
        let mut bad = Violations::default();
        let group = fleet::parse_group_name(&asked.name, &self.0.zones());
        let limits = fleet::parse_limits(asked.limits.as_ref());
        let wrong = [group.as_ref().err(), limits.as_ref().err()];
        for wrong in wrong.into_iter().flatten().flat_map(Violations::as_slice) {
            bad.add(&wrong.field, &wrong.description);
        }
        let (Ok(group), Ok(limits)) = (group, limits) else {
            return Err(status::invalid(&bad, None));
        };
        let set = self.0.set_limits(&group, limits).await;
        set.map_err(|error| status::store(&error, None))?;
        let group = self.show(&group).await?;
        Ok(Response::new(v1::SetLimitGroupResponse { group: Some(group) }))
    }

    async fn pause_limit_group(
        &self,
        request: Request<v1::PauseLimitGroupRequest>,
    ) -> Result<Response<v1::PauseLimitGroupResponse>, Status> {
        let asked = self.asked(request)?;
        let group = self.pause(&asked.name, true).await?;
        Ok(Response::new(v1::PauseLimitGroupResponse { group: Some(group) }))
    }

    async fn resume_limit_group(
        &self,
        request: Request<v1::ResumeLimitGroupRequest>,
    ) -> Result<Response<v1::ResumeLimitGroupResponse>, Status> {
        let asked = self.asked(request)?;
        let group = self.pause(&asked.name, false).await?;
        Ok(Response::new(v1::ResumeLimitGroupResponse { group: Some(group) }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        let asked = self.asked(request)?;
        let id =
            fleet::parse_worker_name(&asked.name).map_err(|bad| status::invalid(&bad, None))?;
        let now = self.0.now();
        let members = self.0.members.all(now);
        let member = members.iter().find(|member| member.news.worker == id);
        let member = member.ok_or_else(|| status::no_such_worker(None))?;
        self.0.link.tell(&id, &Control::Drain(id.clone())).await;
        tracing::info!(worker = %id, "an operator asked a worker to drain");
        let worker = Some(fleet::worker(&member.news, now.since(member.heard)));
        Ok(Response::new(v1::DrainWorkerResponse { worker }))
    }

    async fn get_fleet_summary(
        &self,
        request: Request<v1::GetFleetSummaryRequest>,
    ) -> Result<Response<v1::GetFleetSummaryResponse>, Status> {
        let asked = self.asked(request)?;
        let window =
            fleet::parse_window(asked.window).map_err(|bad| status::invalid(&bad, None))?;
        let summary = Box::pin(self.0.summary(window)).await;
        summary.map(Response::new).map_err(|error| status::store(&error, None))
    }
}

impl<S: Store, Q: GatewayQueue> Fleet<S, Q> {
    fn admin(&self, metadata: &MetadataMap) -> Result<(), Status> {
        self.0.caller(metadata, Role::Admin, None).map(drop)
    }

    /// The request of a caller who may make it.
    fn asked<T>(&self, request: Request<T>) -> Result<T, Status> {
        self.admin(request.metadata())?;
        Ok(request.into_inner())
    }

    fn group(&self, name: &str) -> Result<GroupId, Status> {
        let group = fleet::parse_group_name(name, &self.0.zones());
        group.map_err(|bad| status::invalid(&bad, None))
    }

    async fn show(&self, group: &GroupId) -> Result<v1::LimitGroup, Status> {
        let known = self.0.known(group).await.map_err(|error| status::store(&error, None))?;
        Ok(fleet::group(&known))
    }

    async fn pause(&self, name: &str, paused: bool) -> Result<v1::LimitGroup, Status> {
        let group = self.group(name)?;
        let set = self.0.set_paused(&group, paused).await;
        set.map_err(|error| status::store(&error, None))?;
        self.show(&group).await
    }
}
