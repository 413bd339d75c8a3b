//! What an owner tells about one of its groups.

use mailfleet_model::fleet::GroupState;

use super::super::{Unreadable, group, to_group};
use crate::generated::queue::v1 as wire;
use crate::when;

pub(super) fn to_wire(state: &GroupState) -> wire::GroupState {
    wire::GroupState {
        group: Some(group(&state.group)),
        limit: state.limit,
        in_use: state.in_use,
        waiting: state.waiting,
        paused: state.paused,
        breaker: state.breaker.map(when::duration),
        lowered: state.lowered.map(when::duration),
    }
}

pub(super) fn from_wire(state: wire::GroupState) -> Result<GroupState, Unreadable> {
    Ok(GroupState {
        group: to_group(state.group)?,
        limit: state.limit,
        in_use: state.in_use,
        waiting: state.waiting,
        paused: state.paused,
        breaker: state.breaker.and_then(when::to_duration),
        lowered: state.lowered.and_then(when::to_duration),
    })
}
