//! The control exchange in this process: everybody's broadcasts, at most once.
//!
//! Every link has a buffer of its own, so a slow receiver holds up nobody: it loses its
//! own oldest messages.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::Sender;
use mailfleet_model::fleet::{Audience, Control, ControlLink, QueueError, WorkerId};

use super::{Hub, Receiver};

/// The links that are open.
#[derive(Debug)]
pub(super) struct Links {
    open: Mutex<Vec<(Receiver, Sender<Control>)>>,
    buffer_length: NonZeroUsize,
}

impl Links {
    pub(super) fn new(buffer_length: NonZeroUsize) -> Self {
        Self { open: Mutex::default(), buffer_length }
    }

    fn send(&self, control: &Control, is_meant: impl Fn(&Receiver) -> bool) {
        // A link that was dropped is found out, and forgotten, here.
        self.open().retain(|(receiver, sender)| {
            if !is_meant(receiver) {
                return !sender.is_closed();
            }
            // Full means that the oldest message makes room; only a closed link fails.
            sender.force_send(control.clone()).is_ok()
        });
    }

    fn open(&self) -> MutexGuard<'_, Vec<(Receiver, Sender<Control>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link to the control exchange.
#[derive(Debug)]
pub struct InProcessLink {
    hub: Arc<Hub>,
    inbox: async_channel::Receiver<Control>,
}

impl InProcessLink {
    pub(super) fn join(hub: &Arc<Hub>, receiver: Receiver) -> Self {
        let (sender, inbox) = async_channel::bounded(hub.links.buffer_length.get());
        let mut open = hub.links.open();
        open.retain(|(_, sender)| !sender.is_closed());
        open.push((receiver, sender));
        drop(open);
        Self { hub: Arc::clone(hub), inbox }
    }
}

impl ControlLink for InProcessLink {
    async fn broadcast(&self, control: &Control) -> Result<(), QueueError> {
        let audience = control.audience();
        self.hub.links.send(control, |receiver| match audience {
            Audience::Everybody => true,
            Audience::Gateways => receiver.is_none(),
            Audience::Workers => receiver.is_some(),
        });
        Ok(())
    }

    async fn tell(&self, worker: &WorkerId, control: &Control) -> Result<(), QueueError> {
        self.hub.links.send(control, |receiver| receiver.as_ref() == Some(worker));
        Ok(())
    }

    async fn next(&self) -> Option<Control> {
        self.inbox.recv().await.ok()
    }
}
