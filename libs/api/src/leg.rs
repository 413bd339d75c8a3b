//! Legs and their steps on the wire.

use mailfleet_model::leg::{
    Arrival, FolderRole, LegReport, LoginOutcome, Marks, ServerSoftware, Submission,
};
use mailfleet_model::{Leg, Step};

use crate::{code, endpoint, enums, tls, v1, when};

/// To the wire. Faults and suggestions of a leg stand in the report, and its marks stay home.
pub(crate) fn to_wire(leg: &LegReport) -> v1::LegReport {
    let address = |ip: &Option<std::net::IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    v1::LegReport {
        leg: enums::number(leg.leg),
        endpoint: Some(endpoint::to_wire(&leg.endpoint)),
        egress_ip: address(&leg.egress_ip),
        remote_ip: address(&leg.remote_ip),
        tls: leg.tls.as_ref().map(tls::to_wire),
        server_software: leg.server_software.as_ref().map(|software| v1::ServerSoftware {
            name: software.name.clone(),
            version: software.version.clone().unwrap_or_default(),
        }),
        login: enums::number(leg.login),
        submission: enums::number(leg.submission),
        steps: leg.steps.iter().map(step_to_wire).collect(),
        start_time: Some(when::timestamp(leg.started)),
        elapsed: Some(when::duration(leg.elapsed)),
    }
}

/// From the wire; `None` for a leg to an endpoint of a kind that this build does not know.
pub(crate) fn from_wire(leg: v1::LegReport) -> Option<LegReport> {
    Some(LegReport {
        leg: enums::known(leg.leg).unwrap_or(Leg::System),
        endpoint: endpoint::from_wire(leg.endpoint.as_ref()?)?,
        egress_ip: leg.egress_ip.parse().ok(),
        remote_ip: leg.remote_ip.parse().ok(),
        tls: leg.tls.map(tls::from_wire),
        server_software: leg.server_software.map(|software| ServerSoftware {
            name: software.name,
            version: some_text(software.version),
        }),
        started: when::to_system_time(leg.start_time?)?,
        elapsed: when::to_duration(leg.elapsed?)?,
        steps: leg.steps.into_iter().filter_map(step_from_wire).collect(),
        faults: Vec::new(),
        suggestions: Vec::new(),
        login: enums::known(leg.login).unwrap_or(LoginOutcome::Undecided),
        submission: enums::known(leg.submission).unwrap_or(Submission::Unknown),
        marks: Marks::default(),
        arrival: None,
    })
}

/// One step, to the wire.
pub(crate) fn step_to_wire(step: &Step) -> v1::Step {
    v1::Step {
        kind: enums::number(step.kind),
        outcome: enums::number(step.outcome),
        started: Some(when::duration(step.started)),
        elapsed: Some(when::duration(step.elapsed)),
        fault: step.fault.map(enums::number).unwrap_or_default(),
        detail: step.detail.clone().unwrap_or_default(),
    }
}

/// One step, from the wire; `None` for a kind that this build does not know.
pub(crate) fn step_from_wire(step: v1::Step) -> Option<Step> {
    Some(Step {
        kind: enums::known(step.kind)?,
        outcome: enums::known(step.outcome)?,
        started: when::to_duration(step.started?)?,
        elapsed: when::to_duration(step.elapsed?)?,
        fault: code::from_wire_if_set(step.fault),
        detail: some_text(step.detail),
    })
}

/// What the arrival leg found, to the wire.
pub(crate) fn arrival_to_wire(arrival: &Arrival) -> v1::Arrival {
    let (folder, role) = match &arrival.found {
        Some((folder, role)) => (folder.clone(), enums::number(*role)),
        None => (String::new(), 0),
    };
    v1::Arrival {
        folder,
        folder_role: role,
        after: arrival.after.map(when::duration),
        sent_copy: arrival.sent_copy,
    }
}

/// What the arrival leg found, from the wire. A folder of an unknown role counts as INBOX's
/// like: the mail did arrive.
pub(crate) fn arrival_from_wire(arrival: v1::Arrival) -> Arrival {
    let role = || enums::known(arrival.folder_role).unwrap_or(FolderRole::Inbox);
    let is_found = !arrival.folder.is_empty() || arrival.folder_role != 0;
    Arrival {
        found: is_found.then(|| (arrival.folder.clone(), role())),
        after: arrival.after.and_then(when::to_duration),
        sent_copy: arrival.sent_copy,
    }
}

/// On the wire an absent text is an empty one.
pub(crate) fn some_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
