//! What a job asks for, without its secrets: the payload of the job's row.

use std::net::IpAddr;

use mailfleet_model::fleet::{LoginTag, Payload};
use mailfleet_model::{EmailAddress, Endpoint};
use prost::Message;

use super::{Error, decode, unreadable};
use crate::endpoint;
use crate::generated::queue::v1 as wire;

/// What a job asks for: enough to join its legs and to show it, not enough to log in.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOrder {
    /// The mailbox under test.
    pub mailbox: EmailAddress,
    /// The incoming endpoints.
    pub incoming: Vec<PlainSettings>,
    /// The outgoing endpoint.
    pub outgoing: Option<PlainSettings>,
    /// The recipient of the test mail, where one is sent.
    pub test_mail: Option<EmailAddress>,
    /// Source addresses to be allow-listed; empty where the system chooses.
    pub egress: Vec<IpAddr>,
}

/// Where a leg connects and as whom, without the secret.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainSettings {
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Whom to log in.
    pub username: String,
    /// Equal for the same user name and secret.
    pub login: LoginTag,
}

impl JobOrder {
    /// The payload of the job.
    #[must_use]
    pub fn to_payload(&self) -> Payload {
        let message = wire::JobOrder {
            mailbox: self.mailbox.to_string(),
            incoming: self.incoming.iter().map(settings_to_wire).collect(),
            outgoing: self.outgoing.as_ref().map(settings_to_wire),
            test_mail_recipient: self
                .test_mail
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            egress_addresses: self.egress.iter().map(ToString::to_string).collect(),
        };
        Payload(message.encode_to_vec())
    }

    /// Reads a job's payload.
    ///
    /// # Errors
    /// Names the field that this build cannot make sense of.
    pub fn from_payload(payload: &Payload) -> Result<Self, Error> {
        let message: wire::JobOrder = decode(payload)?;
        let recipient = Some(message.test_mail_recipient).filter(|text| !text.is_empty());
        let egress = message.egress_addresses.iter().map(|text| text.parse().ok());
        Ok(Self {
            mailbox: message.mailbox.parse().map_err(|_| unreadable("mailbox"))?,
            incoming: message
                .incoming
                .into_iter()
                .map(|settings| settings_from_wire(settings).ok_or(unreadable("incoming")))
                .collect::<Result<_, _>>()?,
            outgoing: message
                .outgoing
                .map(|settings| settings_from_wire(settings).ok_or(unreadable("outgoing")))
                .transpose()?,
            test_mail: recipient
                .map(|text| text.parse().map_err(|_| unreadable("test_mail_recipient")))
                .transpose()?,
            egress: egress.collect::<Option<_>>().ok_or(unreadable("egress_addresses"))?,
        })
    }
}

fn settings_to_wire(settings: &PlainSettings) -> wire::PlainSettings {
    wire::PlainSettings {
        endpoint: Some(endpoint::to_wire(&settings.endpoint)),
        username: settings.username.clone(),
        login_tag: settings.login.0.to_vec(),
    }
}

fn settings_from_wire(settings: wire::PlainSettings) -> Option<PlainSettings> {
    Some(PlainSettings {
        endpoint: endpoint::from_wire(settings.endpoint.as_ref()?)?,
        username: settings.username,
        login: LoginTag(settings.login_tag.try_into().ok()?),
    })
}
