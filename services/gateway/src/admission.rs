//! Who may run: so many at once, so many waiting, and nobody else.
//!
//! Two counts, fair in order of arrival. Whoever is refused is refused at once and nothing
//! was done for him.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Config;

/// The two counts.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    /// Places for those who run and those who wait.
    places: Arc<Semaphore>,
    /// Slots for those who run.
    slots: Arc<Semaphore>,
}

/// A place in the queue; freed on drop.
#[derive(Debug)]
pub(crate) struct Place {
    slots: Arc<Semaphore>,
    _place: OwnedSemaphorePermit,
}

/// A place and the right to run; freed on drop.
#[derive(Debug)]
pub(crate) struct Slot {
    _place: Place,
    _slot: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(config: &Config) -> Self {
        let running = config.max_concurrent.get().min(Semaphore::MAX_PERMITS);
        let places = running.saturating_add(config.queue).min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), slots: Arc::new(Semaphore::new(running)) }
    }

    /// Takes a place, or `None` if every place is taken. Never waits.
    pub(crate) fn enter(&self) -> Option<Place> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { slots: Arc::clone(&self.slots), _place: place })
    }
}

impl Place {
    /// Waits for a slot. Cancel-safe: dropping the future gives the place up.
    pub(crate) async fn run(self) -> Slot {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        Slot { _place: self, _slot: slot.expect("the semaphore is never closed") }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn places_and_slots_are_counted_apart_and_freed_on_drop() {
        let config = Config { max_concurrent: NonZeroUsize::MIN, queue: 1, ..Config::default() };
        let admission = Admission::new(&config);
        let slot = admission.enter().expect("a place is free").run().await;
        let mut waiting = Box::pin(admission.enter().expect("one may wait").run());
        assert!(waiting.as_mut().now_or_never().is_none(), "the only slot is taken");
        assert!(admission.enter().is_none(), "only one may wait");
        drop(slot);
        let next = waiting.as_mut().now_or_never();
        assert!(next.is_some(), "the slot came free");
        assert!(admission.enter().is_some(), "the place came free");
    }
}
