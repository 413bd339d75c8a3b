//! Signals: the first one asks for an orderly end, the second one ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::INTERRUPTED;
use crate::screen;

/// Cancels the returned token at the first SIGINT or SIGTERM; ends the process at the second,
/// whatever is still open.
///
/// # Errors
/// If the signal handlers cannot be installed.
pub(crate) fn cancel_on_signal() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    // Lives as long as the runtime: there is nobody to wait for it.
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancel.is_cancelled() {
                screen::give_back();
                std::process::exit(INTERRUPTED);
            }
            cancel.cancel();
        }
    });
    Ok(token)
}
