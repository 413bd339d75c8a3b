//! Submitting: a validation becomes a job in the store, or joins one, or is refused.
//!
//! Everything that could tell a secret is sealed or made a tag here, before anything is
//! stored. Legs for which nobody has to wait are on their way to the broker when the job is
//! there; the others are found by dispatch.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use mailfleet_api::order::{self, LegOrder, Pair};
use mailfleet_engine::submit::{Gatekeeper, admit};
use mailfleet_engine::{ARRIVAL_OVERHEAD, arrival_leg, join, legs};
use mailfleet_model::fleet::{
    Admission, Gate, GatewayQueue, GroupId, JobClass, JobDraft, LegDraft, Refusal, RequestKey,
    Store, StoreError, ZoneName, shard_of,
};
use mailfleet_model::{
    Endpoint, FaultCode, JobId, LegReport, LegSpec, Outline, Report, TraceId, Validation,
};
use mailfleet_probe::resolve::Resolved;
use mailfleet_vault::{Binding, Purpose};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::compose::fault_of_ours;
use crate::fields::fields;
use crate::gateway::Gateway;
use crate::item::group_by_name;
use crate::tenants::Tenant;

/// Validations have no mailbox that outlives them, so no second credential.
const CREDENTIAL_VERSION: u64 = 1;
/// What is to be submitted.
#[derive(Debug)]
pub(crate) struct Order {
    /// The id that the job gets if it is new.
    pub(crate) job: JobId,
    pub(crate) validation: Validation,
    /// What it must have in common with another one to be the same, from before the call's
    /// deadline shortened anything.
    pub(crate) fields: Vec<Vec<u8>>,
    /// The caller's name for the request.
    pub(crate) request_id: Option<Uuid>,
    /// Whether somebody here watches the steps.
    pub(crate) live: bool,
    pub(crate) trace: TraceId,
    pub(crate) traceparent: Option<String>,
    /// When the final report must stand, if the caller wants it sooner than the legs may take.
    pub(crate) within: Option<Duration>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Submission {
    /// The job is new, and ends within this time.
    Created(Duration),
    /// An earlier request made the job.
    Repeated(JobId),
    /// The job was running already.
    Joined(JobId),
    /// The secret was refused a short while ago; this is all that there is to report.
    KeptBack(Box<Report>, Option<Duration>),
    /// The tenant has too many open jobs.
    OverQuota(Duration),
    /// The request id belongs to another request.
    RequestIdReused,
}

/// Why nothing could be submitted: ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a credential cannot be sealed")]
    Seal(#[source] mailfleet_vault::Error),
}

/// A leg and what its order says beside the specification.
pub(crate) struct Planned {
    pub(crate) spec: LegSpec,
    pub(crate) kind: &'static str,
    pub(crate) gate: Gate,
    pub(crate) pair: Pair,
    pub(crate) budget: Duration,
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// What two validations must have in common to be the same.
    pub(crate) fn fields(&self, validation: &Validation) -> Vec<Vec<u8>> {
        fields(validation, |login| self.ring.login_tag(login))
    }

    /// Stores a job for the validation, or finds the one that it repeats or joins.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        tenant: &Tenant,
        order: Order,
    ) -> Result<Submission, SubmitError> {
        let egress = self.config.pools.get(&tenant.pool).cloned().unwrap_or_default();
        let outline = Outline::of(&order.validation, egress, |login| self.ring.login_tag(login));
        let draft = self.draft(tenant, &order, &outline).await?;
        let gate = Gatekeeper {
            quota: tenant.quota(),
            blocked: None,
            publishes: self.publishes(),
            rules: &self.rules.dispatch,
        };
        // The commit is later than this, so what counts from here is on the safe side.
        let began = Instant::now();
        let submitted = self.store.submit(&draft, |view| admit(view, &draft, &gate)).await?;
        self.publish_soon(&submitted.released, began);
        self.wakes.wake_for(draft.class, submitted.wake);
        Ok(match submitted.admission {
            Admission::Accept { .. } => Submission::Created(draft.deadline),
            Admission::Repeated(job) => Submission::Repeated(job),
            Admission::Join(job) => Submission::Joined(job),
            Admission::Refuse(Refusal::RequestIdReused) => Submission::RequestIdReused,
            Admission::Refuse(Refusal::OverQuota { retry_after }) => {
                Submission::OverQuota(retry_after)
            }
            Admission::Refuse(Refusal::AttemptBudget { leg, retry_after }) => {
                let code = FaultCode::AttemptBudgetExhausted;
                let report = refused(&order, &outline, leg, code, retry_after);
                Submission::KeptBack(Box::new(report), retry_after)
            }
            // The legs find that out; kept so that the report says it whoever does.
            Admission::Refuse(Refusal::TargetNotAllowed { leg }) => {
                let code = FaultCode::TargetNotAllowed;
                Submission::KeptBack(Box::new(refused(&order, &outline, leg, code, None)), None)
            }
        })
    }

    async fn draft(
        &self,
        tenant: &Tenant,
        order: &Order,
        outline: &Outline,
    ) -> Result<JobDraft, SubmitError> {
        let Order { job, validation, request_id, .. } = order;
        let planned = plan(validation);
        let zone = self.zone_of(&tenant.pool);
        let groups = planned.iter().map(|planned| self.group(&planned.spec.endpoint, zone));
        let groups = futures::future::join_all(groups).await;
        let legs: Result<Vec<LegDraft>, SubmitError> = planned
            .into_iter()
            .zip(groups)
            .map(|(planned, group)| self.leg(tenant, planned, group))
            .collect();
        let fields: Vec<&[u8]> = order.fields.iter().map(Vec::as_slice).collect();
        // Its legs end within it whatever they do, and their results have to come back.
        let longest = longest(validation) + self.rules.collect.kept;
        Ok(JobDraft {
            id: *job,
            tenant: tenant.name.clone(),
            class: JobClass::Interactive,
            batch: None,
            request: request_id.map(|id| RequestKey {
                id: id.to_string(),
                body: self.ring.request_tag(&tenant.name, &fields),
            }),
            settings: Some(self.ring.settings_tag(&tenant.name, &fields)),
            deadline: order.within.map_or(longest, |within| within.min(longest)),
            live_to: order.live.then(|| self.id.clone()),
            traceparent: order.traceparent.clone(),
            payload: order::outline_payload(outline),
            legs: legs?,
        })
    }

    /// Seals a leg.
    pub(crate) fn leg(
        &self,
        tenant: &Tenant,
        planned: Planned,
        group: GroupId,
    ) -> Result<LegDraft, SubmitError> {
        let Planned { spec, kind, gate, pair, budget } = planned;
        let mailbox = spec.mailbox.to_string();
        let binding = Binding {
            tenant: &tenant.name,
            mailbox: &mailbox,
            credential_version: CREDENTIAL_VERSION,
            username: &spec.login.username,
            endpoint: &spec.endpoint,
            tls: &spec.tls,
            purpose: Purpose::Validation,
        };
        let ring = self.ring_of(&group.zone);
        let sealed = ring.seal(&spec.login.credential, &binding).map_err(SubmitError::Seal)?;
        let login = self.ring.login_tag(&spec.login);
        let order = LegOrder {
            tenant: tenant.name.clone(),
            mailbox: spec.mailbox,
            endpoint: spec.endpoint,
            username: spec.login.username,
            sealed: sealed.to_bytes(),
            credential_version: CREDENTIAL_VERSION,
            tls: spec.tls,
            plan: spec.plan,
            budget,
            pair,
        };
        Ok(LegDraft {
            kind: kind.parse().expect("a name"),
            gate,
            shard: shard_of(&group.key, self.rules.collect.shards),
            group,
            pool: tenant.pool.clone(),
            // Servers that tell `Taro` from `taro` are rarer than people who do not.
            mailbox: self.ring.mailbox_tag(&mailbox.to_lowercase()),
            login,
            cap: budget,
            payload: order.to_payload(),
        })
    }

    /// The limit group of an endpoint in a zone. A host that has no addresses in time, or none that may
    /// be connected to, is grouped by its name, and its leg tells the fault.
    pub(crate) async fn group(&self, endpoint: &Endpoint, zone: &ZoneName) -> GroupId {
        let host = &endpoint.host;
        let found = timeout(self.config.resolve_within, self.resolver.look_up(host)).await;
        let found: Resolved = found.ok().and_then(Result::ok).unwrap_or_default();
        // The owner looks at the same: what is not connected to does not say which server it is.
        let addresses = self.targets.select(&found.addresses, endpoint.port).unwrap_or_default();
        let key = if addresses.is_empty() {
            group_by_name(endpoint)
        } else {
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            changes.group(endpoint.protocol, host, &found.aliases, &addresses, self.now())
        };
        GroupId { zone: zone.clone(), key }
    }
}

/// The legs: incoming ones, the outgoing one, and the one that looks for the test mail.
pub(crate) fn plan(validation: &Validation) -> Vec<Planned> {
    let token = Uuid::new_v4().simple().to_string();
    let planned = legs(validation, &token);
    let (first, last) = match (planned.incoming.first(), &planned.outgoing) {
        (Some(incoming), Some(outgoing)) if incoming.login.same_as(&outgoing.login) => {
            (Pair::IncomingSameLogin, Pair::OutgoingSameLogin)
        }
        (Some(_), Some(_)) => (Pair::Incoming, Pair::Outgoing),
        (Some(_) | None, _) => (Pair::Alone, Pair::Alone),
    };
    let budget = validation.budget;
    let incoming = planned.incoming.into_iter().enumerate().map(|(index, spec)| {
        let pair = if index == 0 { first } else { Pair::Alone };
        Planned { spec, kind: "incoming", gate: Gate::Open, pair, budget }
    });
    let outgoing = planned.outgoing.map(|spec| Planned {
        spec,
        kind: "outgoing",
        gate: Gate::Open,
        pair: last,
        budget,
    });
    let arrival = arrival_leg(validation, &token).map(|spec| Planned {
        spec,
        kind: "arrival",
        gate: Gate::AfterOthers,
        pair: Pair::Alone,
        budget: validation.arrival_timeout + ARRIVAL_OVERHEAD,
    });
    incoming.chain(outgoing).chain(arrival).collect()
}

/// The longest time that the legs may take.
fn longest(validation: &Validation) -> Duration {
    let looks = validation.recipient().is_some()
        && !validation.incoming.is_empty()
        && validation.outgoing.is_some();
    let arrival =
        if looks { validation.arrival_timeout + ARRIVAL_OVERHEAD } else { Duration::ZERO };
    validation.budget + arrival
}

/// The report of a validation of which nothing was run, because of one leg.
fn refused(
    order: &Order,
    outline: &Outline,
    refused: u8,
    code: FaultCode,
    wait: Option<Duration>,
) -> Report {
    let now = SystemTime::now();
    let number = outline.legs().count();
    // The arrival leg is refused for the first incoming leg's login.
    let refused = Some(usize::from(refused)).filter(|index| *index < number).unwrap_or(0);
    let legs = outline.legs().enumerate().map(|(index, leg)| {
        let kind = leg.endpoint.protocol.into();
        let mut report = LegReport::begin(kind, leg.endpoint.clone(), now);
        let fault = if index == refused {
            fault_of_ours(code, kind, wait)
        } else {
            fault_of_ours(FaultCode::LegNotTried, kind, None)
        };
        report.faults.push(fault);
        report
    });
    let about = mailfleet_engine::Job {
        id: order.job,
        started: now,
        elapsed: Duration::ZERO,
        trace_id: Some(order.trace),
    };
    join(about, outline, legs.collect())
}
