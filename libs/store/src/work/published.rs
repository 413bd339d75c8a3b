//! Notes what the broker has confirmed.

use std::collections::BTreeSet;

use mailfleet_model::fleet::{Dispatch, LegId};

use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;

pub(crate) struct MarkPublished {
    /// By ascending id, as everybody locks legs.
    pub(crate) legs: BTreeSet<(LegId, Dispatch)>,
}

impl Work for MarkPublished {
    type View = ();
    type Answer = ();
    type Output = ();
    const OPERATION: &'static str = "mark legs as published";
    // What is not known to be published is published again.
    const ACCESS: Access = Access::Note;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<(), Trouble> {
        const MARK: Statement = Statement::of(
            "UPDATE legs SET state = 'PUBLISHED', since = mailfleet_now(), \
               revision = revision + 1 \
             WHERE job = $1 AND idx = $2 AND state = 'RELEASED' AND dispatch = $3",
        );
        let keys = self.legs.iter().map(|(leg, dispatch)| {
            vec![Value::id(&leg.job.0), Value::number(leg.index), Value::number(dispatch.0)]
        });
        let mut writes = Writes::default();
        writes.each(MARK, keys.collect());
        tx.finish(&writes).await
    }
}
