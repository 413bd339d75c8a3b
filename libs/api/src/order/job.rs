//! What a job asks for, without its secrets: the payload of the job's row.

use mailfleet_model::fleet::{LoginTag, Payload};
use mailfleet_model::{Outline, OutlineLeg};
use prost::Message;

use super::{Error, decode, unreadable};
use crate::endpoint;
use crate::generated::queue::v1 as wire;

/// The payload of a job's row.
#[must_use]
pub fn outline_payload(outline: &Outline) -> Payload {
    let recipient = outline.test_mail.as_ref().map(ToString::to_string);
    let message = wire::JobOrder {
        mailbox: outline.mailbox.to_string(),
        incoming: outline.incoming.iter().map(settings_to_wire).collect(),
        outgoing: outline.outgoing.as_ref().map(settings_to_wire),
        test_mail_recipient: recipient.unwrap_or_default(),
        egress_addresses: outline.egress.iter().map(ToString::to_string).collect(),
    };
    Payload(message.encode_to_vec())
}

/// Reads the payload of a job's row.
///
/// # Errors
/// Names the field that this build cannot make sense of.
pub fn outline(payload: &Payload) -> Result<Outline, Error> {
    let message: wire::JobOrder = decode(payload)?;
    let recipient = Some(message.test_mail_recipient).filter(|text| !text.is_empty());
    let egress = message.egress_addresses.iter().map(|text| text.parse().ok());
    let leg = |settings, field| settings_from_wire(settings).ok_or(unreadable(field));
    let incoming = message.incoming.into_iter().map(|settings| leg(settings, "incoming"));
    Ok(Outline {
        mailbox: message.mailbox.parse().map_err(|_| unreadable("mailbox"))?,
        incoming: incoming.collect::<Result<_, _>>()?,
        outgoing: message.outgoing.map(|settings| leg(settings, "outgoing")).transpose()?,
        test_mail: recipient
            .map(|text| text.parse().map_err(|_| unreadable("test_mail_recipient")))
            .transpose()?,
        egress: egress.collect::<Option<_>>().ok_or(unreadable("egress_addresses"))?,
    })
}

fn settings_to_wire(settings: &OutlineLeg) -> wire::PlainSettings {
    wire::PlainSettings {
        endpoint: Some(endpoint::to_wire(&settings.endpoint)),
        username: settings.username.clone(),
        login_tag: settings.login.0.to_vec(),
    }
}

fn settings_from_wire(settings: wire::PlainSettings) -> Option<OutlineLeg> {
    Some(OutlineLeg {
        endpoint: endpoint::from_wire(settings.endpoint.as_ref()?)?,
        username: settings.username,
        login: LoginTag(settings.login_tag.try_into().ok()?),
    })
}
