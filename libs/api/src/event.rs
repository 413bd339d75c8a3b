//! Live events on the wire, both ways.

use mailfleet_model::{Leg, LegEvent};

use crate::v1::step_event::Event;
use crate::{enums, leg, v1};

impl From<&LegEvent> for v1::StepEvent {
    fn from(event: &LegEvent) -> Self {
        let (leg, event) = match event {
            LegEvent::StepStarted { leg, kind } => (*leg, Event::Started(enums::number(*kind))),
            LegEvent::StepFinished { leg, step } => {
                (*leg, Event::Finished(leg::step_to_wire(step)))
            }
        };
        Self { leg: enums::number(leg), event: Some(event) }
    }
}

/// Reads a live event; `None` if this build does not know the kind of step.
#[must_use]
pub fn from_wire(event: v1::StepEvent) -> Option<LegEvent> {
    let leg = enums::known(event.leg).unwrap_or(Leg::System);
    Some(match event.event? {
        Event::Started(kind) => LegEvent::StepStarted { leg, kind: enums::known(kind)? },
        Event::Finished(step) => LegEvent::StepFinished { leg, step: leg::step_from_wire(step)? },
    })
}

#[cfg(test)]
mod tests {
    use mailfleet_model::{FaultCode, StepKind};

    use super::*;
    use crate::fixtures;

    #[test]
    fn events_survive_the_way_there_and_back() {
        let step = fixtures::step(StepKind::Login, Some(FaultCode::AuthInvalidCredentials));
        for event in [
            LegEvent::StepStarted { leg: Leg::Imap, kind: StepKind::Resolve },
            LegEvent::StepFinished { leg: Leg::Smtp, step },
        ] {
            assert_eq!(from_wire(v1::StepEvent::from(&event)), Some(event));
        }
    }

    #[test]
    fn a_step_of_a_later_version_is_passed_over() {
        let event = v1::StepEvent { leg: 1, event: Some(Event::Started(999)) };
        assert_eq!(from_wire(event), None);
        assert_eq!(from_wire(v1::StepEvent::default()), None);
    }
}
