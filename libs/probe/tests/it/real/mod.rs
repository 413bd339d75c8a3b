//! The probe against real mail servers: what it must find out about each of them.
//!
//! The servers are those of `deploy/lab`; `MAILFLEET_LAB` names the lab's description.
//! The table says what to check and what must come of it, one row a case; everything else
//! here only carries rows out. Rows run in parallel, and one failure shows every row that
//! differs. Two legs are run and judged as in production, by the engine's plan and verdict.

mod check;
mod expect;
mod lab;
mod raw;
mod row;
mod table;

use std::sync::Arc;

use lab::Lab;
use row::Row;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Rows that run at once. Servers in the lab answer within milliseconds, except where they
/// hold back on purpose; so it is waiting and not work that this saves.
const AT_ONCE: usize = 24;

/// What came of one row.
enum Outcome {
    Right,
    Missing(String),
    Wrong(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_servers_are_judged_as_the_table_says() {
    let Some(lab) = Lab::from_environment() else { return };
    let lab = Arc::new(lab);
    let rows = table::rows();
    let total = rows.len();
    let (mut wrong, mut missing) = (Vec::new(), Vec::new());
    for (name, outcome) in run(&lab, rows).await {
        match outcome {
            Outcome::Right => {}
            Outcome::Missing(why) => missing.push(format!("{name}: {why}")),
            Outcome::Wrong(why) => wrong.push(format!("{name}\n{why}")),
        }
    }
    for line in &missing {
        eprintln!("SKIPPED: {line}");
    }
    eprintln!(
        "{} of {total} rows right, {} without their server",
        total - wrong.len() - missing.len(),
        missing.len()
    );
    assert!(wrong.is_empty(), "{} of {total} rows wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Runs all rows, a bounded number at once, and returns their outcomes by name.
async fn run(lab: &Arc<Lab>, rows: Vec<Row>) -> Vec<(String, Outcome)> {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    // Cyrus makes a mailbox at its first login, and refuses a second one at the same moment.
    let cyrus = Arc::new(Semaphore::new(1));
    let mut running = JoinSet::new();
    for row in rows {
        let slots = Arc::clone(if row.name.starts_with("cyrus") { &cyrus } else { &slots });
        let lab = Arc::clone(lab);
        running.spawn(async move {
            let _slot = slots.acquire().await.expect("the semaphore is never closed");
            let outcome = match lab.missing(&row) {
                Some(why) => Outcome::Missing(why),
                None => match check::check(&lab, &row).await {
                    Ok(()) => Outcome::Right,
                    Err(why) => Outcome::Wrong(why),
                },
            };
            (row.name, outcome)
        });
    }
    let mut outcomes = running.join_all().await;
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    outcomes
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let mut names: Vec<String> = table::rows().into_iter().map(|row| row.name).collect();
    let total = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), total);
}
