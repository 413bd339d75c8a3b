//! Whether this gateway can do its work: the store answers, and the broker is there.

use std::sync::Arc;
use std::time::Duration;

use mailfleet_model::fleet::{GatewayQueue, Store};
use tokio::time::{sleep, timeout};

use crate::gateway::Gateway;

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(2);
/// Longest wait for its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The store did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the store does not answer")]
struct Silent;

/// Asks the store for ever.
pub(crate) async fn run<S: Store, Q: GatewayQueue>(gateway: Arc<Gateway<S, Q>>) {
    loop {
        match timeout(PATIENCE, gateway.store.now()).await {
            Ok(Ok(_)) => gateway.troubles.health.is_over(),
            Ok(Err(error)) => gateway.troubles.health.begins(&error),
            Err(_) => gateway.troubles.health.begins(&Silent),
        }
        sleep(EVERY).await;
    }
}

impl<S: Store, Q: GatewayQueue> Gateway<S, Q> {
    /// Whether calls can be served: the store answers, workers' news are consumed, the
    /// control exchange is joined, and the end has not begun. Also for `/readyz`.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let troubles = &self.troubles;
        !troubles.health.lasts()
            && !troubles.news.lasts()
            && self.link.is_up()
            && !self.draining.is_cancelled()
    }
}
