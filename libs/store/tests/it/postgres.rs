//! PostgreSQL passes the suite, and does what only a server can: end in the middle.

mod lab;
mod lost;
mod url;

use mailfleet_model::Secret;
use mailfleet_store::{AnyStore, PostgresStore};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::conformance::{self, Place, config};
use crate::postgres::lab::Lab;

/// A schema of its own in the lab's PostgreSQL.
pub(crate) struct Schema {
    pub(crate) lab: Lab,
    name: String,
}

impl Schema {
    pub(crate) fn url(&self) -> Secret {
        self.lab.url_of(&self.name)
    }

    /// A connection with nothing of the store's.
    pub(crate) async fn raw(&self) -> Client {
        self.lab.connect(&self.name).await
    }

    async fn run(&self, sql: &str) -> Vec<SimpleQueryMessage> {
        self.raw().await.simple_query(sql).await.expect("SQL")
    }
}

impl Place for Schema {
    type Store = PostgresStore;

    async fn start() -> Option<Self> {
        let lab = Lab::from_environment()?;
        let schema = Self { lab, name: format!("t{}", uuid::Uuid::new_v4().simple()) };
        schema.run(&format!("CREATE SCHEMA {}", schema.name)).await;
        Some(schema)
    }

    async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.url(), config()).await.expect("a store")
    }

    async fn meddle(&self, sql: &str) {
        self.run(sql).await;
    }

    async fn count(&self, sql: &str) -> i64 {
        let answer = self.run(sql).await;
        let number = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        number.expect("a row").parse().expect("a number")
    }

    fn id(&self, hex: &str) -> String {
        format!("'{hex}'")
    }

    async fn stop(self) {
        self.run(&format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }
}

conformance::suite!(super::Schema);

#[tokio::test]
async fn gateways_may_start_together() {
    let Some(schema) = Schema::start().await else { return };
    let opening = (0..4).map(|_| schema.open());
    let stores = futures::future::join_all(opening).await;
    conformance::submit(&stores[0], &crate::samples::draft(1)).await;
    for store in &stores {
        conformance::read(store, 1).await;
    }
    schema.stop().await;
}

#[tokio::test]
async fn the_url_chooses_the_database() {
    let Some(schema) = Schema::start().await else { return };
    let store = AnyStore::open(&schema.url(), config()).await.expect("a store");
    conformance::submit(&store, &crate::samples::draft(1)).await;
    assert_eq!(schema.count("SELECT count(*) FROM jobs").await, 1);
    schema.stop().await;
}

/// A table of a later migration must not be forgotten: whenever the server looks after one, every
/// connection of every gateway makes its plans anew.
#[tokio::test]
async fn the_server_looks_after_each_table_only_once_much_has_changed() {
    let Some(schema) = Schema::start().await else { return };
    drop(schema.open().await);
    let ours = "FROM pg_class WHERE relkind = 'r' AND relname <> 'mailfleet_migrations' \
                AND relnamespace = current_schema()::regnamespace";
    let all = schema.count(&format!("SELECT count(*) {ours}")).await;
    let kept = schema
        .count(&format!(
            "SELECT count(*) {ours} AND reloptions @> \
             ARRAY['autovacuum_vacuum_threshold=20000', 'autovacuum_analyze_threshold=20000']"
        ))
        .await;
    assert!(0 < all);
    assert_eq!(kept, all);
    schema.stop().await;
}
