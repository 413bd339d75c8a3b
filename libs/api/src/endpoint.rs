//! Endpoints on the wire.

use mailfleet_model::Endpoint;

use crate::enums;
use crate::v1;

/// To the wire.
pub(crate) fn to_wire(endpoint: &Endpoint) -> v1::Endpoint {
    v1::Endpoint {
        protocol: enums::number(endpoint.protocol),
        host: endpoint.host.to_string(),
        port: endpoint.port.into(),
        security: enums::number(endpoint.security),
    }
}

/// From a report; `None` if this build cannot make sense of it.
pub(crate) fn from_wire(endpoint: &v1::Endpoint) -> Option<Endpoint> {
    Some(Endpoint {
        protocol: enums::known(endpoint.protocol)?,
        host: endpoint.host.parse().ok()?,
        port: u16::try_from(endpoint.port).ok().filter(|port| *port != 0)?,
        security: enums::known(endpoint.security)?,
    })
}
