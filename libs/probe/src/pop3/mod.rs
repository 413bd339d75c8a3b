//! pop3 leg.

use mailfleet_model::leg::IncomingPlan;

use crate::leg::Scope;
use crate::recorder::Stop;

/// Runs the leg.
pub(crate) async fn run(scope: &mut Scope<'_>, _plan: IncomingPlan) -> Result<(), Stop> {
    scope.open().await.map(|_| ())
}
