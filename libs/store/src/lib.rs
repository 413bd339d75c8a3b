//! The store port on SQLite and PostgreSQL.
//!
//! What a method does is written once (`work`), in statements that both databases
//! understand, against a transaction that either of them gives (`tx`). What differs is
//! where a transaction comes from: `sqlite` has one writer and runs it on a thread of its
//! own, `postgres` locks rows and repeats what lost a conflict.
//!
//! The crate knows no rule of the engine: decisions come in as functions and run inside
//! the transaction. It never looks into payloads and never prints what rows hold.

mod any;
mod columns;
mod config;
mod error;
mod migrate;
mod port;
mod postgres;
mod row;
mod sqlite;
mod told;
mod trouble;
mod tx;
mod value;
mod work;

pub use any::AnyStore;
pub use config::{Config, Defaults};
pub use error::{Error, InvalidUrl};
pub use port::SqlStore;
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
