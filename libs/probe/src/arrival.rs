//! arrival leg.

use mailfleet_model::leg::ArrivalPlan;

use crate::leg::Scope;
use crate::recorder::Stop;

/// Runs the leg.
pub(crate) async fn run(scope: &mut Scope<'_>, _plan: &ArrivalPlan) -> Result<(), Stop> {
    scope.open().await.map(|_| ())
}
