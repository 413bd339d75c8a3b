//! Takes a batch's items in: the batch first, then some items a transaction.

use std::collections::BTreeSet;

use mailfleet_model::fleet::{
    Added, BatchDraft, BatchId, BatchOpened, BatchState, ItemDraft, ItemState, RequestTag,
};

use crate::columns::leg::draft_values;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;
use crate::work::group::know_all;
use crate::work::tally::Tally;

pub(crate) struct OpenBatch {
    pub(crate) draft: BatchDraft,
}

impl Work for OpenBatch {
    type View = ();
    type Answer = ();
    type Output = BatchOpened;
    const OPERATION: &'static str = "begin an upload";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<BatchOpened, Trouble> {
        const KNOWN: Statement = Statement::of(
            "SELECT id, state, request_body FROM batches WHERE tenant = $1 AND request_id = $2",
        );
        const OPEN: Statement = Statement::of(
            "INSERT INTO batches (id, tenant, created, state, display_name, request_id, \
               request_body, traceparent, class, max_open, canaries, stop_when, item_deadline, \
               deadline) \
             VALUES ($1, $2, mailfleet_now(), 'UPLOADING', $3, $4, $5, $6, $7, $8, $9, $10, $11, \
               $12)",
        );
        let BatchDraft { id, tenant, request, display_name, settings, traceparent } = &self.draft;
        if let Some(request) = request {
            let key = [Value::Text(tenant.as_str()), Value::Text(&request.id)];
            if let Some(mut row) = tx.row(KNOWN, &key).await? {
                let (id, state) = (BatchId(row.id("id")?), row.name("state")?);
                let is_same = RequestTag(row.array("request_body")?) == request.body;
                let there = BatchOpened::There(id, state);
                return Ok(if is_same { there } else { BatchOpened::RequestIdReused });
            }
        }
        let values = [
            Value::id(&id.0),
            Value::Text(tenant.as_str()),
            Value::Text(display_name),
            Value::maybe(request.as_ref(), |request| Value::Text(&request.id)),
            Value::maybe(request.as_ref(), |request| Value::Bytes(&request.body.0)),
            Value::maybe(traceparent.as_deref(), Value::Text),
            Value::Text(settings.class.into()),
            Value::number(settings.max_open),
            Value::number(settings.canaries),
            Value::maybe(settings.stop_when, Value::number),
            Value::span(settings.item_deadline),
            Value::span(settings.deadline),
        ];
        tx.run(OPEN, &values).await?;
        Ok(BatchOpened::There(*id, BatchState::Uploading))
    }
}

pub(crate) struct AddItems {
    pub(crate) batch: BatchId,
    pub(crate) items: Vec<ItemDraft>,
}

impl Work for AddItems {
    type View = ();
    type Answer = ();
    /// `None` if the batch takes no items.
    type Output = Option<Added>;
    const OPERATION: &'static str = "store items of a batch";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const LOCK: Statement = Statement::of(
            "SELECT items FROM batches WHERE id = $1 AND state = 'UPLOADING' FOR NO KEY UPDATE",
        );
        const HAS: Statement =
            Statement::of("SELECT item_key FROM batch_items WHERE batch = $1 AND item_key = $2");
        const COUNT: Statement = Statement::of("UPDATE batches SET items = $2 WHERE id = $1");
        let id = Value::id(&self.batch.0);
        let Some(mut row) = tx.row(LOCK, &[id]).await? else { return Ok(None) };
        let mut last: u64 = row.number("items")?;
        let keys: Vec<_> = self.items.iter().map(|item| vec![id, Value::Text(&item.key)]).collect();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for mut row in tx.each(HAS, &keys).await?.into_iter().flatten() {
            known.insert(row.name("item_key")?);
        }
        let mut new: Vec<(u64, &ItemDraft)> = Vec::new();
        for item in &self.items {
            if known.insert(item.key.clone()) {
                last = last.saturating_add(1);
                new.push((last, item));
            }
        }
        let stored = u64::try_from(new.len()).unwrap_or(u64::MAX);
        let all = u64::try_from(self.items.len()).unwrap_or(u64::MAX);
        let mut tally = Tally::default();
        for (position, _) in &new {
            tally.add(self.batch, *position, (ItemState::Held, None, None));
        }
        let mut writes = Writes::default();
        insert(&mut writes, &self.batch, &new);
        tally.write(&mut writes);
        writes.once(COUNT, vec![id, Value::number(last)]);
        tx.finish(&writes).await?;
        Ok(Some(Added { stored, known: all.saturating_sub(stored) }))
    }
}

fn insert<'a>(writes: &mut Writes<'a>, batch: &'a BatchId, items: &[(u64, &'a ItemDraft)]) {
    const ITEM: Statement = Statement::of(
        "INSERT INTO batch_items (batch, position, item_key, address, domain, login, payload, \
           state) VALUES ($1, $2, $3, $4, $5, $6, $7, 'HELD')",
    );
    const LEG: Statement = Statement::of(
        "INSERT INTO batch_legs (batch, position, idx, kind, gate, gate_leg, zone, name, shard, \
           pool, mailbox, login, cap, payload) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    );
    let legs = || items.iter().flat_map(|(_, item)| &item.legs);
    know_all(writes, legs().map(|leg| (&leg.group, leg.shard)));
    let (mut item_rows, mut leg_rows) = (Vec::new(), Vec::new());
    for (position, item) in items {
        let place = [Value::id(&batch.0), Value::number(*position)];
        let values = [
            Value::Text(&item.key),
            Value::Text(&item.address),
            Value::Text(&item.domain),
            Value::Bytes(&item.login.0),
            Value::Bytes(&item.payload.0),
        ];
        item_rows.push([&place[..], &values].concat());
        for (index, leg) in (0_u64..).zip(&item.legs) {
            leg_rows.push([&place[..], &[Value::number(index)], &draft_values(leg)].concat());
        }
    }
    writes.each(ITEM, item_rows);
    writes.each(LEG, leg_rows);
}

pub(crate) struct DiscardBatch {
    pub(crate) batch: BatchId,
}

impl Work for DiscardBatch {
    type View = ();
    type Answer = ();
    type Output = ();
    const OPERATION: &'static str = "discard an upload";
    const ACCESS: Access = Access::Touch;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<(), Trouble> {
        const DISCARD: Statement =
            Statement::of("DELETE FROM batches WHERE id = $1 AND state = 'UPLOADING'");
        tx.run(DISCARD, &[Value::id(&self.batch.0)]).await.map(|_| ())
    }
}
