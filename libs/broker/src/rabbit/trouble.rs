//! What can go wrong with RabbitMQ, and which answer of the port that is.
//!
//! No text here holds a URL: the client's errors name hosts' answers, never the address
//! that was dialled, and parse errors of URLs are dropped with their text.

use std::future::Future;
use std::time::Duration;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use mailfleet_model::fleet::QueueError;

/// What went wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Trouble {
    /// The broker did not answer.
    #[error("the deadline has passed")]
    Deadline,
    /// The connection was given up, by us or because of another call's trouble.
    #[error("the connection has ended")]
    Ended,
    /// No queue is bound where the message should go.
    #[error("there is no queue for it")]
    Unroutable,
    /// The broker said no: the queue is full.
    #[error("the queue takes no more")]
    Full,
    /// The broker blocks whoever publishes: it is short of memory or disk.
    #[error("the broker has an alarm")]
    Blocked,
    /// This consumer holds no such delivery.
    #[error("no delivery with this tag is out")]
    NotOut,
    /// The client library's own.
    #[error(transparent)]
    Client(#[from] lapin::Error),
}

impl Trouble {
    /// The port's answer: whether it is certain that nothing happened.
    pub(super) fn into_error(self, operation: &'static str) -> QueueError {
        let is_certain = match &self {
            Self::Unroutable | Self::Full | Self::Blocked | Self::NotOut => true,
            Self::Deadline | Self::Ended => false,
            Self::Client(error) => error.is_amqp_soft_error(),
        };
        let source: Option<Box<dyn std::error::Error + Send + Sync>> = Some(Box::new(self));
        if is_certain {
            QueueError::Refused { operation, source }
        } else {
            QueueError::Unknown { operation, source }
        }
    }

    /// Whether a queue or exchange that should be there is not.
    pub(super) fn is_missing(&self) -> bool {
        self.soft().is_some_and(|(error, _)| error == AMQPSoftError::NOTFOUND)
    }

    /// Whether somebody else consumes the queue exclusively. Missing permissions have the
    /// same code, 403: only the broker's words tell them apart (3.10.8 and 4.0.5).
    pub(super) fn is_in_exclusive_use(&self) -> bool {
        let denied = AMQPSoftError::ACCESSREFUSED;
        self.soft().is_some_and(|(error, text)| error == denied && text.contains("exclusive use"))
    }

    fn soft(&self) -> Option<(AMQPSoftError, String)> {
        let Self::Client(error) = self else { return None };
        let ErrorKind::ProtocolError(error) = error.kind() else { return None };
        match error.kind() {
            AMQPErrorKind::Soft(soft) => Some((soft.clone(), error.get_message().to_string())),
            AMQPErrorKind::Hard(_) => None,
        }
    }
}

/// Bounds a whole call of the port, waiting for a connection included.
pub(super) async fn bounded<T>(
    operation: &'static str,
    deadline: Duration,
    call: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, QueueError> {
    let result = tokio::time::timeout(deadline, call).await;
    result.unwrap_or(Err(Trouble::Deadline)).map_err(|trouble| trouble.into_error(operation))
}
