-- Batches with items: what they are made of before and after their jobs.
--
-- Never change this file: later changes add files beside it.

-- Batches of the version before have no items of their own and are not fed: hence DONE.
ALTER TABLE batches ADD COLUMN state TEXT NOT NULL DEFAULT 'DONE';
ALTER TABLE batches ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE batches ADD COLUMN request_id TEXT;
ALTER TABLE batches ADD COLUMN request_body BLOB;
ALTER TABLE batches ADD COLUMN traceparent TEXT;
ALTER TABLE batches ADD COLUMN class TEXT NOT NULL DEFAULT 'REVALIDATION';
ALTER TABLE batches ADD COLUMN max_open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN canaries INTEGER NOT NULL DEFAULT 0;
-- NULL: the guard never pauses it.
ALTER TABLE batches ADD COLUMN stop_when INTEGER;
-- Spans; `ends` is the moment that follows from `deadline`.
ALTER TABLE batches ADD COLUMN item_deadline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN deadline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN started INTEGER;
ALTER TABLE batches ADD COLUMN ends INTEGER;
ALTER TABLE batches ADD COLUMN finished INTEGER;
-- Who paused it and when; why stands in `paused`.
ALTER TABLE batches ADD COLUMN pause_cause TEXT;
ALTER TABLE batches ADD COLUMN pause_since INTEGER;
ALTER TABLE batches ADD COLUMN guard_since INTEGER NOT NULL DEFAULT 0;
-- Items that were ever stored: where the next one's position comes from.
ALTER TABLE batches ADD COLUMN items INTEGER NOT NULL DEFAULT 0;
-- The domain that was fed last: feeding goes round.
ALTER TABLE batches ADD COLUMN fed TEXT NOT NULL DEFAULT '';

CREATE UNIQUE INDEX batches_by_request ON batches (tenant, request_id)
    WHERE request_id IS NOT NULL;
CREATE INDEX batches_in_order ON batches (tenant, id);
CREATE INDEX batches_live ON batches (id) WHERE state IN ('RUNNING', 'PAUSED', 'CANCELLING');

CREATE TABLE batch_items (
    batch       BLOB NOT NULL,
    -- From 1, in the order of the upload.
    position    INTEGER NOT NULL,
    item_key    TEXT NOT NULL,
    address     TEXT NOT NULL,
    domain      TEXT NOT NULL,
    -- The login of its first leg.
    login       BLOB NOT NULL,
    state       TEXT NOT NULL,
    job         BLOB,
    redrives    INTEGER NOT NULL DEFAULT 0,
    verdict     TEXT,
    code        TEXT,
    limit_group TEXT,
    -- What came of the login.
    answer      TEXT,
    finished    INTEGER,
    -- The payload of its job.
    payload     BLOB NOT NULL,
    PRIMARY KEY (batch, position),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX batch_items_by_key ON batch_items (batch, item_key);
CREATE UNIQUE INDEX batch_items_by_job ON batch_items (job) WHERE job IS NOT NULL;
-- No two open items share a login, over all batches: a refusal of one is known to the next.
CREATE UNIQUE INDEX batch_items_open_login ON batch_items (login) WHERE state = 'OPEN';
CREATE INDEX batch_items_held ON batch_items (batch, domain, position) WHERE state = 'HELD';
CREATE INDEX batch_items_open ON batch_items (batch, domain) WHERE state = 'OPEN';
CREATE INDEX batch_items_answered ON batch_items (batch, domain, answer)
    WHERE answer IS NOT NULL;
CREATE INDEX batch_items_logins ON batch_items (batch, finished)
    WHERE answer IN ('ACCEPTED', 'REFUSED_DEFINITIVELY');
CREATE INDEX batch_items_ended ON batch_items (batch, finished) WHERE finished IS NOT NULL;
CREATE INDEX batch_items_caused ON batch_items (batch, domain, limit_group, code)
    WHERE code IS NOT NULL;

-- The legs that an item's job gets. Their credentials are wiped as soon as the item cannot
-- begin anew by itself.
CREATE TABLE batch_legs (
    batch    BLOB NOT NULL,
    position INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    gate     TEXT NOT NULL,
    gate_leg INTEGER,
    zone     TEXT NOT NULL,
    name     TEXT NOT NULL,
    shard    INTEGER NOT NULL,
    pool     TEXT NOT NULL,
    mailbox  BLOB NOT NULL,
    login    BLOB NOT NULL,
    cap      INTEGER NOT NULL,
    payload  BLOB NOT NULL,
    PRIMARY KEY (batch, position, idx),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- How many items are where, in several rows, so that items that end at the same moment do not
-- wait for each other. An item moves those of its own slot.
CREATE TABLE batch_tallies (
    batch   BLOB NOT NULL,
    slot    INTEGER NOT NULL,
    state   TEXT NOT NULL,
    -- Empty: none.
    verdict TEXT NOT NULL,
    code    TEXT NOT NULL,
    items   INTEGER NOT NULL,
    PRIMARY KEY (batch, slot, state, verdict, code),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
