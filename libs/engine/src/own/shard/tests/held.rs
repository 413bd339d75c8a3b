//! What legs waited for, as their owner tells it when they start.

use super::*;

/// Starts what may, and says what each leg that starts has mostly waited for.
fn held_by(shard: &mut Shard, room: u32, now: Monotonic) -> Vec<(u64, Option<Hold>)> {
    let held = |action| match action {
        Action::Start(_, tag, held_by) => Some((tag, held_by.map(|delay| delay.by))),
        Action::Ask { .. } | Action::Return(..) | Action::Ack(_) | Action::Abort(_) => None,
    };
    start(shard, room, now).into_iter().filter_map(held).collect()
}

#[test]
fn a_leg_knows_what_of_the_mail_servers_own_it_waited_for() {
    let mut full = shard(limits(1, None));
    full.offered(offer(1, JobClass::Interactive), at(100));
    full.offered(offer(2, JobClass::Interactive), at(100));
    assert_eq!(held_by(&mut full, 9, at(100)), [(1, None)], "nothing was in its way");
    finish(&mut full, 1, at(110));
    assert_eq!(held_by(&mut full, 9, at(110)), [(2, Some(Hold::Sessions))]);

    let logins = NonZeroU32::new(1).expect("not zero");
    let rate = Rate { logins, per: Duration::from_secs(10) };
    let mut paced = shard(limits(9, Some(rate)));
    paced.offered(offer(1, JobClass::Interactive), at(100));
    paced.offered(offer(2, JobClass::Interactive), at(100));
    assert_eq!(held_by(&mut paced, 9, at(100)), []);
    assert_eq!(held_by(&mut paced, 9, at(110)), [(1, Some(Hold::Rate))]);
    assert_eq!(held_by(&mut paced, 9, at(120)), [(2, Some(Hold::Rate))]);

    let mut down = shard(limits(9, None));
    let silent = ending(Some(FaultCode::ConnectTimeout), LoginOutcome::NotTried);
    for name in 1..=5 {
        down.offered(offer(name, JobClass::Interactive), at(100));
        assert_eq!(held_by(&mut down, 9, at(100)), [(u64::from(name), None)]);
        down.ended(leg(name), silent, at(100));
    }
    down.offered(offer(6, JobClass::Interactive), at(101));
    assert_eq!(held_by(&mut down, 9, at(101)), []);
    assert_eq!(held_by(&mut down, 9, at(130)), [(6, Some(Hold::Breaker))]);

    let mut paused = shard(limits(9, None));
    let group = GroupId { zone: "z".parse().expect("a name"), key: offer(1, JobClass::Sync).group };
    let settings = |paused, version| GroupSettings {
        group: group.clone(),
        limits: limits(9, None),
        paused,
        version,
    };
    paused.configure(settings(true, 1), at(99));
    paused.offered(offer(1, JobClass::Interactive), at(100));
    assert_eq!(held_by(&mut paused, 9, at(100)), []);
    paused.configure(settings(false, 2), at(130));
    assert_eq!(held_by(&mut paused, 9, at(130)), [(1, Some(Hold::Paused))]);
}

#[test]
fn a_wait_for_the_worker_is_not_the_mail_servers() {
    let mut shard = shard(limits(1, None));
    shard.offered(offer(1, JobClass::Interactive), at(100));
    assert_eq!(held_by(&mut shard, 0, at(100)), [], "the worker has no room");
    assert_eq!(held_by(&mut shard, 1, at(110)), [(1, None)]);
    // Held for two seconds, then the worker has no room for eight: the wait is ours.
    shard.offered(offer(2, JobClass::Interactive), at(110));
    assert_eq!(held_by(&mut shard, 9, at(110)), []);
    finish(&mut shard, 1, at(112));
    assert_eq!(held_by(&mut shard, 0, at(112)), []);
    assert_eq!(held_by(&mut shard, 9, at(120)), [(2, None)]);
    // The other way round, and the worker was full all the time: the wait is the server's.
    shard.offered(offer(3, JobClass::Interactive), at(120));
    assert_eq!(held_by(&mut shard, 0, at(120)), []);
    finish(&mut shard, 2, at(128));
    assert_eq!(held_by(&mut shard, 9, at(130)), [(3, Some(Hold::Sessions))]);
}

#[test]
fn a_full_mailbox_counts_as_a_limit_of_the_server_and_so_do_slots_kept_from_bulk() {
    let mut shard = shard(limits(5, None));
    for name in 1..=5 {
        shard.offered(offer(name, JobClass::Sync), at(100));
    }
    assert_eq!(held_by(&mut shard, 9, at(100)).len(), 4, "one is kept");
    let same = MailboxTag([0; 32]);
    shard.offered(Offer { mailbox: same, ..offer(6, JobClass::Interactive) }, at(101));
    assert_eq!(held_by(&mut shard, 9, at(101)), [(6, None)]);
    finish(&mut shard, 1, at(103));
    assert_eq!(held_by(&mut shard, 9, at(103)), [(5, Some(Hold::Sessions))]);

    let mut mailbox = self::shard(limits(9, None));
    for name in 1..=4 {
        mailbox.offered(Offer { mailbox: same, ..offer(name, JobClass::Sync) }, at(100));
    }
    assert_eq!(held_by(&mut mailbox, 9, at(100)).len(), 3);
    finish(&mut mailbox, 1, at(105));
    assert_eq!(held_by(&mut mailbox, 9, at(105)), [(4, Some(Hold::Sessions))]);
}

/// A leg that waited so many seconds in the store, and of these for its group's window.
fn waited(name: u8, whole: u64, window: u64) -> Offer {
    let [whole, window] = [whole, window].map(Duration::from_secs);
    let waited = StoreWait { whole, window, paused: Duration::ZERO };
    Offer { waited, ..offer(name, JobClass::Interactive) }
}

/// A shard whose only slot was in use from 100 to 120, and is free now; by one leg after the
/// other, so that it is looked at now and then.
fn was_full() -> Shard {
    let mut shard = shard(limits(1, None));
    for name in 1..=4 {
        let begins = 100 + (u64::from(name) - 1) * 5;
        shard.offered(offer(name, JobClass::Interactive), at(begins));
        assert_eq!(held_by(&mut shard, 9, at(begins)), [(name.into(), None)]);
        for second in begins + 1..begins + 5 {
            shard.tick(at(second));
        }
        finish(&mut shard, name, at(begins + 5));
    }
    shard
}

#[test]
fn a_wait_in_the_store_is_the_servers_as_far_as_legs_were_held_back_here_meanwhile() {
    let start = |offer: Offer, seconds| {
        let mut shard = was_full();
        shard.offered(offer, at(seconds));
        held_by(&mut shard, 9, at(seconds))
    };
    let sessions = [(9, Some(Hold::Sessions))];
    assert_eq!(start(waited(9, 10, 10), 120), sessions);
    assert_eq!(start(waited(9, 40, 40), 120), sessions, "half of it");
    assert_eq!(start(waited(9, 41, 41), 120), [(9, None)], "not even half");
    assert_eq!(start(waited(9, 30, 10), 120), [(9, None)], "mostly, the window had room");
    assert_eq!(start(waited(9, 10, 0), 120), [(9, None)], "the window had room");
    // The slot has been free since: who kept the window full was not the mail server.
    assert_eq!(start(waited(9, 8, 8), 130), [(9, None)]);
    // What the owner before has seen is not known here.
    let mut new = shard(limits(1, None));
    new.offered(waited(9, 10, 10), at(100));
    assert_eq!(held_by(&mut new, 9, at(100)), [(9, None)]);
}

#[test]
fn waits_in_the_store_and_here_count_together() {
    // Ten seconds for the window, ten for the worker: half of it.
    let mut shard = was_full();
    shard.offered(waited(9, 10, 10), at(120));
    assert_eq!(held_by(&mut shard, 0, at(120)), []);
    assert_eq!(held_by(&mut shard, 9, at(130)), [(9, Some(Hold::Sessions))]);
    // Ten in the store for us, and five here for a session: ours.
    let mut shard = was_full();
    shard.offered(offer(8, JobClass::Interactive), at(120));
    assert_eq!(held_by(&mut shard, 9, at(120)).len(), 1);
    shard.offered(waited(9, 10, 0), at(120));
    finish(&mut shard, 8, at(125));
    assert_eq!(held_by(&mut shard, 9, at(125)), [(9, None)]);
}

#[test]
fn a_pause_in_the_store_needs_no_witness() {
    let mut shard = shard(limits(1, None));
    let paused = Duration::from_secs(9);
    let waited = StoreWait { whole: Duration::from_secs(10), window: Duration::ZERO, paused };
    shard.offered(Offer { waited, ..offer(1, JobClass::Interactive) }, at(100));
    assert_eq!(held_by(&mut shard, 9, at(100)), [(1, Some(Hold::Paused))]);
}
