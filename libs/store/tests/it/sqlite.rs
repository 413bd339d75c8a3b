//! SQLite passes the suite, in a file and in memory, and survives what happens to files.

mod crash;
mod files;
mod full;

use std::path::PathBuf;

use deadpool_sqlite::rusqlite::Connection;
use mailfleet_model::Secret;
use mailfleet_store::{AnyStore, SqliteStore};
use tempfile::TempDir;

use crate::conformance::{self, Place, config};

/// A file in a folder of its own.
pub(crate) struct File {
    folder: TempDir,
}

impl File {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("fleet.db")
    }

    /// A connection with nothing of the store's.
    pub(crate) fn raw(&self) -> Connection {
        let raw = Connection::open(self.path()).expect("a database");
        raw.pragma_update(None, "foreign_keys", false).expect("a setting");
        raw
    }
}

impl Place for File {
    type Store = SqliteStore;

    async fn start() -> Option<Self> {
        Some(Self::new())
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.path(), config()).await.expect("a store")
    }

    async fn meddle(&self, sql: &str) {
        self.raw().execute_batch(sql).expect("SQL");
    }

    async fn count(&self, sql: &str) -> i64 {
        self.raw().query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    fn id(&self, hex: &str) -> String {
        format!("x'{hex}'")
    }

    async fn stop(self) {
        self.folder.close().expect("an empty folder");
    }
}

conformance::suite!(super::File);

#[tokio::test]
async fn a_store_in_memory_works_too() {
    let url = Secret::new(b"sqlite::memory:".to_vec());
    let store = AnyStore::open(&url, config()).await.expect("a store");
    conformance::submit(&store, &crate::samples::draft(1)).await;
    let read = conformance::read(&store, 1);
    assert_eq!(read.await.legs.len(), 1);
    assert_eq!(conformance::release(&store, "a", 1).await.len(), 1);
}
