//! Notes what the broker has confirmed.

use mailfleet_model::fleet::{Dispatch, LegId};

use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work};
use crate::value::Value;

pub(crate) struct MarkPublished {
    pub(crate) leg: LegId,
    pub(crate) dispatch: Dispatch,
}

impl Work for MarkPublished {
    type View = ();
    type Answer = ();
    type Output = ();
    const OPERATION: &'static str = "mark a leg as published";
    const ACCESS: Access = Access::Touch;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<(), Trouble> {
        const MARK: Statement = Statement::of(
            "UPDATE legs SET state = 'PUBLISHED', since = mailfleet_now(), \
               revision = revision + 1 \
             WHERE job = $1 AND idx = $2 AND state = 'RELEASED' AND dispatch = $3",
        );
        let values = [
            Value::id(&self.leg.job.0),
            Value::number(self.leg.index),
            Value::number(self.dispatch.0),
        ];
        tx.run(MARK, &values).await.map(|_| ())
    }
}
