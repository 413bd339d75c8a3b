//! Connections that end in the middle, locks that nobody gives back, disks that are full.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mailfleet_model::Verdict;
use mailfleet_model::fleet::{
    Admission, GroupView, JobDraft, JobState, LegState, Release, Store, StoreError, SubmitView,
    Usage,
};
use mailfleet_store::{Config, PostgresStore};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::conformance::{self, Place, config, read, release, states, submit};
use crate::decisions::{accept, admit, cancel, collect, up_to};
use crate::postgres::Schema;
use crate::postgres::lab::secret;
use crate::samples::{self, crm, draft, group, job};

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls that are made while connections end.
const N_CALLS: u32 = 60;

/// A job whose request may be repeated.
fn numbered(number: u128) -> JobDraft {
    JobDraft { request: samples::request(&number.to_string(), 1), ..draft(number) }
}

/// A store whose connections can be told from all others.
async fn named(schema: &Schema, name: &str) -> PostgresStore {
    let url = String::from_utf8(schema.url().expose().to_vec()).unwrap();
    let url = secret(&format!("{url}&application_name={name}"));
    PostgresStore::open(&url, config()).await.expect("a store")
}

/// Ends every connection of that name, at the server.
async fn kill(schema: &Schema, name: &str) -> i64 {
    let kill = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE application_name = '{name}'"
    );
    schema.count(&kill).await
}

/// Waits in a decision, which cannot await.
fn wait<T>(future: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(future))
}

#[track_caller]
fn assert_unavailable<T>(result: Result<T, StoreError>) {
    match result {
        Err(StoreError::Unavailable { .. }) => {}
        Err(error) => panic!("not unavailable: {error:?}"),
        Ok(_) => panic!("not unavailable, but done"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_in_the_middle_leaves_nothing() {
    let Some(schema) = Schema::start().await else { return };
    let name = format!("k{}", uuid::Uuid::new_v4().simple());
    let store = named(&schema, &name).await;
    submit(&store, &draft(1)).await;
    let killed = AtomicU32::new(0);
    let die = || {
        assert_eq!(wait(kill(&schema, &name)), 1);
        killed.fetch_add(1, Ordering::Relaxed);
    };
    let (second, a) = (draft(2), group("a"));
    let submitted = store.submit(&second, |view: &SubmitView| {
        die();
        accept(view)
    });
    assert_unavailable(submitted.await);
    let released = store.release(&a, |view: &GroupView| {
        die();
        up_to(9)(view)
    });
    assert_unavailable(released.await);
    let advanced = store.advance(job(1), |view| {
        die();
        cancel(view)
    });
    assert_unavailable(advanced.await);
    assert_eq!(killed.into_inner(), 3);
    assert_eq!(states(&store, 1).await, [LegState::Ready]);
    assert_eq!(store.job(&crm(), job(2)).await.unwrap(), None);
    assert_eq!(store.usage(&crm()).await.unwrap(), Usage { interactive: 1, bulk: 0 });
    assert_eq!(release(&store, "a", 9).await.len(), 1);
    schema.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_lost_while_nobody_used_them_are_replaced() {
    let Some(schema) = Schema::start().await else { return };
    let name = format!("k{}", uuid::Uuid::new_v4().simple());
    let store = named(&schema, &name).await;
    submit(&store, &draft(1)).await;
    for _ in 0..5 {
        // Several connections, so that some are in the pool.
        let advance = async || store.advance(job(1), crate::decisions::change_leg(0, |_| {})).await;
        let (a, b, c) = tokio::join!(advance(), advance(), advance());
        assert!(a.is_ok() && b.is_ok() && c.is_ok(), "{a:?} {b:?} {c:?}");
        kill(&schema, &name).await;
    }
    schema.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_connections_end_everything_or_nothing_is_there() {
    let Some(schema) = Schema::start().await else { return };
    let name = format!("k{}", uuid::Uuid::new_v4().simple());
    let store = named(&schema, &name).await;
    let n_tried = AtomicU32::new(0);
    let killer = async {
        let mut n_killed = 0;
        let raw = schema.raw().await;
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE application_name = '{name}'"
        );
        // Once in every call, a little later in each.
        for call in 0..N_CALLS {
            while n_tried.load(Ordering::Relaxed) < call {
                tokio::task::yield_now().await;
            }
            for _ in 0..call {
                tokio::task::yield_now().await;
            }
            let row = raw.query_one(&sql, &[]).await.expect("an answer");
            n_killed += row.get::<_, i64>(0);
        }
        n_killed
    };
    let submitter = async {
        let mut accepted = Vec::new();
        let mut n_lost = 0;
        for number in 1..=u128::from(N_CALLS) {
            match store.submit(&numbered(number), accept).await {
                Ok(_) => accepted.push(number),
                Err(StoreError::Unavailable { .. }) => n_lost += 1,
                Err(error) => panic!("{error:?}"),
            }
            n_tried.fetch_add(1, Ordering::Relaxed);
        }
        (accepted, n_lost)
    };
    let (n_killed, (accepted, n_lost)) = tokio::join!(killer, submitter);
    assert!(0 < n_killed && 0 < n_lost, "nothing was lost: {n_killed} {n_lost}");
    // Every accepted job is there, and what is there is whole and counted.
    let store = schema.open().await;
    let page = store.jobs(&crm(), &Default::default(), None, 999).await.unwrap();
    let there = conformance::numbers(page.jobs.iter().map(|job| job.id));
    assert!(accepted.iter().all(|number| there.contains(number)), "an accepted job is lost");
    for number in &there {
        assert_eq!(states(&store, *number).await, [LegState::Ready]);
    }
    let open = u64::try_from(there.len()).unwrap();
    assert_eq!(store.usage(&crm()).await.unwrap().interactive, open);
    // Repeating what was lost finds it, or makes it.
    for number in 1..=u128::from(N_CALLS) {
        let draft = numbered(number);
        let again = store.submit(&draft, admit).await.unwrap().admission;
        let was_there = there.contains(&number);
        assert_eq!(again == Admission::Repeated(job(number)), was_there, "{number}: {again:?}");
    }
    schema.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_made_again_after_a_deadlock() {
    let Some(schema) = Schema::start().await else { return };
    let store = schema.open().await;
    submit(&store, &draft(1)).await;
    let raw = schema.raw().await;
    // The store is to find the deadlock, and to lose it.
    raw.batch_execute("SET deadlock_timeout = '20s'; BEGIN; UPDATE legs SET cap = cap")
        .await
        .unwrap();
    let n_calls = AtomicU32::new(0);
    let a = group("a");
    let released = store.release(&a, |view: &GroupView| -> Release {
        n_calls.fetch_add(1, Ordering::Relaxed);
        up_to(9)(view)
    });
    let against = async {
        // Not before the store has the group's row.
        while n_calls.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        raw.batch_execute("UPDATE limit_groups SET per_source = 7; COMMIT").await.unwrap();
    };
    let (released, ()) = tokio::join!(released, against);
    assert_eq!(released.unwrap().0.len(), 1);
    // The other one may be too slow to get the row before the store is there again.
    assert!(2 <= n_calls.into_inner());
    let released = "SELECT count(*) FROM legs WHERE state = 'RELEASED'";
    assert_eq!(schema.count(released).await, 1, "the store's part was done");
    assert_eq!(schema.count("SELECT per_source FROM limit_groups").await, 7, "and the other's");
    schema.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_given_back_is_not_waited_for_for_ever() {
    let Some(schema) = Schema::start().await else { return };
    let deadline = Duration::from_millis(300);
    let config = Config { n_connections: 1, deadline, ..config() };
    let store = PostgresStore::open(&schema.url(), config).await.expect("a store");
    submit(&store, &draft(1)).await;
    let raw = schema.raw().await;
    raw.batch_execute("BEGIN; SELECT id FROM jobs FOR UPDATE").await.unwrap();
    let began = Instant::now();
    // The second one does not even get a connection.
    let (first, second) =
        tokio::join!(store.advance(job(1), cancel), store.advance(job(1), cancel));
    assert_unavailable(first);
    assert_unavailable(second);
    assert!(deadline <= began.elapsed() && began.elapsed() < PATIENCE);
    // Sweeps pass over what is locked.
    assert_eq!(store.purge(Duration::ZERO, 9).await.unwrap(), 0);
    assert_eq!(
        store.erase_tenant(&crm(), 9).await.unwrap(),
        mailfleet_model::fleet::Erased::Partly
    );
    raw.batch_execute("ROLLBACK").await.unwrap();
    store.advance(job(1), collect(0, Verdict::Healthy)).await.unwrap();
    assert_eq!(read(&store, 1).await.job.state, JobState::Done);
    schema.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_pass_over_legs_that_others_hold() {
    let Some(schema) = Schema::start().await else { return };
    let store = schema.open().await;
    submit(&store, &draft(1)).await;
    submit(&store, &draft(2)).await;
    release(&store, "a", 2).await;
    let raw = schema.raw().await;
    let first = schema.id(&job(1).0.simple().to_string());
    let lock = format!("BEGIN; SELECT idx FROM legs WHERE job = {first} FOR UPDATE");
    raw.batch_execute(&lock).await.unwrap();
    let swept = store.unpublished(Duration::ZERO, 9).await.unwrap();
    assert_eq!(swept.iter().map(|leg| leg.id).collect::<Vec<_>>(), [samples::leg(2, 0)]);
    raw.batch_execute("UPDATE legs SET state = 'SNOOZED'; COMMIT").await.unwrap();
    raw.batch_execute(&lock).await.unwrap();
    assert_eq!(store.wake(9).await.unwrap(), [group("a")]);
    assert_eq!(states(&store, 1).await, [LegState::Snoozed]);
    assert_eq!(states(&store, 2).await, [LegState::Ready]);
    raw.batch_execute("ROLLBACK").await.unwrap();
    schema.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_ends() {
    let Some(schema) = Schema::start().await else { return };
    let store = schema.open().await;
    schema
        .meddle(
            "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER fill BEFORE INSERT ON jobs EXECUTE FUNCTION fill()",
        )
        .await;
    match store.submit(&draft(1), accept).await {
        Err(StoreError::NotWritable { operation, source }) => {
            assert_eq!(
                (operation, source.to_string()),
                ("submit a job", "no space (53100)".into())
            );
        }
        other => panic!("{other:?}"),
    }
    schema.meddle("DROP TRIGGER fill ON jobs").await;
    submit(&store, &draft(1)).await;
    schema.stop().await;
}
