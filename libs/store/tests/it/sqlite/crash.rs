//! A program that is killed while it writes: what was accepted is there.
//!
//! The victim is this test binary, started again with another task.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{JobDraft, JobFilter, JobState, LegState, Store};
use mailfleet_store::SqliteStore;

use crate::conformance::{Place, batches, config, release, states, submit};
use crate::decisions::collect;
use crate::samples::{self, batch, crm, job};
use crate::sqlite::File;

/// Says to the victim that it is one, and which file to write to.
const FILE: &str = "MAILFLEET_TEST_VICTIM";

/// How many times a victim is killed; each goes on where the last one was killed.
const ROUNDS: u32 = 4;

/// Not a test by itself: what the victim does until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let store = SqliteStore::open(Path::new(&path), config()).await.expect("a store");
    if !batches::is_there(&store, &crm(), batch(1)).await {
        batches::make(&store, &crm(), batch(1)).await;
    }
    let first = store.jobs(&crm(), &Default::default(), None, 1).await.expect("a list");
    let first = first.jobs.first().map_or(1, |job| job.id.0.as_u128() + 1);
    for number in first.. {
        let class = mailfleet_model::fleet::JobClass::Revalidation;
        submit(&store, &JobDraft { class, batch: Some(batch(1)), ..samples::draft(number) }).await;
        println!("accepted {number}");
        std::io::stdout().flush().expect("a parent");
        release(&store, "a", 9).await;
        if number % 2 == 0 {
            let done = store.advance(job(number), collect(0, Verdict::Healthy)).await;
            done.expect("an end");
            println!("ended {number}");
        }
    }
}

#[tokio::test]
async fn what_was_accepted_survives_a_kill() {
    let file = File::new();
    let (mut accepted, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for round in 1..=ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite::crash::victim", "--nocapture"])
            .env(FILE, file.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut n_told = 0;
        for line in lines.map_while(Result::ok) {
            let Some((what, number)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u128>() else { continue };
            match what {
                "accepted" => accepted.insert(number),
                "ended" => ended.insert(number),
                _ => continue,
            };
            n_told += 1;
            // Goes on writing until the signal arrives; what it told by then is read too.
            if n_told == 5 * round {
                victim.kill().unwrap();
            }
        }
        assert!(!victim.wait().unwrap().success(), "it was killed");
        assert!(5 * round <= n_told);
        check(&file, &accepted, &ended).await;
    }
}

async fn check(file: &File, accepted: &BTreeSet<u128>, ended: &BTreeSet<u128>) {
    let store = file.open().await;
    let is_sound: String =
        file.raw().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(is_sound, "ok");
    for number in accepted {
        let expect = if ended.contains(number) { &[LegState::Done][..] } else { &[] };
        let states = states(&store, *number).await;
        assert!(states.len() == 1 && (expect.is_empty() || expect == states), "job {number}");
    }
    // The counters were written with the jobs.
    let filter = JobFilter { batch: Some(batch(1)), ..JobFilter::default() };
    let jobs = store.jobs(&crm(), &filter, None, 9_999).await.unwrap().jobs;
    let open = jobs.iter().filter(|job| job.state == JobState::Open).count();
    assert_eq!(store.usage(&crm()).await.unwrap().bulk, u64::try_from(open).unwrap());
    assert!(ended.len() <= jobs.len() - open);
    // As embedded mode does at its start.
    store.recall_all().await.unwrap();
}
