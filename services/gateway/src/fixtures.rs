//! Rows of the store, for the tests of this crate.

use std::time::Duration;

use mailfleet_api::order::{LegOrder, Pair, outline_payload};
use mailfleet_model::fleet::{
    Attempt, Dispatch, Gate, GroupId, GroupKey, JobClass, JobRecord, JobState, LegId, LegRecord,
    LegState, LoginTag, MailboxTag, ShardIndex, TenantId, Timestamp,
};
use mailfleet_model::leg::{ArrivalPlan, IncomingPlan, LegPlan, LookFor, Marks, OutgoingPlan};
use mailfleet_model::tls::TlsPolicy;
use mailfleet_model::{EmailAddress, Endpoint, JobId, Outline, OutlineLeg, Protocol};
use uuid::Uuid;

/// 2023-11-14T22:13:20Z.
pub(crate) const ACCEPTED: Timestamp = Timestamp(1_700_000_000_000_000);
const TOKEN: &str = "0123456789abcdef";

fn tenant() -> TenantId {
    "crm".parse().expect("a name")
}

fn mailbox() -> EmailAddress {
    "taro@example.test".parse().expect("an address")
}

pub(crate) fn endpoint(protocol: Protocol) -> Endpoint {
    Endpoint::parse(protocol, "mail.example.test").expect("an endpoint")
}

fn protocol(index: u8) -> Protocol {
    if index == 1 { Protocol::Smtp } else { Protocol::Imap }
}

/// A leg of the job: 0 comes in, 1 goes out with a test mail, 2 looks for it.
pub(crate) fn leg(index: u8) -> LegRecord {
    let job = job().id;
    let plan = match index {
        0 => LegPlan::Incoming(IncomingPlan::OpenAndMark),
        1 => LegPlan::Outgoing(OutgoingPlan::TestMail { to: mailbox(), token: TOKEN.to_owned() }),
        _ => LegPlan::Arrival(ArrivalPlan {
            token: TOKEN.to_owned(),
            marks: Marks::default(),
            look_for: LookFor::MailAndSentCopy,
            timeout: Duration::from_secs(120),
        }),
    };
    let order = LegOrder {
        tenant: tenant(),
        mailbox: mailbox(),
        endpoint: endpoint(protocol(index)),
        username: "taro".to_owned(),
        sealed: vec![1, 2, 3],
        credential_version: 1,
        tls: TlsPolicy::default(),
        plan,
        budget: Duration::from_secs(60),
        pair: Pair::Alone,
    };
    let key = GroupKey::new(format!("{}:203.0.113.9", protocol(index)).to_lowercase());
    LegRecord {
        id: LegId { job, index },
        tenant: tenant(),
        class: JobClass::Interactive,
        kind: "incoming".parse().expect("a name"),
        gate: if index == 2 { Gate::AfterOthers } else { Gate::Open },
        group: GroupId { zone: "default".parse().expect("a name"), key: key.expect("a key") },
        shard: ShardIndex(0),
        pool: "default".parse().expect("a name"),
        mailbox: MailboxTag([1; 32]),
        login: LoginTag([2; 32]),
        cap: Duration::from_secs(60),
        state: if index == 2 { LegState::Blocked } else { LegState::Ready },
        dispatch: Dispatch(0),
        attempt: Attempt(0),
        starts: 0,
        started: Dispatch(0),
        since: ACCEPTED,
        returned: None,
        due: None,
        live_to: None,
        traceparent: None,
        payload: order.to_payload(),
        end: None,
    }
}

/// A job with an incoming leg, a test mail, and the leg that looks for it.
pub(crate) fn job() -> JobRecord {
    let leg = |protocol| OutlineLeg {
        endpoint: endpoint(protocol),
        username: "taro".to_owned(),
        login: LoginTag([2; 32]),
    };
    let outline = Outline {
        mailbox: mailbox(),
        incoming: vec![leg(Protocol::Imap)],
        outgoing: Some(leg(Protocol::Smtp)),
        test_mail: Some(mailbox()),
        egress: Vec::new(),
    };
    JobRecord {
        id: JobId(Uuid::from_u128(7)),
        tenant: tenant(),
        class: JobClass::Interactive,
        batch: None,
        state: JobState::Open,
        version: 1,
        created: ACCEPTED,
        deadline: ACCEPTED.plus(Duration::from_secs(68)),
        finished: None,
        verdict: None,
        report: None,
        traceparent: None,
        payload: outline_payload(&outline),
    }
}
