//! What a leg does after the login, on the wire.

use mailfleet_model::leg::{
    ArrivalPlan, FolderMark, IncomingPlan, LegPlan, LookFor, Marks, OutgoingPlan,
};

use super::{Error, unreadable};
use crate::generated::queue::v1 as wire;
use crate::{enums, when};

pub(super) fn to_wire(plan: &LegPlan) -> wire::leg_order::Plan {
    use wire::leg_order::Plan as Wire;
    match plan {
        LegPlan::Incoming(plan) => {
            Wire::Incoming(wire::IncomingPlan { mark: *plan == IncomingPlan::OpenAndMark })
        }
        LegPlan::Outgoing(plan) => Wire::Outgoing(outgoing_to_wire(plan)),
        LegPlan::Arrival(plan) => Wire::Arrival(wire::ArrivalPlan {
            token: plan.token.clone(),
            marks: Some(marks_to_wire(&plan.marks)),
            sent_copy_only: plan.look_for == LookFor::SentCopy,
            timeout: Some(when::duration(plan.timeout)),
        }),
    }
}

pub(super) fn from_wire(plan: wire::leg_order::Plan) -> Result<LegPlan, Error> {
    use wire::leg_order::Plan as Wire;
    Ok(match plan {
        Wire::Incoming(plan) if plan.mark => LegPlan::Incoming(IncomingPlan::OpenAndMark),
        Wire::Incoming(_) => LegPlan::Incoming(IncomingPlan::Open),
        Wire::Outgoing(plan) => LegPlan::Outgoing(outgoing_from_wire(plan)?),
        Wire::Arrival(plan) => {
            let timeout = plan.timeout.and_then(when::to_duration);
            let look_for =
                if plan.sent_copy_only { LookFor::SentCopy } else { LookFor::MailAndSentCopy };
            LegPlan::Arrival(ArrivalPlan {
                token: plan.token,
                marks: marks_from_wire(plan.marks.unwrap_or_default())?,
                look_for,
                timeout: timeout.ok_or(unreadable("arrival.timeout"))?,
            })
        }
    })
}

fn outgoing_to_wire(plan: &OutgoingPlan) -> wire::OutgoingPlan {
    use wire::outgoing_plan::Extent;
    let (extent, recipient, token) = match plan {
        OutgoingPlan::LoginOnly => (Extent::LoginOnly, String::new(), String::new()),
        OutgoingPlan::Envelope => (Extent::Envelope, String::new(), String::new()),
        OutgoingPlan::TestMail { to, token } => (Extent::TestMail, to.to_string(), token.clone()),
    };
    wire::OutgoingPlan { extent: extent.into(), recipient, token }
}

fn outgoing_from_wire(plan: wire::OutgoingPlan) -> Result<OutgoingPlan, Error> {
    use wire::outgoing_plan::Extent;
    match Extent::try_from(plan.extent) {
        Ok(Extent::LoginOnly) => Ok(OutgoingPlan::LoginOnly),
        Ok(Extent::Envelope) => Ok(OutgoingPlan::Envelope),
        Ok(Extent::TestMail) => {
            let to = plan.recipient.parse().map_err(|_| unreadable("outgoing.recipient"))?;
            Ok(OutgoingPlan::TestMail { to, token: plan.token })
        }
        Ok(Extent::Unspecified) | Err(_) => Err(unreadable("outgoing.extent")),
    }
}

pub(super) fn marks_to_wire(marks: &Marks) -> wire::Marks {
    let folder = |mark: &FolderMark| wire::FolderMark {
        name: mark.name.clone(),
        role: enums::number(mark.role),
        uid_validity: mark.uid_validity,
        uid_next: mark.uid_next,
    };
    wire::Marks { folders: marks.folders.iter().map(folder).collect(), uidls: marks.uidls.clone() }
}

pub(super) fn marks_from_wire(marks: wire::Marks) -> Result<Marks, Error> {
    let folder = |mark: wire::FolderMark| {
        Ok(FolderMark {
            name: mark.name,
            role: enums::known(mark.role).ok_or(unreadable("marks.folders.role"))?,
            uid_validity: mark.uid_validity,
            uid_next: mark.uid_next,
        })
    };
    let folders = marks.folders.into_iter().map(folder).collect::<Result<_, Error>>()?;
    Ok(Marks { folders, uidls: marks.uidls })
}
