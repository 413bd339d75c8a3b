//! smtp leg.

use mailfleet_model::leg::OutgoingPlan;

use crate::leg::Scope;
use crate::recorder::Stop;

/// Runs the leg.
pub(crate) async fn run(scope: &mut Scope<'_>, _plan: &OutgoingPlan) -> Result<(), Stop> {
    scope.open().await.map(|_| ())
}
