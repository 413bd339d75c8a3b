//! kill -9 at moments that a seed chooses.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Channel;

use super::judge::Evidence;
use super::mails::Mails;
use super::orders::{Desk, Order, all_jobs, ended, job};
use crate::place::Place;

/// Lives of the gateway that end with a kill.
const KILLS: u32 = 10;
/// New orders in each life.
const ORDERS: usize = 15;
/// Orders that are asked for at once.
const CALLERS: usize = 12;
/// A moment that does not come, because what it counts has run dry.
const RUN_DRY: Duration = Duration::from_secs(5);

/// When a life ends.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Before it has said where it listens.
    Starting,
    /// After so many more answers to callers.
    Answers(u64),
    /// After so many more sessions at this server.
    Sessions(usize, u64),
    /// After so many more logins at this server.
    Logins(usize, u64),
    /// After so many more mails at this server.
    Mails(usize, u64),
}

impl Moment {
    fn choose(random: &mut StdRng) -> Self {
        let server = random.random_range(0..5);
        match random.random_range(0..9) {
            0 => Self::Starting,
            1 | 2 => Self::Answers(random.random_range(1..20)),
            3 | 4 => Self::Sessions(server, random.random_range(1..15)),
            5 | 6 => Self::Logins(server, random.random_range(1..12)),
            _ => Self::Mails(random.random_range(2..4), random.random_range(1..3)),
        }
    }

    async fn comes(self, mails: &Mails, desk: &Desk) {
        let mail = |index: usize| mails.all().nth(index).expect("five servers").recorder();
        let wait = async {
            match self {
                Self::Starting => {}
                Self::Answers(more) => desk.answers_reach(desk.answers() + more).await,
                Self::Sessions(at, more) => {
                    let count = mail(at).sessions().total + more;
                    mail(at).wait_until(RUN_DRY, |r| count <= r.sessions().total).await;
                }
                Self::Logins(at, more) => {
                    let count = mail(at).credentials() + more;
                    mail(at).wait_until(RUN_DRY, |r| count <= r.credentials()).await;
                }
                Self::Mails(at, more) => {
                    let count = mail(at).mails() + more;
                    mail(at).wait_until(RUN_DRY, |r| count <= r.mails()).await;
                }
            }
        };
        // Killed at another moment then: as good as any.
        let _ = timeout(RUN_DRY, wait).await;
    }
}

/// The seed of this run: a given one, or the time.
#[expect(clippy::print_stderr, reason = "whoever reads a failure needs the seed")]
fn seed() -> u64 {
    let given = std::env::var("MAILFLEET_CRASH_SEED").ok();
    let seed = given.map(|text| text.parse().expect("MAILFLEET_CRASH_SEED is a number"));
    let seed = seed.unwrap_or_else(now_us);
    eprintln!("to repeat these moments: MAILFLEET_CRASH_SEED={seed}");
    seed
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_micros()).expect("this millennium")
}

/// Starts to ask for everything that waits.
fn callers(desk: &Arc<Desk>, mails: &Arc<Mails>, channel: &Channel) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (desk, mails, channel) = (Arc::clone(desk), Arc::clone(mails), channel.clone());
        callers.spawn(async move {
            // What a killed gateway left unanswered is asked again in its next life.
            let _ = desk.work(channel, &mails).await;
        });
    }
    callers
}

/// Waits until none of them has anything left to do.
async fn finished(mut callers: JoinSet<()>) {
    while let Some(ended) = callers.join_next().await {
        ended.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_any_moment_loses_nothing() {
    let mut random = StdRng::seed_from_u64(seed());
    let mails = Arc::new(Mails::start().await);
    let place = Place::new().configured(&mails.configuration());
    let desk = Arc::new(Desk::default());
    let (mut kills, mut moments, mut number) = (Vec::new(), Vec::new(), 0);
    for life in 0..KILLS {
        for _ in 0..ORDERS {
            let id = uuid::Builder::from_random_bytes(random.random()).into_uuid();
            desk.add(Order::new(number, id, life));
            number += 1;
        }
        let moment = Moment::choose(&mut random);
        moments.push(moment);
        if let Moment::Starting = moment {
            let mut starting = place.spawn();
            starting.child.kill().await.expect("it is ours");
        } else {
            let gateway = place.start().await;
            let callers = callers(&desk, &mails, &gateway.channel().await);
            moment.comes(&mails, &desk).await;
            gateway.kill().await;
            finished(callers).await;
        }
        kills.push(now_us());
    }

    let gateway = place.start().await;
    let channel = gateway.channel().await;
    finished(callers(&desk, &mails, &channel)).await;
    assert!(desk.is_empty(), "a gateway that lives takes every order");
    let orders = desk.accepted();
    let mut ends = Vec::new();
    for order in &orders {
        ends.push(ended(channel.clone(), order.job.as_deref().expect("accepted")).await);
    }
    let listed = all_jobs(channel).await;
    assert_eq!(gateway.ended().await.0, Some(0), "{}", place.log());

    let gateway = place.start().await;
    for end in &ends {
        let later = job(gateway.channel().await, &end.name).await;
        assert_eq!(later.report, end.report, "{}: the report stands", end.name);
    }
    assert_eq!(gateway.ended().await.0, Some(0), "{}", place.log());

    let kills = &kills;
    let evidence = Evidence { mails: &mails, orders: &orders, ends: &ends, listed: &listed, kills };
    let broken = evidence.judged();
    assert!(broken.is_empty(), "{moments:?}\n{}", broken.join("\n"));
    assert_eq!(orders.len(), number);
}
