//! What an owner tells about one of its groups, and about the legs of a job.

use mailfleet_model::fleet::{GroupState, HeldLeg, HeldStage};

use super::super::{Unreadable, group, leg_id, to_group, to_leg_id};
use crate::generated::queue::v1 as wire;
use crate::when;

/// Most legs of one job.
const MOST_HELD: usize = 256;

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

pub(super) fn held_to_wire(held: &[HeldLeg]) -> wire::HeldLegs {
    use wire::held_leg::Stage;
    let leg = |held: &HeldLeg| wire::HeldLeg {
        leg: Some(leg_id(held.leg)),
        stage: match held.stage {
            HeldStage::Waiting => Stage::Waiting,
            HeldStage::Asking => Stage::Asking,
            HeldStage::Running => Stage::Running,
            HeldStage::Leaving => Stage::Leaving,
        }
        .into(),
        source: held.source.map(|ip| ip.to_string()).unwrap_or_default(),
    };
    wire::HeldLegs { legs: held.iter().map(leg).collect() }
}

pub(super) fn held_from_wire(held: wire::HeldLegs) -> Result<Vec<HeldLeg>, Unreadable> {
    use wire::held_leg::Stage;
    let mut legs = Vec::new();
    for leg in held.legs.into_iter().take(MOST_HELD) {
        let stage = match Stage::try_from(leg.stage) {
            Ok(Stage::Waiting) => HeldStage::Waiting,
            Ok(Stage::Asking) => HeldStage::Asking,
            Ok(Stage::Running) => HeldStage::Running,
            Ok(Stage::Leaving) => HeldStage::Leaving,
            Ok(Stage::Unspecified) | Err(_) => continue,
        };
        let source = Some(leg.source).filter(|source| !source.is_empty());
        let source = source.map(|ip| ip.parse()).transpose();
        let source = source.map_err(|_| Unreadable { what: "a source address" })?;
        legs.push(HeldLeg { leg: to_leg_id(leg.leg)?, stage, source });
    }
    Ok(legs)
}
