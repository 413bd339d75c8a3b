//! Opening the credential of an order, for exactly the use that the order names.

use mailfleet_api::order::LegOrder;
use mailfleet_model::Credential;
use mailfleet_vault::{Binding, Error, KeyRing, Purpose, Sealed};

pub(super) fn open(keys: &KeyRing, order: &LegOrder, mailbox: &str) -> Result<Credential, Error> {
    let sealed = Sealed::from_bytes(&order.sealed)?;
    let binding = Binding {
        tenant: &order.tenant,
        mailbox,
        credential_version: order.credential_version,
        username: &order.username,
        endpoint: &order.endpoint,
        tls: &order.tls,
        purpose: Purpose::Validation,
    };
    keys.open(&sealed, &binding)
}

/// What the report says about it. Operators see the key's id in the log.
pub(super) fn note(error: Error) -> &'static str {
    match error {
        Error::UnknownKey(_) => "The credential is sealed to a key that the worker does not have.",
        Error::WrongBinding => "The credential was sealed for another use than the order's.",
        Error::Tampered => "The sealed credential was damaged or changed.",
        Error::UnknownFormat(_) => {
            "The credential is sealed in a format that is newer than the worker."
        }
        Error::Malformed | Error::SecretTooLong | Error::UnusableKey(_) => {
            "The order has no sealed credential."
        }
    }
}
