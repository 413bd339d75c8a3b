//! Notices: written with what they speak of, placed in an order, published and forgotten.
//!
//! A sequence of the database would not do: transactions commit in another order than they
//! took their numbers in, and a reader would pass over the late ones. So the places are given
//! after the commit, under the lock of one row that is never waited for.

use mailfleet_model::fleet::{
    BatchTurned, Forgotten, Notice, NoticeAges, NoticePage, NoticeTurn, Subject, TenantId,
};
use uuid::Uuid;

use crate::columns::notice::{notice_columns, read, values};
use crate::row::Row;
use crate::trouble::Trouble;
use crate::tx::{Access, Decide, Statement, Tx, Work, Writes};
use crate::value::Value;

/// A notice that is to be written with what it speaks of.
pub(crate) struct NewNotice<'a> {
    id: Uuid,
    tenant: &'a TenantId,
    traceparent: Option<&'a str>,
    subject: Subject,
}

impl<'a> NewNotice<'a> {
    pub(crate) fn of(tenant: &'a TenantId, traceparent: Option<&'a str>, subject: Subject) -> Self {
        Self { id: Uuid::now_v7(), tenant, traceparent, subject }
    }

    /// A batch went to another state.
    pub(crate) fn turned(
        tenant: &'a TenantId,
        traceparent: Option<&'a str>,
        turned: BatchTurned,
    ) -> Self {
        Self::of(tenant, traceparent, Subject::Batch(turned))
    }

    /// Writes it, to be told once the transaction has committed.
    pub(crate) fn write(&'a self, writes: &mut Writes<'a>) {
        const WRITE: Statement = Statement::of(
            "INSERT INTO notices (id, at, tenant, traceparent, job, batch, state, class, verdict, \
               code, created, pause_cause) \
             VALUES ($1, mailfleet_now(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        );
        let mut row = vec![Value::id(&self.id)];
        row.extend(values(self.tenant, self.traceparent, &self.subject));
        writes.once(WRITE, row);
    }
}

/// The board's row. Whoever does not get it at once leaves the work to who has it.
const BOARD: Statement = Statement::of(
    "SELECT placed, published, forgotten, holder, held_until FROM notice_board \
     WHERE board = 1 FOR UPDATE SKIP LOCKED",
);

struct Board {
    placed: u64,
    published: u64,
    forgotten: u64,
    holder: String,
    held_until: u64,
}

impl Board {
    fn read(mut row: Row) -> Result<Self, Trouble> {
        Ok(Self {
            placed: row.number("placed")?,
            published: row.number("published")?,
            forgotten: row.number("forgotten")?,
            holder: row.maybe_text("holder")?.unwrap_or_default(),
            held_until: row.number("held_until")?,
        })
    }

    async fn lock(tx: &impl Tx) -> Result<Option<Self>, Trouble> {
        tx.row(BOARD, &[]).await?.map(Self::read).transpose()
    }

    fn write<'a>(&'a self, writes: &mut Writes<'a>) {
        const WRITE: Statement = Statement::of(
            "UPDATE notice_board SET placed = $1, published = $2, forgotten = $3, holder = $4, \
               held_until = $5 WHERE board = 1",
        );
        let values = vec![
            Value::number(self.placed),
            Value::number(self.published),
            Value::number(self.forgotten),
            Value::Text(&self.holder),
            Value::number(self.held_until),
        ];
        writes.once(WRITE, values);
    }
}

pub(crate) struct PlaceNotices {
    pub(crate) limit: u32,
}

impl Work for PlaceNotices {
    type View = ();
    type Answer = ();
    type Output = Option<(u64, bool)>;
    const OPERATION: &'static str = "place notices";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Self::Output, Trouble> {
        const UNPLACED: Statement =
            Statement::of("SELECT id FROM notices WHERE serial IS NULL ORDER BY at, id LIMIT $1");
        const PLACE: Statement = Statement::of("UPDATE notices SET serial = $2 WHERE id = $1");
        let Some(mut board) = Board::lock(tx).await? else { return Ok(None) };
        let mut ids: Vec<Uuid> = Vec::new();
        for mut row in tx.rows(UNPLACED, &[Value::number(self.limit)]).await? {
            ids.push(row.id("id")?);
        }
        if ids.is_empty() {
            return Ok(Some((board.placed, false)));
        }
        let mut rows = Vec::new();
        for id in &ids {
            board.placed = board.placed.saturating_add(1);
            rows.push(vec![Value::id(id), Value::number(board.placed)]);
        }
        let mut writes = Writes::default();
        writes.each(PLACE, rows);
        board.write(&mut writes);
        tx.finish(&writes).await?;
        let full = usize::try_from(self.limit).is_ok_and(|limit| limit <= ids.len());
        Ok(Some((board.placed, full)))
    }
}

pub(crate) struct NoticesToPublish {
    pub(crate) turn: NoticeTurn,
}

impl Work for NoticesToPublish {
    type View = ();
    type Answer = ();
    type Output = Vec<Notice>;
    const OPERATION: &'static str = "hand out notices to publish";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Vec<Notice>, Trouble> {
        const NEXT: Statement = Statement::of(concat!(
            "SELECT ",
            notice_columns!(),
            " FROM notices WHERE serial IS NOT NULL AND serial > $1 ORDER BY serial LIMIT $2"
        ));
        let NoticeTurn { holder, published, hold, limit } = &self.turn;
        let Some(mut board) = Board::lock(tx).await? else { return Ok(Vec::new()) };
        let now = tx.now().await?;
        // Also from one whose turn is over: what the broker has confirmed is published.
        let progress = board.published < *published;
        board.published = board.published.max(*published);
        let theirs = board.holder != holder.as_str() && now.0 < board.held_until;
        let mut notices = Vec::new();
        if !theirs && board.published < board.placed {
            let values = [Value::number(board.published), Value::number(*limit)];
            for mut row in tx.rows(NEXT, &values).await? {
                notices.push(read(&mut row)?);
            }
        }
        let mine = board.holder == holder.as_str();
        if !notices.is_empty() {
            board.holder = holder.as_str().to_owned();
            board.held_until = now.plus(*hold).0;
        } else if mine {
            board.holder = String::new();
            board.held_until = 0;
        } else if !progress {
            return Ok(notices);
        }
        let mut writes = Writes::default();
        board.write(&mut writes);
        tx.finish(&writes).await?;
        Ok(notices)
    }
}

pub(crate) struct Notices {
    pub(crate) tenant: TenantId,
    pub(crate) after: u64,
    pub(crate) limit: u32,
}

impl Work for Notices {
    type View = ();
    type Answer = ();
    type Output = NoticePage;
    const OPERATION: &'static str = "read notices";
    const ACCESS: Access = Access::Snapshot;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<NoticePage, Trouble> {
        const SEEN: Statement = Statement::of(
            "SELECT placed, published, forgotten, holder, held_until FROM notice_board \
             WHERE board = 1",
        );
        const PAGE: Statement = Statement::of(concat!(
            "SELECT ",
            notice_columns!(),
            " FROM notices WHERE tenant = $1 AND serial IS NOT NULL AND serial > $2 \
             ORDER BY serial LIMIT $3"
        ));
        let row = tx.row(SEEN, &[]).await?;
        let board = Board::read(row.ok_or_else(|| Trouble::corrupt("there is no board"))?)?;
        let values = [
            Value::Text(self.tenant.as_str()),
            Value::number(self.after),
            Value::number(self.limit),
        ];
        let mut notices = Vec::new();
        for mut row in tx.rows(PAGE, &values).await? {
            notices.push(read(&mut row)?);
        }
        let full = usize::try_from(self.limit).is_ok_and(|limit| limit <= notices.len());
        let last = notices.last().map(|notice| notice.serial).filter(|_| full);
        let next = last.unwrap_or(board.placed);
        Ok(NoticePage { notices, next, forgotten: board.forgotten })
    }
}

pub(crate) struct ForgetNotices {
    pub(crate) ages: NoticeAges,
    pub(crate) limit: u32,
}

impl Work for ForgetNotices {
    type View = ();
    type Answer = ();
    type Output = Forgotten;
    const OPERATION: &'static str = "forget old notices";
    const ACCESS: Access = Access::Change;

    async fn work(&self, tx: &impl Tx, _: &impl Decide<(), ()>) -> Result<Forgotten, Trouble> {
        const OLDEST: Statement = Statement::of(
            "SELECT serial, at FROM notices WHERE serial IS NOT NULL ORDER BY serial LIMIT $1",
        );
        const FORGET: Statement =
            Statement::of("DELETE FROM notices WHERE serial IS NOT NULL AND serial = $1");
        let Some(mut board) = Board::lock(tx).await? else { return Ok(Forgotten::default()) };
        let now = tx.now().await?;
        let mut unpublished = 0;
        let mut old: Vec<u64> = Vec::new();
        for mut row in tx.rows(OLDEST, &[Value::number(self.limit)]).await? {
            let (serial, at) = (row.number("serial")?, row.time("at")?);
            let is_published = serial <= board.published;
            let NoticeAges { published, unpublished: waits } = self.ages;
            // The first young one ends it: what is forgotten is always a beginning.
            if now.since(at) < if is_published { published } else { waits } {
                break;
            }
            unpublished += u64::from(!is_published);
            old.push(serial);
        }
        let Some(last) = old.last() else { return Ok(Forgotten::default()) };
        board.forgotten = board.forgotten.max(*last);
        let rows: Vec<_> = old.iter().map(|serial| vec![Value::number(*serial)]).collect();
        let mut writes = Writes::default();
        writes.each(FORGET, rows);
        board.write(&mut writes);
        tx.finish(&writes).await?;
        Ok(Forgotten { gone: u64::try_from(old.len()).unwrap_or(u64::MAX), unpublished })
    }
}
