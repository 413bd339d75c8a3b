//! A leg and its columns.

use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Attempt, Dispatch, Gate, LegDraft, LegId, LegRecord, LoginBudget, LoginTag, MailboxTag,
    Payload, ShardIndex,
};

use crate::columns::{end, group_id};
use crate::row::Row;
use crate::trouble::Trouble;
use crate::value::Value;

/// The columns that [`read`] takes, in its order.
macro_rules! leg_columns {
    () => {
        "job, idx, tenant, class, kind, gate, gate_leg, zone, name, shard, pool, mailbox, login, \
         cap, state, dispatch, attempt, starts, started, since, due, live_to, traceparent, \
         end_code, end_retry, end_retry_min, end_retry_max, end_login, end_submission, \
         end_report, returned, payload"
    };
}
pub(crate) use leg_columns;

/// What is known about the login of `legs l`: the columns that [`read_budget`] takes.
macro_rules! budget_columns {
    () => {
        "(SELECT count(*) FROM ledger d \
           WHERE d.login = l.login AND d.name = l.name), \
         (SELECT max(d.at) FROM ledger d \
           WHERE d.login = l.login AND d.name = l.name)"
    };
}
pub(crate) use budget_columns;

pub(crate) fn read(row: &mut Row) -> Result<LegRecord, Trouble> {
    Ok(LegRecord {
        id: read_id(row)?,
        tenant: row.name("tenant")?,
        class: row.name("class")?,
        kind: row.name("kind")?,
        gate: read_gate(row)?,
        group: group_id(row)?,
        shard: ShardIndex(row.number("shard")?),
        pool: row.name("pool")?,
        mailbox: MailboxTag(row.array("mailbox")?),
        login: LoginTag(row.array("login")?),
        cap: row.span("cap")?,
        state: row.name("state")?,
        dispatch: Dispatch(row.number("dispatch")?),
        attempt: Attempt(row.number("attempt")?),
        starts: row.number("starts")?,
        started: Dispatch(row.number("started")?),
        since: row.time("since")?,
        due: row.maybe_time("due")?,
        live_to: row.maybe_name("live_to")?,
        traceparent: row.maybe_text("traceparent")?,
        end: end::read(row)?,
        // A cause that a newer gateway wrote is none that this one could tell.
        returned: row.maybe_text("returned")?.and_then(|cause| cause.parse().ok()),
        payload: Payload(row.bytes("payload")?),
    })
}

/// Reads `job` and `idx`.
pub(crate) fn read_id(row: &mut Row) -> Result<LegId, Trouble> {
    Ok(LegId { job: JobId(row.id("job")?), index: row.number("idx")? })
}

pub(crate) fn read_budget(row: &mut Row) -> Result<LoginBudget, Trouble> {
    Ok(LoginBudget { refusals: row.number("refusals")?, last: row.maybe_time("at")? })
}

/// The values of `gate` and `gate_leg`.
pub(crate) fn gate_values(gate: Gate) -> [Value<'static>; 2] {
    match gate {
        Gate::Open => [Value::Text("OPEN"), Value::Null],
        Gate::AfterLeg(index) => [Value::Text("AFTER_LEG"), Value::number(index)],
        Gate::AfterOthers => [Value::Text("AFTER_OTHERS"), Value::Null],
    }
}

/// The values of `kind` to `payload` of a leg that is to be stored.
pub(crate) fn draft_values(leg: &LegDraft) -> Vec<Value<'_>> {
    let [gate, gate_leg] = gate_values(leg.gate);
    vec![
        Value::Text(leg.kind.as_str()),
        gate,
        gate_leg,
        Value::Text(leg.group.zone.as_str()),
        Value::Text(leg.group.key.as_str()),
        Value::number(leg.shard.0),
        Value::Text(leg.pool.as_str()),
        Value::Bytes(&leg.mailbox.0),
        Value::Bytes(&leg.login.0),
        Value::span(leg.cap),
        Value::Bytes(&leg.payload.0),
    ]
}

/// Reads the same columns in the same order.
pub(crate) fn read_draft(row: &mut Row) -> Result<LegDraft, Trouble> {
    Ok(LegDraft {
        kind: row.name("kind")?,
        gate: read_gate(row)?,
        group: group_id(row)?,
        shard: ShardIndex(row.number("shard")?),
        pool: row.name("pool")?,
        mailbox: MailboxTag(row.array("mailbox")?),
        login: LoginTag(row.array("login")?),
        cap: row.span("cap")?,
        payload: Payload(row.bytes("payload")?),
    })
}

fn read_gate(row: &mut Row) -> Result<Gate, Trouble> {
    let name: String = row.name("gate")?;
    let leg: Option<u8> = row.maybe_number("gate_leg")?;
    match (name.as_str(), leg) {
        ("OPEN", None) => Ok(Gate::Open),
        ("AFTER_LEG", Some(leg)) => Ok(Gate::AfterLeg(leg)),
        ("AFTER_OTHERS", None) => Ok(Gate::AfterOthers),
        _ => Err(Trouble::corrupt("gate holds an unknown name")),
    }
}

/// The values of the columns that may change, in the order of the statement that writes
/// them: all from `class` to `returned` but the tenant, which never changes.
pub(crate) fn values(leg: &LegRecord) -> Vec<Value<'_>> {
    let [gate, gate_leg] = gate_values(leg.gate);
    let mut values = vec![
        Value::id(&leg.id.job.0),
        Value::number(leg.id.index),
        Value::Text(leg.class.into()),
        Value::Text(leg.kind.as_str()),
        gate,
        gate_leg,
        Value::Text(leg.group.zone.as_str()),
        Value::Text(leg.group.key.as_str()),
        Value::number(leg.shard.0),
        Value::Text(leg.pool.as_str()),
        Value::Bytes(&leg.mailbox.0),
        Value::Bytes(&leg.login.0),
        Value::span(leg.cap),
        Value::Text(leg.state.into()),
        Value::number(leg.dispatch.0),
        Value::number(leg.attempt.0),
        Value::number(leg.starts),
        Value::number(leg.started.0),
        Value::time(leg.since),
        Value::maybe(leg.due, Value::time),
        Value::maybe(leg.live_to.as_ref(), |gateway| Value::Text(gateway.as_str())),
        Value::maybe(leg.traceparent.as_deref(), Value::Text),
    ];
    values.extend(end::values(leg.end.as_ref()));
    values.push(Value::maybe(leg.returned, |cause| Value::Text(cause.into())));
    values
}
