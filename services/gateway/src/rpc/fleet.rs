//! `mailfleet.v1.FleetService`.
use std::sync::Arc;

use mailfleet_model::fleet::GatewayQueue;

use crate::gateway::Gateway;

/// The service.
#[derive(Debug)]
pub(crate) struct Fleet<S, Q: GatewayQueue>(pub(crate) Arc<Gateway<S, Q>>);
