//! The order for one leg: where to go, as whom, what to do.

use std::time::Duration;

use mailfleet_model::fleet::{Payload, TenantId};
use mailfleet_model::leg::{LegPlan, Marks};
use mailfleet_model::tls::{CertificatePolicy, TlsPolicy};
use mailfleet_model::{EmailAddress, Endpoint, Leg};
use prost::Message;

use super::{Error, decode, plan, unreadable};
use crate::generated::queue::v1 as wire;
use crate::{endpoint, when};

/// What a leg shares with another one of its job, and which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// It runs without regard to another one.
    Alone,
    /// The incoming one; both log in with the same name and secret.
    IncomingSameLogin,
    /// The outgoing one; both log in with the same name and secret.
    OutgoingSameLogin,
    /// The incoming one, with a login of its own.
    Incoming,
    /// The outgoing one, with a login of its own.
    Outgoing,
}

/// The order for one leg. The credential is sealed for the tenant, mailbox, user name,
/// endpoint and certificate policy that stand beside it.
#[derive(Debug, Clone)]
pub struct LegOrder {
    /// Whose leg it is.
    pub tenant: TenantId,
    /// The mailbox under test.
    pub mailbox: EmailAddress,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Whom to log in.
    pub username: String,
    /// The sealed credential.
    pub sealed: Vec<u8>,
    /// Counts the credentials of the mailbox; part of the seal.
    pub credential_version: u64,
    /// What is demanded of the certificate.
    pub tls: TlsPolicy,
    /// What to do after the login.
    pub plan: LegPlan,
    /// Time for the leg's work.
    pub budget: Duration,
    /// What it shares with another leg.
    pub pair: Pair,
}

impl LegOrder {
    /// The name under which the leg is reported.
    #[must_use]
    pub fn leg(&self) -> Leg {
        match self.plan {
            LegPlan::Arrival(_) => Leg::Roundtrip,
            LegPlan::Incoming(_) | LegPlan::Outgoing(_) => self.endpoint.protocol.into(),
        }
    }

    /// The same order, told where new mail will appear. Changes nothing but an arrival leg.
    #[must_use]
    pub fn with_marks(mut self, seen: Marks) -> Self {
        if let LegPlan::Arrival(plan) = &mut self.plan {
            plan.marks = seen;
        }
        self
    }

    /// The same order, good for being shown and for nothing else.
    #[must_use]
    pub fn without_credential(self) -> Self {
        Self { sealed: Vec::new(), ..self }
    }

    /// The payload of the leg.
    #[must_use]
    pub fn to_payload(&self) -> Payload {
        let message = wire::LegOrder {
            tenant: self.tenant.to_string(),
            mailbox: self.mailbox.to_string(),
            endpoint: Some(endpoint::to_wire(&self.endpoint)),
            username: self.username.clone(),
            sealed_credential: self.sealed.clone(),
            credential_version: self.credential_version,
            allow_insecure_certificates: self.tls.certificates == CertificatePolicy::AllowInsecure,
            trusted_certificates: self.tls.extra_roots.clone(),
            plan: Some(plan::to_wire(&self.plan)),
            budget: Some(when::duration(self.budget)),
            pair: pair_to_wire(self.pair).into(),
        };
        Payload(message.encode_to_vec())
    }

    /// Reads a leg's payload.
    ///
    /// # Errors
    /// Names the field that this build cannot make sense of.
    pub fn from_payload(payload: &Payload) -> Result<Self, Error> {
        let message: wire::LegOrder = decode(payload)?;
        let certificates = if message.allow_insecure_certificates {
            CertificatePolicy::AllowInsecure
        } else {
            CertificatePolicy::Strict
        };
        let at = message.endpoint.as_ref().and_then(endpoint::from_wire);
        Ok(Self {
            tenant: message.tenant.parse().map_err(|_| unreadable("tenant"))?,
            mailbox: message.mailbox.parse().map_err(|_| unreadable("mailbox"))?,
            endpoint: at.ok_or(unreadable("endpoint"))?,
            username: message.username,
            sealed: message.sealed_credential,
            credential_version: message.credential_version,
            tls: TlsPolicy { certificates, extra_roots: message.trusted_certificates },
            plan: plan::from_wire(message.plan.ok_or(unreadable("plan"))?)?,
            budget: message.budget.and_then(when::to_duration).ok_or(unreadable("budget"))?,
            pair: pair_from_wire(message.pair)?,
        })
    }
}

fn pair_to_wire(pair: Pair) -> wire::leg_order::Pair {
    use wire::leg_order::Pair as Wire;
    match pair {
        Pair::Alone => Wire::Unspecified,
        Pair::IncomingSameLogin => Wire::IncomingSameLogin,
        Pair::OutgoingSameLogin => Wire::OutgoingSameLogin,
        Pair::Incoming => Wire::Incoming,
        Pair::Outgoing => Wire::Outgoing,
    }
}

fn pair_from_wire(number: i32) -> Result<Pair, Error> {
    use wire::leg_order::Pair as Wire;
    Ok(match Wire::try_from(number).map_err(|_| unreadable("pair"))? {
        Wire::Unspecified => Pair::Alone,
        Wire::IncomingSameLogin => Pair::IncomingSameLogin,
        Wire::OutgoingSameLogin => Pair::OutgoingSameLogin,
        Wire::Incoming => Pair::Incoming,
        Wire::Outgoing => Pair::Outgoing,
    })
}
