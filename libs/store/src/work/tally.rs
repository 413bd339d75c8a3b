//! The counters of a batch's items: moved in the transaction that moves an item, so that they
//! always equal the rows.

use std::collections::BTreeMap;

use mailfleet_model::fleet::{BatchId, ItemCounts, ItemState};
use mailfleet_model::{FaultCode, Verdict};

use crate::columns::item_slot;
use crate::trouble::Trouble;
use crate::tx::{Statement, Tx, Writes};
use crate::value::Value;

/// Everything that the counter of an item depends on.
pub(crate) type Place = (ItemState, Option<Verdict>, Option<FaultCode>);

/// What is to be added to counters, gathered so that each row is touched once, and all
/// transactions touch them in the same order.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(BatchId, u64, [&'static str; 3]), i64>);

impl Tally {
    /// An item is there now.
    pub(crate) fn add(&mut self, batch: BatchId, position: u64, place: Place) {
        self.shift(batch, position, place, 1);
    }

    /// An item is not there any more.
    pub(crate) fn remove(&mut self, batch: BatchId, position: u64, place: Place) {
        self.shift(batch, position, place, -1);
    }

    fn shift(&mut self, batch: BatchId, position: u64, (state, verdict, code): Place, by: i64) {
        let names = [state.into(), verdict.map_or("", Into::into), code.map_or("", Into::into)];
        *self.0.entry((batch, item_slot(position), names)).or_default() += by;
    }

    /// Writes what has changed.
    pub(crate) fn write<'a>(&'a self, writes: &mut Writes<'a>) {
        const TALLY: Statement = Statement::of(
            "INSERT INTO batch_tallies (batch, slot, state, verdict, code, items) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (batch, slot, state, verdict, code) DO UPDATE SET \
               items = batch_tallies.items + excluded.items",
        );
        let changed = self.0.iter().filter(|(_, by)| **by != 0);
        let rows: Vec<_> = changed
            .map(|((batch, slot, [state, verdict, code]), by)| {
                vec![
                    Value::id(&batch.0),
                    Value::number(*slot),
                    Value::Text(state),
                    Value::Text(verdict),
                    Value::Text(code),
                    Value::Int(*by),
                ]
            })
            .collect();
        writes.each(TALLY, rows);
    }
}

/// The counters of a batch, and the ended items by code, the most frequent first.
pub(crate) async fn read(
    tx: &impl Tx,
    batch: BatchId,
) -> Result<(ItemCounts, Vec<(FaultCode, u64)>), Trouble> {
    const COUNTS: Statement = Statement::of(
        "SELECT state, verdict, code, CAST(sum(items) AS bigint) FROM batch_tallies \
         WHERE batch = $1 GROUP BY state, verdict, code HAVING sum(items) <> 0",
    );
    let mut counts = ItemCounts::default();
    let mut codes: BTreeMap<FaultCode, u64> = BTreeMap::new();
    for mut row in tx.rows(COUNTS, &[Value::id(&batch.0)]).await? {
        let state: ItemState = row.name("state")?;
        let verdict = some(row.maybe_text("verdict")?);
        let verdict: Option<Verdict> = verdict.map(|text| text.parse()).transpose().map_err(odd)?;
        let code = some(row.maybe_text("code")?);
        let code: Option<FaultCode> = code.map(|text| text.parse()).transpose().map_err(odd)?;
        let items: u64 = row.number("items")?;
        *counts.of(state, verdict) += items;
        if let Some(code) = code {
            *codes.entry(code).or_default() += items;
        }
    }
    let mut codes: Vec<_> = codes.into_iter().collect();
    codes.sort_by_key(|(code, items)| (std::cmp::Reverse(*items), *code));
    Ok((counts, codes))
}

fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn odd<E>(_: E) -> Trouble {
    Trouble::corrupt("a tally holds an unknown name")
}
