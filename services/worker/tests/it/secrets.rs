//! A password goes to the mail server and nowhere else: not into a log at any level, not
//! over the broker.

use std::net::Ipv4Addr;
use std::sync::Mutex;

use mailfleet_api::order::Pair;
use mailfleet_mailsim::{Fault, Manner, Proxy, Server, Step};
use mailfleet_model::{Host, Secret};
use mailfleet_probe::dial::{Exit, Socks5};
use mailfleet_worker::{Pool, Pools};
use tracing_subscriber::fmt::MakeWriter as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::order::Sent;
use crate::world::{World, alone, mail, name};

/// What the one test of this file logs.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// A pool of one proxy with a login.
fn behind(proxy: &Proxy, pool: &str, password: &str) -> Pool {
    let (host, port) = (Host::Ip(proxy.address().ip()), proxy.address().port());
    let socks5 = Socks5::new(host, port, Ipv4Addr::LOCALHOST.into());
    let password = Secret::new(password.as_bytes().to_vec());
    let socks5 = socks5.with_login("fleet".to_owned(), password).expect("it fits");
    Pool { name: name(pool), exits: vec![Exit::Socks5(socks5.into())], per_address: None }
}

// One thread, so that the log of this test hears every task of it.
#[tokio::test(flavor = "current_thread")]
async fn a_password_never_comes_out() {
    // With a single dispatcher, tracing-core asks the thread that first reaches a line
    // whether anybody listens to it: one of another test, which has none.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(|| LOG.make_writer())
        .finish()
        .set_default();
    let echoing = |server: Server| server.at(Step::Login, Fault::EchoPassword);
    let imap = mail(echoing(Server::imap()), &["user@example.test"]).await;
    let smtp = mail(echoing(Server::smtp()), &["user@example.test"]).await;
    let world = World::new(10).await;
    let proxy = Manner::Login("fleet", "proxy-CANARY-1377");
    let proxy = Proxy::start(proxy, Ipv4Addr::LOCALHOST.into()).await.expect("a free port");
    let pools = Pools::new([behind(&proxy, "default", "proxy-CANARY-1377")]);
    let queue = world.hub.worker(name("worker-1"));
    let worker = world.start(alone("worker-1"), queue, pools).await;
    let wrong = Pools::new([behind(&proxy, "wrong", "pw-CANARY-wrong")]).prove().await;
    tracing::warn!(error = ?wrong, "a proxy refuses the password");
    let incoming = Sent { pair: Pair::Incoming, watched: true, ..Sent::to(&imap, 1) };
    let outgoing = Sent { pair: Pair::Outgoing, watched: true, ..Sent::out(&smtp, 1) };
    for sent in [&incoming, &outgoing] {
        sent.send(&world).await;
    }
    for sent in [&incoming, &outgoing] {
        world.until(|seen| seen.end(sent.leg)).await;
    }
    worker.shutdown.cancel();
    worker.ended().await.expect("it drains");
    drop(log);
    assert_eq!(proxy.asked().len(), 2);
    assert_eq!(imap.recorder().credentials() + smtp.recorder().credentials(), 2);
    let log = LOG.lock().expect("no panic while logging").clone();
    let log = String::from_utf8_lossy(&log);
    for heard in ["worker started", "a leg ended"] {
        assert!(log.contains(heard), "{heard} is not in the log: {log}");
    }
    let news = world.now(|seen| {
        let bytes = seen.news.iter().flat_map(mailfleet_api::queue::news_to_bytes);
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    });
    let live = world.now(|seen| format!("{:?}", seen.live));
    // In the clear, and inside base64 at each of its three offsets.
    for leak in ["CANARY", "Q0FOQVJZ", "DQU5BUl", "NBTkFSW"] {
        for line in log.lines().chain(news.lines()).chain(live.lines()) {
            assert!(!line.contains(leak), "{leak} in {line}");
        }
    }
}
