//! Payloads survive the way there and back, and nonsense is refused.

use std::time::Duration;

use mailfleet_model::fleet::{Delay, Hold, LoginTag, Payload};
use mailfleet_model::leg::{
    ArrivalPlan, FolderMark, FolderRole, IncomingPlan, LegPlan, LookFor, Marks, OutgoingPlan,
};
use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{Endpoint, Leg, Outline, OutlineLeg, Protocol};
use strum::IntoEnumIterator as _;

use super::*;
use crate::fixtures;

fn marks() -> Marks {
    let folder = FolderMark {
        name: "INBOX".to_owned(),
        role: FolderRole::Inbox,
        uid_validity: Some(7),
        uid_next: 4_392,
    };
    Marks { folders: vec![folder], uidls: vec!["a1".to_owned()] }
}

fn order(plan: LegPlan, pair: Pair) -> LegOrder {
    LegOrder {
        tenant: "crm".parse().expect("a name"),
        mailbox: "taro@example.jp".parse().expect("an address"),
        endpoint: Endpoint::parse(Protocol::Imap, "imap.example.jp").expect("an endpoint"),
        username: "taro".to_owned(),
        sealed: vec![1, 2, 3],
        credential_version: 4,
        tls: TlsPolicy {
            certificates: CertificatePolicy::AllowInsecure,
            extra_roots: vec![vec![48, 0]],
        },
        plan,
        budget: Duration::from_millis(59_500),
        pair,
    }
}

#[test]
fn orders_of_every_kind_survive_the_way_there_and_back() {
    let to = "jiro@example.jp".parse().expect("an address");
    let token = "0123456789abcdef".to_owned();
    let arrival = |look_for| {
        LegPlan::Arrival(ArrivalPlan {
            token: "0123456789abcdef".to_owned(),
            marks: marks(),
            look_for,
            timeout: Duration::from_secs(120),
        })
    };
    let plans = [
        (LegPlan::Incoming(IncomingPlan::Open), Pair::Alone),
        (LegPlan::Incoming(IncomingPlan::OpenAndMark), Pair::IncomingSameLogin),
        (LegPlan::Outgoing(OutgoingPlan::LoginOnly), Pair::OutgoingSameLogin),
        (LegPlan::Outgoing(OutgoingPlan::Envelope), Pair::Outgoing),
        (LegPlan::Outgoing(OutgoingPlan::TestMail { to, token }), Pair::Incoming),
        (arrival(LookFor::MailAndSentCopy), Pair::Alone),
        (arrival(LookFor::SentCopy), Pair::Alone),
    ];
    for (plan, pair) in plans {
        let order = order(plan, pair);
        let read = LegOrder::from_payload(&order.to_payload()).expect("our own payload");
        assert_eq!(format!("{read:?}"), format!("{order:?}"));
    }
}

#[test]
fn an_arrival_leg_learns_where_to_look() {
    let plan = LegPlan::Arrival(ArrivalPlan {
        token: String::new(),
        marks: Marks::default(),
        look_for: LookFor::SentCopy,
        timeout: Duration::from_secs(1),
    });
    let told = order(plan, Pair::Alone).with_marks(marks());
    assert_eq!(told.leg(), Leg::Roundtrip);
    assert!(matches!(told.plan, LegPlan::Arrival(plan) if plan.marks == marks()));
}

#[test]
fn a_job_survives_the_way_there_and_back() {
    let endpoint = Endpoint::parse(Protocol::Pop3, "pop.example.jp").expect("an endpoint");
    let settings = OutlineLeg { endpoint, username: "taro".to_owned(), login: LoginTag([7; 32]) };
    let job = Outline {
        mailbox: "taro@example.jp".parse().expect("an address"),
        incoming: vec![settings.clone()],
        outgoing: Some(settings),
        test_mail: Some("jiro@example.jp".parse().expect("an address")),
        egress: vec!["203.0.113.5".parse().expect("an address")],
    };
    assert_eq!(outline(&outline_payload(&job)), Ok(job));
}

#[test]
fn a_result_keeps_what_the_report_leaves_out() {
    let whole = fixtures::report();
    let mut leg = whole.legs.first().expect("a leg").clone();
    leg.faults = whole.faults.clone();
    leg.suggestions = whole.suggestions.clone();
    leg.marks = marks();
    leg.arrival = whole.arrival.clone();
    let mut payload = leg_result_payload(&leg);
    assert_eq!(held_by(&payload), None);
    let took = Duration::from_millis(2_500);
    for by in Hold::iter() {
        note_delay(&mut payload, Delay { by, took });
        assert_eq!(held_by(&payload), Some((by, Some(took))));
    }
    let read = leg_result(&payload).expect("our own payload");
    assert_eq!(format!("{read:?}"), format!("{leg:?}"));
}

#[test]
fn nonsense_is_refused_and_never_guessed_at() {
    assert_eq!(LegOrder::from_payload(&Payload(vec![0xff])).err(), Some(unreadable("payload")));
    let empty = LegOrder::from_payload(&Payload::default()).err();
    assert!(empty.is_some_and(|error| error.field != "payload"));
    assert_eq!(outline(&Payload::default()).err(), Some(unreadable("mailbox")));
    assert_eq!(leg_result(&Payload::default()).err(), Some(unreadable("report")));
}
