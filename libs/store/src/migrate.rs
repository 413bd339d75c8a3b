//! Brings the tables up to date. The SQL lies in `migrations/`, one folder a database.
//!
//! A gateway of the version before may start beside newer tables: migrations only add, so
//! ones that it does not know are no reason to refuse. One that was changed after it had
//! been applied is.

use refinery::Runner;

mod sqlite {
    refinery::embed_migrations!("migrations/sqlite");
}

mod postgres {
    refinery::embed_migrations!("migrations/postgres");
}

/// The migrations of SQLite.
pub(crate) fn of_sqlite() -> Runner {
    set(sqlite::migrations::runner())
}

/// The migrations of PostgreSQL.
pub(crate) fn of_postgres() -> Runner {
    set(postgres::migrations::runner())
}

fn set(mut runner: Runner) -> Runner {
    runner.set_migration_table_name("mailfleet_migrations");
    runner.set_abort_divergent(true).set_abort_missing(false)
}
