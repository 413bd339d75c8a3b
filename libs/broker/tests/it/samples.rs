//! Messages for the tests: small ones that can be told apart, and one of every kind.

use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

use mailfleet_model::fleet::{
    Announcement, Control, Dispatch, GroupId, GroupKey, GroupLimits, GroupSettings, GroupState,
    HeldLeg, HeldStage, JobClass, LastOwner, LegEnd, LegId, LegMessage, LegSummary, Live, LoginTag,
    MailboxTag, Outcome, Payload, PeerSide, PeerWord, Rate, ReturnReason, Returned, ShardIndex,
    StartAnswer, StartRule, StoreWait, WorkerMessage, ZoneName,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{FaultCode, JobId, Leg, LegEvent, Retry, Step, StepKind, StepOutcome};
use uuid::Uuid;

pub(crate) fn name<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

pub(crate) fn zone() -> ZoneName {
    name("default")
}

pub(crate) fn leg_id(number: u8) -> LegId {
    LegId { job: JobId(Uuid::from_u128(u128::from(number))), index: number }
}

fn group(key: &str) -> GroupId {
    GroupId { zone: zone(), key: GroupKey::new(key).expect("a key") }
}

/// A leg of a shard, told apart by its number.
pub(crate) fn leg(shard: u16, number: u8) -> LegMessage {
    LegMessage {
        leg: leg_id(number),
        dispatch: Dispatch(1),
        start: StartRule::Free,
        class: JobClass::Interactive,
        kind: name("incoming"),
        group: group("imap:192.0.2.1"),
        shard: ShardIndex(shard),
        pool: name("default"),
        mailbox: MailboxTag([number; 32]),
        login: LoginTag([number; 32]),
        cap: Duration::from_secs(60),
        waited: StoreWait::default(),
        live_to: None,
        traceparent: None,
        payload: Payload(vec![number; 3]),
    }
}

/// A leg with every field set to something unusual.
pub(crate) fn rich_leg() -> LegMessage {
    LegMessage {
        dispatch: Dispatch(u32::MAX),
        start: StartRule::Ask,
        class: JobClass::Sync,
        kind: name("arrival.v2"),
        group: group("imap:2001:db8::1"),
        cap: Duration::from_micros(1_500_001),
        waited: StoreWait {
            whole: Duration::from_micros(2_500_001),
            window: Duration::from_micros(1_000_001),
            paused: Duration::from_secs(1),
        },
        live_to: Some(name("gateway-7")),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        payload: Payload((0..=255).collect()),
        ..leg(1, 200)
    }
}

/// News about a leg, told apart by its number.
pub(crate) fn news(number: u8) -> WorkerMessage {
    outcome(number, Outcome::MayStart { redelivered: true })
}

fn outcome(number: u8, outcome: Outcome) -> WorkerMessage {
    WorkerMessage {
        worker: name("worker-1"),
        leg: leg_id(number),
        dispatch: Dispatch(3),
        outcome,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203332-01".to_owned()),
    }
}

/// News with every outcome, and every reason to return a leg.
pub(crate) fn every_news() -> Vec<WorkerMessage> {
    let summary = LegSummary {
        code: Some(FaultCode::AuthInvalidCredentials),
        retry: Some(Retry::ServerHint(Duration::from_secs(90))),
        login: LoginOutcome::RefusedDefinitively,
        submission: Submission::Unknown,
    };
    let healthy = LegSummary {
        code: None,
        retry: None,
        login: LoginOutcome::Accepted,
        submission: Submission::NotSent,
    };
    let report = Payload(b"a report".to_vec());
    let ended = |summary| Outcome::Ended(LegEnd { summary, report: report.clone() });
    let returned =
        |reason| Outcome::Returned(Returned { reason, after: Duration::from_millis(1_234) });
    let reasons = [
        ReturnReason::Redelivered,
        ReturnReason::Breaker,
        ReturnReason::Paused,
        ReturnReason::Rate,
        ReturnReason::Busy,
        ReturnReason::Refused,
        ReturnReason::Unanswered,
        ReturnReason::UnknownKind,
        ReturnReason::Draining,
        ReturnReason::Regroup(GroupKey::new("google").expect("a key")),
    ];
    let outcomes = [Outcome::MayStart { redelivered: true }, ended(summary), ended(healthy)];
    (0..)
        .zip(outcomes.into_iter().chain(reasons.map(returned)))
        .map(|(n, o)| outcome(n, o))
        .collect()
}

/// A control message for everybody, told apart by its number.
pub(crate) fn control(number: u8) -> Control {
    Control::Announce(Announcement { running: number.into(), ..announcement() })
}

fn announcement() -> Announcement {
    Announcement {
        worker: name("worker-1"),
        zone: zone(),
        haunted: vec![ShardIndex(9)],
        shards: vec![ShardIndex(0), ShardIndex(63)],
        capacity: 2_000,
        running: 17,
        draining: true,
        listening: true,
        kinds: ["incoming", "outgoing"].map(name).into(),
        outgrown: [ShardIndex(7)].into(),
        version: "0.1.0".to_owned(),
    }
}

/// Control messages of every kind.
pub(crate) fn every_control() -> Vec<Control> {
    let source = Some("192.0.2.7".parse().expect("an address"));
    let stages = [
        (HeldStage::Waiting, None),
        (HeldStage::Asking, None),
        (HeldStage::Running, source),
        (HeldStage::Leaving, source),
    ];
    let held = stages.into_iter().zip(0..);
    let held = held.map(|((stage, source), index)| HeldLeg { leg: leg_id(index), stage, source });
    let held = Some(held.collect());
    let limits = |rate| GroupLimits {
        concurrency: 10.try_into().expect("not zero"),
        per_source: Some(3.try_into().expect("not zero")),
        rate,
    };
    let rate = Rate { logins: 5.try_into().expect("not zero"), per: Duration::from_secs(60) };
    let settings = GroupSettings {
        group: group("google"),
        limits: limits(Some(rate)),
        paused: true,
        version: 7,
    };
    let start = |answer| Control::Start { leg: leg_id(9), dispatch: Dispatch(2), answer };
    let peer = |side, word| Control::Peer { job: leg_id(1).job, side, word };
    let refused = PeerWord::LoginAnswered(
        LoginOutcome::RefusedDefinitively,
        Some(FaultCode::AuthInvalidCredentials),
    );
    let well = GroupState {
        group: group("google"),
        limit: 10,
        in_use: 9,
        waiting: 3,
        paused: false,
        breaker: None,
        lowered: None,
    };
    let sick = GroupState {
        paused: true,
        breaker: Some(Duration::from_millis(1_500)),
        lowered: Some(Duration::from_secs(600)),
        ..well.clone()
    };
    let (shard, default) = (ShardIndex(5), GroupLimits { per_source: None, ..limits(None) });
    vec![
        Control::Announce(announcement()),
        Control::Settings(vec![settings.clone()]),
        Control::SettingsWanted { worker: name("worker-1"), zone: zone(), shard },
        Control::Snapshot {
            zone: zone(),
            shard,
            default,
            groups: vec![settings],
            last_owner: Some(LastOwner::Heard),
        },
        start(StartAnswer::Go),
        start(StartAnswer::Drop),
        Control::Cancel(leg_id(1).job),
        Control::JobsChanged {
            jobs: vec![leg_id(1).job, leg_id(2).job],
            open: vec![leg_id(2).job],
        },
        Control::Drain(name("worker-1")),
        peer(PeerSide::Incoming, PeerWord::LoginAnswered(LoginOutcome::Accepted, None)),
        peer(PeerSide::Outgoing, refused),
        peer(PeerSide::Incoming, PeerWord::MarksTaken),
        peer(PeerSide::Outgoing, PeerWord::LegEnded),
        Control::StepsWanted { gateway: name("gateway-2"), jobs: vec![leg_id(1).job] },
        Control::StateWanted { request: 7, group: None, job: None },
        Control::StateWanted { request: 7, group: Some(group("google")), job: Some(leg_id(1).job) },
        Control::State {
            request: 7,
            worker: name("worker-1"),
            groups: vec![well, sick],
            held: None,
        },
        Control::State { request: 7, worker: name("worker-1"), groups: Vec::new(), held },
    ]
}

/// A live event, told apart by the number of its leg.
pub(crate) fn live(number: u8) -> Live {
    let event = LegEvent::StepStarted { leg: Leg::Imap, kind: StepKind::Connect };
    Live { leg: leg_id(number), event }
}

/// A live event with a whole step.
pub(crate) fn rich_live() -> Live {
    let step = Step {
        kind: StepKind::Login,
        outcome: StepOutcome::Failed,
        started: Duration::from_millis(20),
        elapsed: Duration::from_micros(1_234_567),
        fault: Some(FaultCode::AuthInvalidCredentials),
        detail: Some("PLAIN".to_owned()),
    };
    Live { leg: leg_id(4), event: LegEvent::StepFinished { leg: Leg::Smtp, step } }
}
