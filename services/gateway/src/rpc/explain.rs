//! Says what a job waits for.

use std::sync::Arc;

use mailfleet_api::v1;
use mailfleet_model::fleet::{GatewayQueue, JobView, Store};
use mailfleet_remedy::Language;
use tonic::Status;

use crate::gateway::Gateway;

pub(super) async fn explain<S: Store, Q: GatewayQueue>(
    _gateway: &Arc<Gateway<S, Q>>,
    _view: &JobView,
    _language: Option<Language>,
) -> Result<v1::ExplainJobResponse, Status> {
    Err(Status::unimplemented("soon"))
}
