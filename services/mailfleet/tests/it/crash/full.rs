//! A disk that fills up under load, and has room again: no restart, nothing lost.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::judge::Evidence;
use super::mails::Mails;
use super::orders::{Desk, Order, all_jobs, ended, job};
use crate::facts;
use crate::place::{Place, eventually};

/// Room for the files of a gateway and some dozens of jobs.
const SMALL: &str = "size=2m";
/// Room for everything.
const LARGE: &str = "size=256m";
/// Orders that are asked for at once.
const CALLERS: usize = 8;
/// Far more orders than there is room for.
const ORDERS: usize = 1_500;

/// A file system of a few megabytes; gone with its handle.
struct SmallDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

/// Runs a program that only root may run.
fn run(program: &str, args: &[&str], path: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(args).arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl SmallDisk {
    /// `None`, said loudly, where it cannot be made.
    fn mounted() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        if run("mount", &["-t", "tmpfs", "-o", SMALL, "mailfleet-test"], &path) {
            return Some(Self { _folder: folder, path });
        }
        facts::skipped("only root can mount the small file system of this test")
    }

    fn make_room(&self) {
        let options = format!("remount,{LARGE}");
        assert!(run("mount", &["-o", &options], &self.path), "it was mounted, so it can be again");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.path);
    }
}

/// Asks for orders until one is refused, and gives the refusal.
fn until_refused(
    desk: &Arc<Desk>,
    mails: &Arc<Mails>,
    channel: &Channel,
) -> JoinSet<tonic::Status> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (desk, mails, channel) = (Arc::clone(desk), Arc::clone(mails), channel.clone());
        callers.spawn(async move {
            loop {
                if let Err(refusal) = desk.one(channel.clone(), &mails).await {
                    return refusal;
                }
            }
        });
    }
    callers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_and_has_room_again_loses_nothing() {
    let Some(disk) = SmallDisk::mounted() else { return };
    let mails = Arc::new(Mails::start().await);
    // The log must not take the room away.
    let place = Place::at(&disk.path).configured(&mails.configuration()).with("RUST_LOG", "off");
    let desk = Arc::new(Desk::default());
    for number in 0..ORDERS {
        desk.add(Order::new(number, Uuid::new_v4(), 0));
    }
    let gateway = place.start().await;
    let channel = gateway.channel().await;
    let mut callers = until_refused(&desk, &mails, &channel);
    while let Some(refused) = callers.join_next().await {
        let status = refused.expect("no panic");
        let wait = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
        assert_eq!((status.code(), wait.is_some()), (Code::Unavailable, true), "{status}");
    }
    let before = desk.accepted();
    assert!(!before.is_empty(), "some were taken before");
    // It lives, reads what it has, and says of itself only what is true.
    assert_eq!(gateway.admin("/healthz").await.0, 200);
    let name = before.last().and_then(|order| order.job.clone()).expect("accepted");
    assert_eq!(job(channel.clone(), &name).await.name, name);
    let (status, told) = gateway.admin("/readyz").await;
    let truthful = if status == 200 { told.contains("true") } else { told.contains("false") };
    assert!(truthful, "{status} {told}");

    disk.make_room();
    eventually("it takes orders again, without a restart", async || {
        desk.one(channel.clone(), &mails).await.ok()
    })
    .await;
    let orders = desk.accepted();
    assert!(before.len() < orders.len());
    let mut ends = Vec::new();
    for order in &orders {
        ends.push(ended(channel.clone(), order.job.as_deref().expect("accepted")).await);
    }
    let listed = all_jobs(channel).await;
    assert_eq!(gateway.admin("/readyz").await.0, 200, "it is as good as new");
    assert_eq!(gateway.ended().await.0, Some(0));

    let gateway = place.start().await;
    for end in &ends {
        let later = job(gateway.channel().await, &end.name).await;
        assert_eq!(later.report, end.report, "{}: the report stands", end.name);
    }
    assert_eq!(gateway.ended().await.0, Some(0));
    let evidence =
        Evidence { mails: &mails, orders: &orders, ends: &ends, listed: &listed, kills: &[] };
    let broken = evidence.judged();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
