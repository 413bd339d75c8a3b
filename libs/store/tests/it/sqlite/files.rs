//! Files: who may read them, what is in them already, and two programs at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mailfleet_model::fleet::{LegDraft, LegState, Payload, Store, StoreError};
use mailfleet_model::{Secret, Verdict};
use mailfleet_store::{AnyStore, Error, InvalidUrl, SqliteStore};

use crate::conformance::{Place, config, read, release, states, submit};
use crate::decisions::{change_leg, collect};
use crate::samples::{self, draft, job};
use crate::sqlite::File;

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let file = File::new();
    let store = file.open().await;
    submit(&store, &draft(1)).await;
    let mut n_files = 0;
    for entry in fs::read_dir(file.path().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        n_files += 1;
    }
    assert_eq!(n_files, 3, "the database, its log, and the index of the log");
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let file = File::new();
    {
        let store = file.open().await;
        submit(&store, &samples::with_legs(1, vec![samples::leg_draft(), samples::leg_draft()]))
            .await;
        release(&store, "a", 1).await;
        store.advance(job(1), collect(0, Verdict::Healthy)).await.unwrap();
    }
    let migrations = "SELECT count(*) FROM mailfleet_migrations";
    let before = file.count(migrations).await;
    let store = file.open().await;
    assert_eq!(states(&store, 1).await, [LegState::Done, LegState::Ready]);
    assert_eq!(file.count(migrations).await, before, "none was applied again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_may_open_a_new_file_at_once() {
    let file = File::new();
    let opening = (0..4).map(|_| tokio::spawn(SqliteStore::open(file.path(), config())));
    let mut stores = Vec::new();
    for opened in futures::future::join_all(opening).await {
        stores.push(opened.unwrap().expect("a store"));
    }
    submit(&stores[0], &draft(1)).await;
    for store in &stores {
        assert_eq!(read(store, 1).await.legs.len(), 1);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let file = File::new();
    let text = "a letter to somebody, long enough to be no empty database".repeat(20);
    fs::write(file.path(), &text).unwrap();
    let error = SqliteStore::open(file.path(), config()).await.expect_err("no store");
    assert!(matches!(error, Error::Store(StoreError::Corrupt { .. })), "{error:?}");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said() {
    let file = File::new();
    let path = file.path().join("no/such/folder/fleet.db");
    let error = SqliteStore::open(path, config()).await.expect_err("no store");
    assert!(matches!(error, Error::Store(StoreError::Unavailable { .. })), "{error:?}");
}

#[tokio::test]
async fn a_url_that_names_no_store_is_refused() {
    for (url, expect) in [
        ("sqlite:", InvalidUrl::File),
        ("mysql://canary", InvalidUrl::Scheme),
        ("canary.db", InvalidUrl::Scheme),
        ("postgres://canary:canary@h:port/d", InvalidUrl::Postgres),
    ] {
        let error = AnyStore::open(&Secret::new(url.as_bytes().to_vec()), config()).await;
        let error = error.expect_err("no store");
        assert!(matches!(error, Error::Url(found) if found == expect), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let file = File::new();
    let url = format!("sqlite:{}", file.path().display());
    let store = AnyStore::open(&Secret::new(url.into_bytes()), config()).await.expect("a store");
    submit(&store, &draft(1)).await;
    assert_eq!(file.count("SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn erased_bytes_are_overwritten() {
    let file = File::new();
    let store = file.open().await;
    let mark = b"a-sealed-credential-that-is-easily-found".repeat(300);
    let payload = Payload(mark);
    let leg = LegDraft { payload, ..samples::leg_draft() };
    submit(&store, &samples::with_legs(1, vec![leg])).await;
    let is_there = || {
        file.raw().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let bytes = fs::read(file.path()).unwrap();
        bytes.windows(40).any(|window| window == b"a-sealed-credential-that-is-easily-found")
    };
    assert!(is_there());
    let forget = change_leg(0, |leg| leg.payload = Payload(b"the order without it".to_vec()));
    store.advance(job(1), forget).await.unwrap();
    assert!(!is_there());
}

#[tokio::test]
async fn calls_that_are_given_up_lose_no_database_in_memory() {
    let store = SqliteStore::open(":memory:", config()).await.unwrap();
    submit(&store, &draft(1)).await;
    for polls in 0..64 {
        let mut call = Box::pin(store.now());
        for _ in 0..polls % 8 {
            if futures::poll!(&mut call).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
    }
    assert_eq!(read(&store, 1).await.job.id, job(1));
}
