//! Feeding: which items of a batch begin, and when the batch pauses or ends.
//!
//! A domain's first items go ahead as canaries, and a run of refusals stops the batch before
//! it locks out a whole company. A pure function of the batch as the store holds it, called
//! under its row lock: any number of gateways may feed the same batch.

use std::collections::BTreeSet;

use mailfleet_model::fleet::{
    BatchChange, BatchState, BatchView, DomainView, LoginTag, PauseCause,
};

/// Something that is asked of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To go on.
    Feed,
    /// To start: the upload is complete.
    Start,
    /// To pause, for this reason.
    Pause(String),
    /// To go on after a pause.
    Resume {
        /// Whether the guard is lifted for the rest of the batch.
        lift_guard: bool,
    },
    /// To end early.
    Cancel,
}

/// Decides what becomes of a batch. What is asked of one in the wrong state changes nothing.
#[must_use]
pub fn feed(view: &BatchView, ask: &Ask) -> BatchChange {
    use BatchState as S;
    let to = |state| BatchChange { state: Some(state), ..BatchChange::default() };
    let nothing = BatchChange::default();
    match (view.batch.state, ask) {
        (S::Uploading, Ask::Start) => to(S::Running),
        (S::Running, Ask::Pause(reason)) => {
            BatchChange { pause: Some((PauseCause::Operator, reason.clone())), ..to(S::Paused) }
        }
        (S::Paused, Ask::Resume { lift_guard }) => {
            BatchChange { guard_anew: true, lift_guard: *lift_guard, ..to(S::Running) }
        }
        (S::Running, Ask::Resume { lift_guard: true }) => {
            BatchChange { lift_guard: true, ..nothing }
        }
        (S::Uploading | S::Running | S::Paused, Ask::Cancel) => {
            BatchChange { cancel_held: true, ..to(S::Cancelling) }
        }
        (S::Running | S::Paused, Ask::Feed) if is_late(view) => {
            BatchChange { cancel_held: true, ..to(S::Cancelling) }
        }
        (S::Running, Ask::Feed) => go_on(view),
        (S::Paused, Ask::Feed) if view.batch.counts.left() == 0 => to(S::Done),
        (S::Cancelling, Ask::Feed | Ask::Cancel) if view.batch.counts.left() == 0 => {
            to(S::Cancelled)
        }
        (S::Cancelling, Ask::Feed | Ask::Cancel) => BatchChange { cancel_held: true, ..nothing },
        (S::Uploading, Ask::Feed | Ask::Pause(_) | Ask::Resume { .. })
        | (S::Running, Ask::Start | Ask::Resume { lift_guard: false })
        | (S::Paused, Ask::Feed | Ask::Start | Ask::Pause(_))
        | (S::Cancelling, Ask::Start | Ask::Pause(_) | Ask::Resume { .. })
        | (S::Cancelled | S::Done, _) => nothing,
    }
}

fn is_late(view: &BatchView) -> bool {
    0 < view.batch.counts.left() && view.batch.deadline.is_some_and(|deadline| deadline <= view.now)
}

fn go_on(view: &BatchView) -> BatchChange {
    let (batch, nothing) = (&view.batch, BatchChange::default());
    if batch.counts.left() == 0 {
        return BatchChange { state: Some(BatchState::Done), ..nothing };
    }
    if batch.counts.held == 0 {
        return nothing;
    }
    if let Some(most) = batch.settings.stop_when
        && most <= view.refusals
    {
        let reason = format!("{} logins in a row were refused for good", view.refusals);
        let pause = Some((PauseCause::Guard, reason));
        return BatchChange { state: Some(BatchState::Paused), pause, ..nothing };
    }
    BatchChange { begin: begin(view), ..nothing }
}

/// The items that begin: of each domain as many as it may have, in turns, so that the first
/// domains do not take all places.
fn begin(view: &BatchView) -> Vec<u64> {
    let most = u64::from(view.batch.settings.max_open);
    let room = most.saturating_sub(view.batch.counts.open);
    let mut room = usize::try_from(room).unwrap_or(usize::MAX);
    let mut logins: BTreeSet<LoginTag> = BTreeSet::new();
    let mut chosen = Vec::new();
    let mut lanes: Vec<_> = view
        .domains
        .iter()
        .map(|domain| (allowed(domain, view.batch.settings.canaries), domain.held.iter()))
        .collect();
    let mut served = true;
    while served && room > 0 {
        served = false;
        for (places, held) in &mut lanes {
            if *places == 0 || room == 0 {
                continue;
            }
            if let Some(item) = held.find(|item| logins.insert(item.login)) {
                chosen.push(item.position);
                (*places, room, served) = (*places - 1, room - 1, true);
            }
        }
    }
    chosen
}

/// How many more items of a domain may begin.
fn allowed(domain: &DomainView, canaries: u32) -> u32 {
    if domain.proven {
        return BatchView::OPEN.saturating_sub(domain.open);
    }
    let canaries = canaries.saturating_sub(domain.open.saturating_add(domain.refused));
    // All canaries refused: further ones go one by one, until the whole batch stops; the
    // domain may have a few wrong passwords and many right ones.
    if canaries == 0 && domain.open == 0 { 1 } else { canaries }
}

#[cfg(test)]
mod tests;
