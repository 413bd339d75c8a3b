//! Bytes of version 1, as they stand on brokers, and what this build makes of others.

use std::time::Duration;

use mailfleet_model::fleet::{
    Control, Dispatch, GroupId, GroupKey, JobClass, LegEnd, LegMessage, LegSummary, LoginTag,
    MailboxTag, Outcome, Payload, ReturnReason, Returned, StartAnswer, StartRule, StoreWait,
    WorkerMessage,
};
use mailfleet_model::leg::{LoginOutcome, Submission};
use mailfleet_model::{FaultCode, Leg, LegEvent, Retry, StepKind};
use proptest::prelude::{any, prop, proptest};

use super::*;

/// Bytes of version 1, computed by another program from the proto files. They must be readable for as long as the queue names say
/// `v1`, so a change here means that running fleets cannot be upgraded.
mod golden {
    pub(super) const LEG: &str = "\
        080112140a1001980f5e12347abc8def0123456789ab10021803200228023208696e636f6d696e67\
        3a190a0764656661756c74120e696d61703a3139322e302e322e3140234a0764656661756c745220\
        01010101010101010101010101010101010101010101010101010101010101015a20020202020202\
        0202020202020202020202020202020202020202020202020202620808d8041080e59a776a096761\
        74657761792d3172056f72646572";
    pub(super) const ENDED: &str = "\
        08011208776f726b65722d311a140a1001980f5e12347abc8def0123456789ab100220032a1b0834\
        120b08031202083c1a0308901c180320042a067265706f7274";
    pub(super) const RETURNED: &str = "\
        08011208776f726b65722d311a140a1001980f5e12347abc8def0123456789ab10022003320e080a\
        120208051a06676f6f676c65";
    pub(super) const START: &str = "0801321a0a140a1001980f5e12347abc8def0123456789ab100210031802";
    pub(super) const LIVE: &str = "080112140a1001980f5e12347abc8def0123456789ab10021a0408011007";
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn id() -> LegId {
    LegId { job: JobId(Uuid::from_u128(0x0198_0f5e_1234_7abc_8def_0123_4567_89ab)), index: 2 }
}

fn leg() -> LegMessage {
    LegMessage {
        leg: id(),
        dispatch: Dispatch(3),
        start: StartRule::Ask,
        class: JobClass::Revalidation,
        kind: "incoming".parse().expect("a name"),
        group: GroupId {
            zone: "default".parse().expect("a name"),
            key: GroupKey::new("imap:192.0.2.1").expect("a key"),
        },
        shard: ShardIndex(35),
        pool: "default".parse().expect("a name"),
        mailbox: MailboxTag([1; 32]),
        login: LoginTag([2; 32]),
        cap: Duration::from_millis(600_250),
        waited: StoreWait::default(),
        live_to: Some("gateway-1".parse().expect("a name")),
        traceparent: None,
        payload: Payload(b"order".to_vec()),
    }
}

fn news(outcome: Outcome) -> WorkerMessage {
    let worker = "worker-1".parse().expect("a name");
    WorkerMessage { worker, leg: id(), dispatch: Dispatch(3), outcome, traceparent: None }
}

fn ended() -> WorkerMessage {
    let summary = LegSummary {
        code: Some(FaultCode::AuthInvalidCredentials),
        retry: Some(Retry::Backoff {
            min: Duration::from_secs(60),
            max: Duration::from_secs(3_600),
        }),
        login: LoginOutcome::RefusedDefinitively,
        submission: Submission::Unknown,
    };
    news(Outcome::Ended(LegEnd { summary, report: Payload(b"report".to_vec()) }))
}

fn returned() -> WorkerMessage {
    let reason = ReturnReason::Regroup(GroupKey::new("google").expect("a key"));
    news(Outcome::Returned(Returned { reason, after: Duration::from_secs(5) }))
}

fn start() -> Control {
    Control::Start { leg: id(), dispatch: Dispatch(3), answer: StartAnswer::Drop }
}

fn live() -> Live {
    let event = LegEvent::StepStarted { leg: Leg::Imap, kind: StepKind::Login };
    Live { leg: id(), event }
}

#[test]
fn what_version_1_wrote_is_read() {
    assert_eq!(leg_from_bytes(&unhex(golden::LEG), None), Ok(leg()));
    assert_eq!(news_from_bytes(&unhex(golden::ENDED), None), Ok(Read::Known(ended())));
    assert_eq!(news_from_bytes(&unhex(golden::RETURNED), None), Ok(Read::Known(returned())));
    assert_eq!(control_from_bytes(&unhex(golden::START)), Ok(Read::Known(start())));
    assert_eq!(live_from_bytes(&unhex(golden::LIVE)), Ok(vec![live()]));
}

#[test]
fn a_wait_in_the_store_travels_and_nonsense_is_none() {
    let [whole, window, paused] = [7_500, 5_000, 2_500].map(Duration::from_millis);
    let waited = StoreWait { whole, window, paused };
    let leg = LegMessage { waited, ..leg() };
    assert_eq!(leg_from_bytes(&leg_to_bytes(&leg), None), Ok(leg));
    // Field 15 with a negative number of seconds, behind all others.
    let negative = [0x7a, 11, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    let bytes = [leg_to_bytes(&self::leg()), negative.to_vec()].concat();
    assert_eq!(leg_from_bytes(&bytes, None), Ok(self::leg()));
}

#[test]
fn this_build_writes_what_version_1_reads() {
    assert_eq!(hex(&leg_to_bytes(&leg())), golden::LEG);
    assert_eq!(hex(&news_to_bytes(&ended())), golden::ENDED);
    assert_eq!(hex(&news_to_bytes(&returned())), golden::RETURNED);
    assert_eq!(hex(&control_to_bytes(&start())), golden::START);
    assert_eq!(hex(&live_to_bytes(&live(), &[])), golden::LIVE);
}

/// A field that version 1 does not have: number 2,000, with four bytes.
const NEW_FIELD: [u8; 7] = [0x82, 0x7d, 4, 1, 2, 3, 4];

#[test]
fn fields_of_a_newer_version_are_passed_over() {
    let with = |bytes: Vec<u8>| [bytes, NEW_FIELD.to_vec()].concat();
    assert_eq!(leg_from_bytes(&with(leg_to_bytes(&leg())), None), Ok(leg()));
    assert_eq!(news_from_bytes(&with(news_to_bytes(&ended())), None), Ok(Read::Known(ended())));
    assert_eq!(control_from_bytes(&with(control_to_bytes(&start()))), Ok(Read::Known(start())));
    assert_eq!(live_from_bytes(&with(live_to_bytes(&live(), &[]))), Ok(vec![live()]));
}

/// Field 1 a second time, with 2 in it: the last one counts.
const VERSION_2: [u8; 2] = [0x08, 2];

#[test]
fn a_newer_version_is_an_unknown_kind_and_no_error() {
    let with = |bytes: Vec<u8>| [bytes, VERSION_2.to_vec()].concat();
    let newer = leg_from_bytes(&with(leg_to_bytes(&leg())), None).expect("a leg");
    assert_eq!(newer.kind.as_str(), UNKNOWN_VERSION);
    assert_eq!((newer.leg, newer.dispatch), (id(), Dispatch(3)), "it can be given back");
    assert_eq!(news_from_bytes(&with(news_to_bytes(&ended())), None), Ok(Read::UnknownKind));
    assert_eq!(control_from_bytes(&with(control_to_bytes(&start()))), Ok(Read::UnknownKind));
    assert_eq!(live_from_bytes(&with(live_to_bytes(&live(), &[]))), Ok(Vec::new()));
}

#[test]
fn live_events_travel_together_and_no_message_holds_too_many() {
    let bytes = live_to_bytes(&live(), &[live(), live()]);
    assert_eq!(live_from_bytes(&bytes), Ok(vec![live(); 3]));
    let bytes = live_to_bytes(&live(), &vec![live(); MOST_LIVE]);
    assert_eq!(live_from_bytes(&bytes), Ok(vec![live(); MOST_LIVE]));
    let mut message = wire::Live::decode(bytes.as_slice()).expect("live events");
    message.more.extend(message.more.clone());
    assert_eq!(live_from_bytes(&message.encode_to_vec()), Ok(vec![live(); MOST_LIVE]));
}

#[test]
fn an_unknown_kind_is_no_error() {
    let mut message = wire::News::decode(news_to_bytes(&returned()).as_slice()).expect("news");
    if let Some(wire::news::Outcome::Returned(back)) = &mut message.outcome {
        back.reason = 999;
    }
    assert_eq!(news_from_bytes(&message.encode_to_vec(), None), Ok(Read::UnknownKind));
    message.outcome = None;
    assert_eq!(news_from_bytes(&message.encode_to_vec(), None), Ok(Read::UnknownKind));
    let nothing = wire::Control { version: 1, kind: None };
    assert_eq!(control_from_bytes(&nothing.encode_to_vec()), Ok(Read::UnknownKind));
    let mut message = wire::Leg::decode(leg_to_bytes(&leg()).as_slice()).expect("a leg");
    (message.start, message.class) = (999, 999);
    let read = leg_from_bytes(&message.encode_to_vec(), None).expect("a leg");
    assert_eq!((read.start, read.class), (StartRule::Ask, JobClass::Sync));
}

#[test]
fn what_is_no_message_is_refused() {
    let long = vec![0; MAX_MESSAGE + 1];
    for bytes in [b"\xff\xff".as_slice(), b"", &long] {
        assert!(leg_from_bytes(bytes, None).is_err());
        assert!(live_from_bytes(bytes).is_err());
    }
    assert!(news_from_bytes(b"\xff", None).is_err() && control_from_bytes(&long).is_err());
    let mut message = wire::Leg::decode(leg_to_bytes(&leg()).as_slice()).expect("a leg");
    message.pool = "../etc".to_owned();
    let refused = Err(Unreadable { what: "the pool's name" });
    assert_eq!(leg_from_bytes(&message.encode_to_vec(), None), refused);
}

#[test]
fn a_strange_traceparent_is_left_out() {
    let bytes = leg_to_bytes(&leg());
    let read = |header: &[u8]| leg_from_bytes(&bytes, Some(header)).expect("a leg").traceparent;
    assert_eq!(read(b"00-0af7-b7ad-01").as_deref(), Some("00-0af7-b7ad-01"));
    for strange in [b"a\r\nb".as_slice(), b"\xff", &[b'a'; 129]] {
        assert_eq!(read(strange), None);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        // The answers differ; that there is one is the point.
        drop(leg_from_bytes(&bytes, Some(&bytes)));
        drop((news_from_bytes(&bytes, None), control_from_bytes(&bytes), live_from_bytes(&bytes)));
    }
}
