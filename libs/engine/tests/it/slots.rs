//! A worker with few slots and a backlog of pairs: nobody holds a slot for nothing.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use mailfleet_engine::own::{Action, Ending, Offer};
use mailfleet_engine::worker::{Claim, Effect, Event, Identity, Worker};
use mailfleet_engine::{Monotonic, Rules};
use mailfleet_model::JobId;
use mailfleet_model::fleet::{
    Control, Dispatch, GroupKey, JobClass, LegId, LoginTag, MailboxTag, ShardIndex, StartRule,
};
use mailfleet_model::leg::LoginOutcome;
use uuid::Uuid;

use crate::sim::world::limits;

/// Slots of the worker, and jobs of two legs.
const SLOTS: u32 = 4;
const JOBS: u8 = 40;
/// How long a leg takes that waits for nobody, and how long one waits at most at its login for
/// the other one's answer.
const RUN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(8);
const STEP: Duration = Duration::from_millis(100);

/// A worker that has two shards since a while.
fn worker(now: &mut Duration) -> (Worker, BTreeMap<ShardIndex, mailfleet_engine::worker::ClaimId>) {
    let identity = Identity {
        worker: "w".parse().expect("a name"),
        zone: "default".parse().expect("a name"),
        shards: NonZeroU16::new(2).expect("not zero"),
        capacity: SLOTS,
        kinds: ["check".parse().expect("a name")].into(),
        version: "1".to_owned(),
    };
    let mut worker = Worker::new(identity, Rules::default(), Monotonic(*now));
    worker.handle(Event::Connected, Monotonic(*now));
    let mut claims = BTreeMap::new();
    for _ in 0..700 {
        *now += STEP;
        worker.handle(Event::Probed, Monotonic(*now));
        for effect in worker.handle(Event::Tick, Monotonic(*now)) {
            if let Effect::Claim(shard, id) = effect {
                claims.insert(shard, id);
                worker.handle(Event::Claimed(shard, id, Claim::Ours), Monotonic(*now));
                let zone = "default".parse().expect("a name");
                let (default, groups, last_owner) = (limits(100), Vec::new(), None);
                let snapshot = Control::Snapshot { zone, shard, default, groups, last_owner };
                worker.handle(Event::Heard(snapshot), Monotonic(*now));
            }
        }
    }
    (worker, claims)
}

fn offer(job: u8, index: u8, follows: bool) -> Offer {
    let key = if index == 0 { "imap:192.0.2.1" } else { "smtp:192.0.2.1" };
    Offer {
        tag: u64::from(job) * 2 + u64::from(index),
        redelivered: false,
        leg: LegId { job: JobId(Uuid::from_u128(u128::from(job))), index },
        dispatch: Dispatch(1),
        start: StartRule::Free,
        class: JobClass::Interactive,
        kind: "check".parse().expect("a name"),
        group: GroupKey::new(key).expect("a key"),
        mailbox: MailboxTag([job; 32]),
        login: LoginTag([job; 32]),
        source: None,
        follows,
    }
}

/// How long all jobs take whose outgoing legs come first.
fn backlog(follows: bool) -> Duration {
    let mut now = Duration::ZERO;
    let (mut worker, claims) = worker(&mut now);
    let began = now;
    let mut running: BTreeMap<LegId, Duration> = BTreeMap::new();
    let mut ended: BTreeMap<LegId, Duration> = BTreeMap::new();
    let mut effects = Vec::new();
    // The outgoing legs are in the shard that is looked at first.
    for (index, shard, follows) in [(1, ShardIndex(0), follows), (0, ShardIndex(1), false)] {
        for job in 0..JOBS {
            let delivered = Event::Delivered(shard, claims[&shard], offer(job, index, follows));
            effects.extend(worker.handle(delivered, Monotonic(now)));
        }
    }
    while ended.len() < usize::from(JOBS) * 2 {
        assert!(now - began < Duration::from_secs(600), "{} have ended", ended.len());
        for effect in effects.drain(..) {
            if let Effect::Own(_, _, Action::Start(leg, _)) = effect {
                running.insert(leg, now);
            }
        }
        assert!(running.len() <= SLOTS as usize);
        now += STEP;
        let is_over = |(leg, since): &(LegId, Duration)| {
            let answered = leg.index == 0 || ended.contains_key(&LegId { index: 0, ..*leg });
            *since + RUN <= now && (answered || *since + PATIENCE <= now)
        };
        let over: Vec<(LegId, Duration)> =
            running.iter().map(|(leg, since)| (*leg, *since)).filter(is_over).collect();
        effects.extend(worker.handle(Event::Probed, Monotonic(now)));
        for (leg, _) in over {
            running.remove(&leg);
            ended.insert(leg, now);
            let ending = Ending { code: None, login: LoginOutcome::Accepted };
            effects.extend(worker.handle(Event::Ended(leg, ending), Monotonic(now)));
            effects.extend(worker.handle(Event::Confirmed(leg, Dispatch(1)), Monotonic(now)));
        }
        effects.extend(worker.handle(Event::Tick, Monotonic(now)));
    }
    now - began
}

#[test]
fn outgoing_legs_hold_no_slots_while_their_incoming_legs_wait_for_one() {
    // What the slots allow: 80 legs of a second by fours.
    let least = RUN * u32::from(JOBS) * 2 / SLOTS;
    let blind = backlog(false);
    assert!(least * 3 < blind, "the first ones wait for what cannot start: {blind:?}");
    let sighted = backlog(true);
    assert!(sighted < least * 3 / 2, "{sighted:?} instead of {least:?}");
}
