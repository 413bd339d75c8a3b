//! The pool of connections, and what each is told first.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Config;
use crate::error::Error;
use crate::trouble::Trouble;

/// How much longer than the caller the server waits before it ends a statement, or a
/// transaction in which nothing happens, by itself: only where the caller was lost.
const GRACE: Duration = Duration::from_secs(5);

/// A pool. Connects only when somebody asks for a connection.
pub(super) fn pool(
    mut settings: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    config: &Config,
) -> Result<Pool, Error> {
    let deadline = config.deadline;
    if settings.get_connect_timeout().is_none() {
        settings.connect_timeout(deadline);
    }
    if settings.get_tcp_user_timeout().is_none() {
        settings.tcp_user_timeout(deadline + GRACE);
    }
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(settings, tls, recycling);
    let prepare = Hook::async_fn(move |client, _| {
        let session = session(deadline);
        Box::pin(async move { client.batch_execute(&session).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(config.n_connections.max(1))
        // The one that was used last has its plans and pages at hand. In turn, all of them would
        // make every plan, and make it anew whenever the server has looked after a table.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(deadline))
        .create_timeout(Some(deadline))
        .recycle_timeout(Some(deadline))
        .runtime(Runtime::Tokio1)
        .post_create(prepare)
        .build()
        .map_err(|error| {
            let what = format!("the pool was refused: {error}");
            Error::Store(Trouble::Corrupt(what).into_error("connect to the database"))
        })
}

/// What every session is told.
///
/// Whoever turned off waiting for the disk in the server's configuration did not mean the
/// jobs that we promise to keep. Every statement has its index, whatever its values are: so
/// one plan is made for each prepared statement and kept, where the server would by itself
/// plan the recursive ones anew at every call, for longer than they run. A plan that was made
/// while the tables were small must not read them from end to end once they are large; and
/// no statement is worth compiling.
fn session(deadline: Duration) -> String {
    let most = (deadline + GRACE).as_millis();
    format!(
        "SET statement_timeout = {most}; \
         SET idle_in_transaction_session_timeout = {most}; \
         SET default_transaction_isolation = 'read committed'; \
         SET enable_seqscan = off; \
         SET jit = off; \
         SET plan_cache_mode = force_generic_plan; \
         SELECT set_config('synchronous_commit', 'on', false) \
           WHERE current_setting('synchronous_commit') = 'off'"
    )
}
